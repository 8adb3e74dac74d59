//! One rebuild of the lists at a time.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// Counts rebuilds, and lets one call at a time rebuild. It mends all lists at once.
#[derive(Debug, Default)]
pub(crate) struct Rebuilds {
    turn: Mutex<()>,
    done: AtomicU64,
}

/// The turn to rebuild.
#[derive(Debug)]
pub(crate) struct Rebuild<'a> {
    done: &'a AtomicU64,
    _turn: MutexGuard<'a, ()>,
}

impl Rebuilds {
    /// How many rebuilds have succeeded.
    pub(crate) fn count(&self) -> u64 {
        self.done.load(Ordering::Acquire)
    }

    /// Waits for the turn to rebuild. `None` if another call has rebuilt since there were `seen`
    /// rebuilds.
    pub(crate) async fn begin(&self, seen: u64) -> Option<Rebuild<'_>> {
        let turn = self.turn.lock().await;
        (self.count() == seen).then_some(Rebuild { done: &self.done, _turn: turn })
    }
}

impl Rebuild<'_> {
    pub(crate) fn succeed(self) {
        self.done.fetch_add(1, Ordering::AcqRel);
    }
}
