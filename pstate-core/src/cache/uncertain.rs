//! Writes that ended without saying whether they will still happen.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::WriteGuard;
use crate::runtime::{Instant, Mutex};

/// How long the keys of such a write stay out of the cache. Longer than any adapter keeps trying.
const UNCERTAIN_WRITE: Duration = Duration::from_secs(60);

/// Such writes, which are settled when they are old enough. Whoever reads from the store looks after
/// them, so no task has to wait.
#[derive(Default)]
pub(crate) struct UncertainWrites {
    /// The oldest first.
    writes: Mutex<VecDeque<(Instant, WriteGuard)>>,
    /// Whether there are any: usually not, and then nobody reads the clock.
    any: AtomicBool,
}

impl UncertainWrites {
    pub(crate) fn add(&self, write: WriteGuard) {
        let mut writes = self.writes.lock();
        writes.push_back((Instant::now() + UNCERTAIN_WRITE, write));
        self.any.store(true, Ordering::Relaxed);
    }

    /// Settles those that cannot happen any more.
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
