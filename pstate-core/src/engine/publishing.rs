//! Copying what is counted to where others read it.

use std::sync::Arc;
use std::time::Duration;

use crate::schema::Schema;
use crate::telemetry::{Observer, Stats};

/// Copies what a handle counts.
pub(crate) trait Publish: Send + Sync {
    /// Copies what is new since the last time. Concurrent calls are made one after the other, and
    /// each counts when it is its turn.
    fn publish(&self, count: &dyn Fn() -> Stats);

    /// The handle is gone: copies what is new, and takes back what describes its state.
    fn withdraw(&self, last: Stats);
}

/// Makes a publisher for this schema and the adapter of this name, and an observer for what is not
/// counted.
pub(crate) type Register =
    fn(Option<&Schema>, &'static str) -> (Box<dyn Publish>, Arc<dyn Observer>);

/// How something is published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publishing {
    pub(crate) interval: Duration,
    pub(crate) register: Register,
}
