//! Emits events to observers, and warns of what is slow.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::counter::Counter;
use super::event::{CacheChange, Event};
use super::observer::{CacheReads, Observer};
use super::operation::Operation;
use super::thresholds::Thresholds;
use super::warnings::Warning;
use crate::model::{KeyRef, Space};
use crate::runtime::{Instant, Mutex};

/// How many reads of the cache there are for one that is timed, by default.
pub(crate) const CACHE_READS_FOR_ONE_TIMED: u32 = 64;

/// The observers of a handle, and its warnings.
pub(crate) struct Telemetry {
    observers: Box<[Arc<dyn Observer>]>,
    /// What they want of reads of the cache, in their order.
    cache_reads: Box<[CacheReads]>,
    /// One of this many of those is timed.
    timed: u32,
    thresholds: Thresholds,
    slow_operation: Warning,
    long_queue: Warning,
    /// Since when the queue has been too long, and how long it may be.
    long_since: Mutex<Option<Instant>>,
    queue_patience: Duration,
    slow_flush: Warning,
    panics: Warning,
    slow: [Counter; Operation::ALL.len()],
    panicked: Counter,
}

impl Telemetry {
    pub(crate) fn new(
        observers: Vec<Arc<dyn Observer>>,
        timed: u32,
        thresholds: Thresholds,
        queue_patience: Duration,
    ) -> Arc<Self> {
        let cache_reads = observers.iter().map(|observer| observer.cache_reads()).collect();
        Arc::new(Self {
            observers: observers.into(),
            cache_reads,
            timed: timed.max(1),
            thresholds,
            slow_operation: Warning::default(),
            long_queue: Warning::default(),
            long_since: Mutex::default(),
            queue_patience,
            slow_flush: Warning::default(),
            panics: Warning::default(),
            slow: [const { Counter::new() }; Operation::ALL.len()],
            panicked: Counter::new(),
        })
    }

    /// Whether there is an observer.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        !self.observers.is_empty()
    }

    /// Emits an event to every observer.
    pub(crate) fn emit(&self, event: &Event<'_>) {
        self.observers.iter().for_each(|observer| self.notify(observer, event));
    }

    /// Emits a read of the cache to the observers that want each of them; a timed one to all.
    fn emit_cache_read(&self, event: &Event<'_>, timed: bool) {
        for (observer, wanted) in self.observers.iter().zip(&self.cache_reads) {
            if timed || *wanted == CacheReads::Each {
                self.notify(observer, event);
            }
        }
    }

    /// A panic of an observer is caught: what was being done continues.
    fn notify(&self, observer: &Arc<dyn Observer>, event: &Event<'_>) {
        if catch_unwind(AssertUnwindSafe(|| observer.on_event(event))).is_err() {
            self.panicked.add(1);
            if let Some(suppressed) = self.panics.should_log(self.thresholds.repeat) {
                tracing::error!(?event, suppressed, "an observer panicked");
            }
        }
    }

    /// Emits a change of the cache that is not a hit.
    pub(crate) fn cache_changed(&self, space: &Space, key: KeyRef<'_>, change: CacheChange) {
        if self.is_observed() {
            self.emit(&Event::Cache { space, key, change });
        }
    }

    /// Emits a hit.
    pub(crate) fn cache_hit(&self, space: &Space, key: KeyRef<'_>) {
        if self.is_observed() {
            self.emit_cache_read(&Event::Cache { space, key, change: CacheChange::Hit }, false);
        }
    }

    /// Whether a read of the cache is one of those that are timed.
    #[inline]
    pub(crate) fn times_cache_read(&self) -> bool {
        // By chance, so that no pattern of reads is always or never seen.
        self.timed == 1 || fastrand::u32(..self.timed) == 0
    }

    /// Whether an observer wants each read of the cache.
    #[inline]
    pub(crate) fn observes_each_cache_read(&self) -> bool {
        self.cache_reads.contains(&CacheReads::Each)
    }

    /// Emits the read of a document.
    pub(crate) fn fetched(&self, fetch: &Event<'_>) {
        match fetch {
            Event::Fetch { from_cache: true, duration, .. } => {
                self.emit_cache_read(fetch, duration.is_some());
            }
            fetch => self.emit(fetch),
        }
    }

    /// Starts the clock of an operation, if an observer or a warning needs it.
    pub(super) fn start(&self) -> Option<Instant> {
        let wanted = self.is_observed() || self.thresholds.slow_operation != Duration::MAX;
        wanted.then(Instant::now)
    }

    /// How long an operation took on so many keys, of which one may be named; warns if that was
    /// long.
    pub(super) fn end(
        &self,
        operation: Operation,
        (space, key, keys): (&Space, Option<KeyRef<'_>>, usize),
        started: Option<Instant>,
    ) -> Duration {
        let duration = started.map_or(Duration::ZERO, |started| started.elapsed());
        if duration > self.thresholds.slow_operation {
            self.slow[operation as usize].add(1);
            self.emit(&Event::SlowOperation { operation, space, key, keys, duration });
            if let Some(suppressed) = self.slow_operation.should_log(self.thresholds.repeat) {
                let key = key.map(tracing::field::display);
                let operation = operation.as_str();
                tracing::warn!(operation, %space, key, keys, ?duration, suppressed, "slow operation");
            }
        }
        duration
    }

    /// Emits how many documents wait to be written back, and warns of a queue that stays long: each
    /// first read of many old documents makes a long one.
    pub(crate) fn queued(&self, size: usize, in_hand: usize) {
        if self.is_observed() {
            self.emit(&Event::Queue { size });
        }
        // Those in hand may come back.
        let size = size + in_hand;
        if self.stays_long(size)
            && let Some(suppressed) = self.long_queue.should_log(self.thresholds.repeat)
        {
            tracing::warn!(size, suppressed, "many documents wait to be written back");
        }
    }

    fn stays_long(&self, size: usize) -> bool {
        let mut long_since = self.long_since.lock();
        if size <= self.thresholds.long_queue {
            *long_since = None;
            return false;
        }
        long_since.get_or_insert_with(Instant::now).elapsed() > self.queue_patience
    }

    /// Emits a flush that found something to write, and warns if it was slow.
    pub(crate) fn flushed(&self, flush: &Event<'_>) {
        self.emit(flush);
        if let Event::Flush { trigger, count, duration, .. } = flush
            && *duration > self.thresholds.slow_flush
            && let Some(suppressed) = self.slow_flush.should_log(self.thresholds.repeat)
        {
            let trigger = trigger.as_str();
            tracing::warn!(trigger, count, ?duration, suppressed, "slow flush");
        }
    }

    /// How often each operation was slow.
    pub(crate) fn slow_operations(&self) -> impl Iterator<Item = (Operation, u64)> {
        Operation::ALL.into_iter().zip(self.slow.iter().map(Counter::get))
    }

    /// How often an observer panicked.
    pub(crate) fn panics(&self) -> u64 {
        self.panicked.get()
    }
}
