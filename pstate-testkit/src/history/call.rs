use super::action::Action;

/// One call of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When the call was invoked: a tick of a clock that all clients share.
    pub invoked: u64,
    /// When the call returned; `None` if its outcome is unknown. Then a
    /// [`Change`](Action::Change) took effect at any time after `invoked`, or never, and any other
    /// action is ignored.
    pub returned: Option<u64>,
    /// What the call did, or would have done.
    pub action: Action,
    /// The text that reports show for the call, like `write card:1 := "b"`.
    pub label: String,
}
