use std::fmt;

/// A dimension in which a promise can fail although it holds in the simplest case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// One record or a few, written by a simple put, through one handle.
    Simple,
    /// Many records, or long values: more than an implementation has room for in one step.
    Size,
    /// Each kind of write: alone or in a batch, of each mode, a put or a delete, with each
    /// expectation, over absent, equal and different bytes.
    Write,
    /// Several handles to the same store, in one process.
    Handle,
    /// A second process.
    Process,
    /// What is left after the store was closed, opened again, or its process killed.
    Time,
    /// Keys, prefixes and names of spaces that stores confuse.
    Name,
    /// Calls that overlap, and futures that are dropped or no longer polled.
    Overlap,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Simple,
        Self::Size,
        Self::Write,
        Self::Handle,
        Self::Process,
        Self::Time,
        Self::Name,
        Self::Overlap,
    ];
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Simple => "simple",
            Self::Size => "size",
            Self::Write => "kind of write",
            Self::Handle => "handle",
            Self::Process => "process",
            Self::Time => "time",
            Self::Name => "name",
            Self::Overlap => "overlap",
        })
    }
}
