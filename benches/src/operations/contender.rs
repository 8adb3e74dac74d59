//! Who does the work.

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// PState.
    PState,
    /// The backend's own crate, and `serde_json` to parse what it reads.
    Baseline,
    /// The backend's own crate alone: what it reads stays text.
    Raw,
    /// PState without the step that is measured: it migrates nothing, or queues nothing.
    Plain,
    /// The cache crate alone.
    Cache,
}
