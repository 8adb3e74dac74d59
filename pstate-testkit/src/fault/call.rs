/// A method of an adapter, as the target of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `multi_get`
    Read,
    /// `write`
    Write,
    /// `scan`
    Scan,
    /// `spaces`
    Spaces,
    /// `flush`
    Flush,
    /// `close`
    Close,
}

impl Call {
    /// Whether the method changes something, so that a second call is not the same as one call.
    pub(super) fn has_effect(self) -> bool {
        matches!(self, Self::Write | Self::Close)
    }
}
