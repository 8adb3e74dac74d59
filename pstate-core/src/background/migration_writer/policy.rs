//! When to flush, and how much at once.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::config::MigrationWriter;
use crate::model::{Error, ErrorKind};
use crate::runtime::{Instant, backoff};
use crate::storage::Capabilities;
use crate::telemetry::FlushTrigger;

/// Decides when to flush. Knows nothing of queues and stores: its caller says what happens, and
/// when.
#[derive(Debug)]
pub(super) struct FlushPolicy {
    config: MigrationWriter,
    /// The largest group: no larger than the adapter takes.
    largest: usize,
    /// How many documents go into one write now.
    group: usize,
    /// When to flush next, if something is queued.
    due: Option<Instant>,
    /// Flushes in a row that found the store unavailable.
    failures: u32,
}

impl FlushPolicy {
    pub(super) fn new(config: MigrationWriter, capabilities: &Capabilities) -> Self {
        let most = capabilities.max_batch.map_or(usize::MAX, NonZeroUsize::get);
        let largest = config.batch_size.min(most);
        Self { config, largest, group: largest, due: None, failures: 0 }
    }

    /// What to do while so many documents wait: flush now, or look again when it is
    /// [`due`](Self::due).
    pub(super) fn look(&mut self, waiting: usize, now: Instant) -> Option<FlushTrigger> {
        if waiting == 0 {
            self.due = None;
            return None;
        }
        if self.failures == 0 && waiting >= self.config.full() {
            return Some(FlushTrigger::Size);
        }
        if self.due.is_none() {
            self.due = after(now, self.config.flush_interval);
        }
        self.due.filter(|due| *due <= now).map(|_| FlushTrigger::Interval)
    }

    /// When to flush if nothing else happens; `None`: not at all.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// How many documents go into one write.
    pub(super) fn group(&self) -> usize {
        self.group
    }

    /// A write of a whole group was answered. Groups that take too long are made smaller, and grow
    /// again while all goes well.
    pub(super) fn answered(&mut self, unavailable: Option<&Error>) {
        self.group = match unavailable {
            None => self.group.saturating_mul(2).min(self.largest),
            Some(error) if error.kind() == ErrorKind::Timeout => (self.group / 2).max(1),
            Some(_) => self.group,
        };
    }

    /// A flush has ended. After one that found the store unavailable the next comes after
    /// a delay that doubles from failure to failure.
    pub(super) fn flushed(&mut self, unavailable: bool, now: Instant) {
        if unavailable {
            let MigrationWriter { retry_delay, max_retry_delay, .. } = self.config;
            self.due = after(now, backoff(retry_delay, max_retry_delay, self.failures));
            self.failures = self.failures.saturating_add(1);
        } else {
            self.due = None;
            self.failures = 0;
        }
    }
}

/// A time beyond the end of time is none.
pub(super) fn after(now: Instant, delay: Duration) -> Option<Instant> {
    now.checked_add(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Atomicity, Durability};

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(config: MigrationWriter) -> FlushPolicy {
        FlushPolicy::new(config, &capabilities())
    }

    fn capabilities() -> Capabilities {
        Capabilities::new(Atomicity::Batch, Durability::None)
    }

    #[test]
    fn a_full_batch_is_flushed_at_once_and_less_after_the_interval() {
        let mut policy = policy(MigrationWriter::default());
        let now = Instant::now();
        assert_eq!(policy.look(100, now), Some(FlushTrigger::Size));
        assert_eq!(policy.look(99, now), None);
        assert_eq!(policy.due(), Some(now + 5 * SECOND));
        assert_eq!(policy.look(99, now + 4 * SECOND), None);
        assert_eq!(policy.look(99, now + 5 * SECOND), Some(FlushTrigger::Interval));
        policy.flushed(false, now + 6 * SECOND);
        assert_eq!(policy.look(0, now + 6 * SECOND), None);
        assert_eq!(policy.due(), None);
    }

    #[test]
    fn a_queue_that_holds_less_than_a_batch_is_flushed_when_it_is_full() {
        let mut policy = policy(MigrationWriter::default().queue_limit(10));
        assert_eq!(policy.look(10, Instant::now()), Some(FlushTrigger::Size));
    }

    #[test]
    fn after_failures_it_waits_longer_and_longer_even_if_much_is_queued() {
        let mut policy = policy(MigrationWriter::default());
        let now = Instant::now();
        let mut longest = Duration::ZERO;
        for failed in 0..20 {
            policy.flushed(true, now);
            assert_eq!(policy.look(1_000, now), None);
            let delay = policy.due().unwrap() - now;
            let full = (SECOND / 10).saturating_mul(1 << failed.min(10)).min(10 * SECOND);
            assert!(delay >= full / 2 && delay <= full, "{failed}: {delay:?}");
            longest = longest.max(delay);
            assert_eq!(policy.look(1_000, now + delay), Some(FlushTrigger::Interval));
        }
        assert!(longest >= 5 * SECOND);
        policy.flushed(false, now);
        assert_eq!(policy.look(1_000, now), Some(FlushTrigger::Size));
    }

    #[test]
    fn groups_fit_the_adapter_and_shrink_while_writes_take_too_long() {
        let capabilities = capabilities().max_batch(NonZeroUsize::new(40).unwrap());
        let mut policy = FlushPolicy::new(MigrationWriter::default(), &capabilities);
        assert_eq!(policy.group(), 40);
        let late = Error::new(ErrorKind::Timeout, "late");
        for group in [20, 10, 5, 2, 1, 1] {
            policy.answered(Some(&late));
            assert_eq!(policy.group(), group);
        }
        policy.answered(Some(&Error::new(ErrorKind::Unavailable, "gone")));
        assert_eq!(policy.group(), 1);
        for group in [2, 4, 8, 16, 32, 40, 40] {
            policy.answered(None);
            assert_eq!(policy.group(), group);
        }
    }

    #[test]
    fn an_interval_without_end_is_never_due() {
        let mut policy = policy(MigrationWriter::default().flush_interval(Duration::MAX));
        assert_eq!(policy.look(1, Instant::now()), None);
        assert_eq!(policy.due(), None);
    }
}
