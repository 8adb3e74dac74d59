/// Which rules the texts below a path follow.
#[derive(Debug, Clone, Copy)]
pub struct TextRules {
    /// A file or directory, from the workspace's root; empty for the root itself.
    pub path: &'static str,
    /// Whether comments are at most 100 columns wide.
    pub columns: bool,
    /// Whether no word is used that we replaced.
    pub words: bool,
}

impl TextRules {
    /// Counts what breaks the rules, and lets it pass.
    pub const fn new(path: &'static str) -> Self {
        Self { path, columns: false, words: false }
    }

    /// Enforces the width of comments.
    pub const fn columns(self) -> Self {
        Self { columns: true, ..self }
    }

    /// Enforces the choice of words.
    pub const fn words(self) -> Self {
        Self { words: true, ..self }
    }

    fn contains(&self, path: &str) -> bool {
        self.path.is_empty()
            || path
                .strip_prefix(self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The rules of a file: those with the longest path.
    pub(super) fn of<'r>(rules: &'r [Self], file: &str) -> Option<&'r Self> {
        let containing = rules.iter().filter(|rules| rules.contains(file));
        containing.max_by_key(|rules| rules.path.len())
    }
}
