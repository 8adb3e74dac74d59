/// The reply of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A simple or bulk string.
    Text(String),
    /// An integer.
    Number(i64),
    /// A null.
    Nil,
    /// An array.
    List(Vec<Reply>),
    /// An error.
    Error(String),
}

impl Reply {
    /// The text.
    ///
    /// # Panics
    /// If the reply is anything but a text.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("expected a text, got {other:?}"),
        }
    }

    /// The items of a list.
    ///
    /// # Panics
    /// If the reply is anything but a list.
    pub fn list(&self) -> &[Reply] {
        match self {
            Self::List(items) => items,
            other => panic!("expected a list, got {other:?}"),
        }
    }

    /// The number in the line `name:number` of a reply to `INFO` or `CLUSTER INFO`.
    pub(super) fn info_number(&self, name: &str) -> Option<u64> {
        let mut lines = self.text().lines();
        lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':')?.parse().ok())
    }
}
