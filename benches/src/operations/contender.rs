//! Who does the work.

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// PState.
    PState,
    /// The backend's own crate, by the keys that PState uses.
    Baseline,
    /// The backend's own crate, with an index of parents.
    Index,
    /// PState without the step that is measured: it migrates nothing, or queues nothing.
    Plain,
    /// The cache crate alone.
    Cache,
}
