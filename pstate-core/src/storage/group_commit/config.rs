//! The bounds of a group, and when maintenance runs.

use std::time::Duration;

/// How a [`GroupWriter`](crate::GroupWriter) forms groups.
///
/// ```
/// use std::time::Duration;
///
/// use pstate_core::GroupConfig;
///
/// let config = GroupConfig::default().maintenance_interval(Some(Duration::from_secs(300)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupConfig {
    pub(super) max_batches: usize,
    pub(super) max_bytes: usize,
    pub(super) maintenance_interval: Option<Duration>,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self { max_batches: 256, max_bytes: 8 << 20, maintenance_interval: None }
    }
}

impl GroupConfig {
    /// The largest number of batches in a group. Default: 256.
    pub fn max_batches(mut self, batches: usize) -> Self {
        self.max_batches = batches;
        self
    }

    /// How many bytes of values close a group; its last batch may exceed them. Default: 8 MiB.
    ///
    /// It bounds how long the first batch of a group waits for the others.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How often [`maintain`](crate::GroupCommit::maintain) runs, counted from its last end.
    /// Default: `None`, never.
    pub fn maintenance_interval(mut self, interval: Option<Duration>) -> Self {
        self.maintenance_interval = interval;
        self
    }
}
