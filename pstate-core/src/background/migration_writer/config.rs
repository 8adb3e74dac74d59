//! How migrated documents are written back.

use std::time::Duration;

use crate::engine::{QueueLimits, WriteBackQueue};

/// Without a delay a store that refuses at once would keep a thread of the runtime busy.
const LEAST_RETRY_DELAY: Duration = Duration::from_millis(1);

/// How the documents that reads have migrated are stored.
///
/// A read never waits for it. Migrated documents are queued, one entry for each key, and written in
/// batches: when `batch_size` of them wait, when `flush_interval` has passed since the first came,
/// on [`PState::flush`](crate::PState::flush), and on [`PState::close`](crate::PState::close); see
/// [`FlushTrigger`](crate::FlushTrigger). Every write is a compare-and-swap on the revision that
/// was migrated, so it never overwrites a write that came in between, and never brings back what
/// was deleted; a conflict drops it. When the queue is full, its oldest entry is dropped and
/// counted. Nothing is lost by that: the next read of the store migrates the document again.
///
/// A document that the store refuses is reported and leaves the queue; it takes no other with it.
/// While the store is unavailable, everything stays queued and is tried again after a delay that
/// doubles from time to time. Batches are no larger than the adapter takes, and are made smaller
/// while writes time out.
///
/// | preset | batch size | flush interval | trade-off |
/// |---|---|---|---|
/// | `default()` | 100 | 5 s | |
/// | [`high_throughput`](Self::high_throughput) | 500 | 2 s | fewer transactions, more memory |
/// | [`low_latency`](Self::low_latency) | 50 | 1 s | the store is current sooner, more transactions |
/// | [`memory_constrained`](Self::memory_constrained) | 25 | 500 ms | least memory in the queue |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationWriter {
    pub(super) batch_size: usize,
    pub(super) flush_interval: Duration,
    queue_limit: usize,
    queue_bytes: usize,
    pub(super) retry_delay: Duration,
    pub(super) max_retry_delay: Duration,
    pub(super) close_deadline: Duration,
}

impl Default for MigrationWriter {
    fn default() -> Self {
        Self {
            batch_size: 100,
            flush_interval: Duration::from_secs(5),
            queue_limit: 10_000,
            queue_bytes: 64 << 20,
            retry_delay: Duration::from_millis(100),
            max_retry_delay: Duration::from_secs(10),
            close_deadline: Duration::from_secs(10),
        }
    }
}

impl MigrationWriter {
    /// For many migrations: batches of 500, every 2 s.
    pub fn high_throughput() -> Self {
        Self::default().batch_size(500).flush_interval(Duration::from_secs(2))
    }

    /// For a store that is current soon: batches of 50, every second.
    pub fn low_latency() -> Self {
        Self::default().batch_size(50).flush_interval(Duration::from_secs(1))
    }

    /// For a small queue: batches of 25, every 500 ms, at most 1,000 entries of 4 MiB together.
    pub fn memory_constrained() -> Self {
        Self::default()
            .batch_size(25)
            .flush_interval(Duration::from_millis(500))
            .queue_limit(1_000)
            .queue_bytes(4 << 20)
    }

    /// How many documents are written at once; so many waiting trigger a flush. At least 1.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size.max(1);
        self
    }

    /// How long a document waits at most before it is written.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// How many documents may wait: 10,000 by default, at least 1.
    pub fn queue_limit(mut self, limit: usize) -> Self {
        self.queue_limit = limit.max(1);
        self
    }

    /// How many bytes the waiting documents may have together: 64 MiB by default. A single document
    /// may be longer. Those that are cached as well share their bytes with the cache.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// How long to wait before trying again after the store was unavailable: at first (100 ms by
    /// default), and at most (10 s). It doubles from failure to failure, and each delay is
    /// shortened at random by up to a half, so that many processes do not come back together.
    /// Both are at least 1 ms.
    pub fn retry_delay(mut self, first: Duration, max: Duration) -> Self {
        self.retry_delay = first.max(LEAST_RETRY_DELAY);
        self.max_retry_delay = max.max(LEAST_RETRY_DELAY);
        self
    }

    /// How long [`close`](crate::PState::close) tries to write what is queued: 10 s by default.
    pub fn close_deadline(mut self, deadline: Duration) -> Self {
        self.close_deadline = deadline;
        self
    }

    /// How long a document waits while the store takes everything.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.flush_interval
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.close_deadline
    }

    pub(crate) fn queue(&self) -> WriteBackQueue {
        WriteBackQueue::new(QueueLimits {
            entries: self.queue_limit,
            bytes: self.queue_bytes,
            full: self.full(),
        })
    }

    /// How many waiting documents trigger a flush: no more than the queue holds.
    pub(super) fn full(&self) -> usize {
        self.batch_size.min(self.queue_limit)
    }
}
