//! Writes that ended without saying whether they take effect.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::write_guard::WriteGuard;
use crate::runtime::{Instant, Mutex};

/// How long the keys of such a write stay out of the cache: longer than any adapter keeps trying.
const SETTLED_AFTER: Duration = Duration::from_secs(60);

/// Writes of unknown effect, which settle when they are old enough. Loads that ask the store settle
/// them on their way, so no task has to wait.
#[derive(Default)]
pub(crate) struct IndeterminateWrites {
    /// The oldest first.
    writes: Mutex<VecDeque<(Instant, WriteGuard)>>,
    /// Whether there are any: usually not, and then no load reads the clock.
    any: AtomicBool,
}

impl IndeterminateWrites {
    pub(crate) fn add(&self, write: WriteGuard) {
        let mut writes = self.writes.lock();
        writes.push_back((Instant::now() + SETTLED_AFTER, write));
        self.any.store(true, Ordering::Relaxed);
    }

    /// Settles those that cannot take effect any more.
    pub(crate) fn settle_old_ones(&self) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let now = Instant::now();
        let mut writes = self.writes.lock();
        while writes.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, write)) = writes.pop_front() {
                write.settle([]);
            }
        }
        self.any.store(!writes.is_empty(), Ordering::Relaxed);
    }
}
