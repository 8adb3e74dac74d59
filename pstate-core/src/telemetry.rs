//! What a handle does, told to those who want to know.
//!
//! Everything that happens is an [`Event`]; [observers](Observer) get each of them, after it has happened and
//! outside of all locks. What takes too long is warned of by [`tracing`], seldom enough to be read. With no
//! observer a read of the cache is as fast as without all this: it neither counts more nor reads a clock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::key::KeyRef;
use crate::runtime::Instant;
use crate::space::Space;
use crate::stats::Counter;

mod changed_fields;
mod event;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
mod observed_adapter;
mod observer;
mod operation;
mod publish;
mod span;
mod thresholds;
mod warnings;

pub use changed_fields::ChangedFields;
pub use event::{CacheChange, Event};
pub(crate) use observed_adapter::ObservedAdapter;
pub use observer::{CacheReads, Observer};
pub use operation::Operation;
pub(crate) use publish::{Publish, Publishing};
pub(crate) use span::{operation_span, within};
pub use thresholds::Thresholds;
use warnings::Warning;

/// How many reads of the cache there are for one that is timed, by default.
pub(crate) const CACHE_READS_FOR_ONE_TIMED: u32 = 64;

/// Whoever is told what a handle does, and what is worth a warning.
pub(crate) struct Telemetry {
    observers: Box<[Arc<dyn Observer>]>,
    /// What they want of reads of the cache, in their order.
    cache_reads: Box<[CacheReads]>,
    /// One in so many of those is timed.
    timed: u32,
    thresholds: Thresholds,
    slow_operation: Warning,
    long_queue: Warning,
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
    ) -> Arc<Self> {
        let cache_reads = observers.iter().map(|observer| observer.cache_reads()).collect();
        Arc::new(Self {
            observers: observers.into(),
            cache_reads,
            timed: timed.max(1),
            thresholds,
            slow_operation: Warning::default(),
            long_queue: Warning::default(),
            slow_flush: Warning::default(),
            panics: Warning::default(),
            slow: [const { Counter::new() }; Operation::ALL.len()],
            panicked: Counter::new(),
        })
    }

    /// Whether there is anybody to tell.
    #[inline]
    pub(crate) fn is_observed(&self) -> bool {
        !self.observers.is_empty()
    }

    /// Tells everybody.
    pub(crate) fn emit(&self, event: &Event<'_>) {
        self.observers.iter().for_each(|observer| self.tell(observer, event));
    }

    /// Tells those who want each read of the cache.
    fn emit_cache_read(&self, event: &Event<'_>, timed: bool) {
        for (observer, wanted) in self.observers.iter().zip(&self.cache_reads) {
            if timed || *wanted == CacheReads::Each {
                self.tell(observer, event);
            }
        }
    }

    /// What an observer does wrong must not change what becomes of documents.
    fn tell(&self, observer: &Arc<dyn Observer>, event: &Event<'_>) {
        if catch_unwind(AssertUnwindSafe(|| observer.on_event(event))).is_err() {
            self.panicked.add(1);
            if let Some(suppressed) = self.panics.may_be_told(self.thresholds.repeat) {
                tracing::error!(?event, suppressed, "an observer panicked");
            }
        }
    }

    /// Something happened to the cache that is no hit.
    pub(crate) fn cache_changed(&self, space: &Space, key: KeyRef<'_>, change: CacheChange) {
        if self.is_observed() {
            self.emit(&Event::Cache { space, key, change });
        }
    }

    /// Something was found in the cache.
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

    /// Whether somebody wants to know of each read of the cache.
    #[inline]
    pub(crate) fn tells_each_cache_read(&self) -> bool {
        self.cache_reads.contains(&CacheReads::Each)
    }

    /// Tells of a document that was read.
    pub(crate) fn fetched(&self, fetch: &Event<'_>) {
        match fetch {
            Event::Fetch { from_cache: true, duration, .. } => {
                self.emit_cache_read(fetch, duration.is_some());
            }
            fetch => self.emit(fetch),
        }
    }

    /// When something begins that takes longer than a read of the cache, if anybody wants to know.
    pub(crate) fn begin(&self) -> Option<Instant> {
        let wanted = self.is_observed() || self.thresholds.slow_operation != Duration::MAX;
        wanted.then(Instant::now)
    }

    /// How long an operation took on these keys, of which one may be named; warns if that was long.
    pub(crate) fn end(
        &self,
        operation: Operation,
        (space, key, keys): (&Space, Option<KeyRef<'_>>, usize),
        started: Option<Instant>,
    ) -> Duration {
        let duration = started.map_or(Duration::ZERO, |started| started.elapsed());
        if duration > self.thresholds.slow_operation {
            self.slow[operation as usize].add(1);
            self.emit(&Event::SlowOperation { operation, space, key, keys, duration });
            if let Some(suppressed) = self.slow_operation.may_be_told(self.thresholds.repeat) {
                let key = key.map(tracing::field::display);
                let operation = operation.as_str();
                tracing::warn!(operation, %space, key, keys, ?duration, suppressed, "slow operation");
            }
        }
        duration
    }

    /// So many documents wait to be written back now.
    pub(crate) fn queued(&self, size: usize) {
        if self.is_observed() {
            self.emit(&Event::Queue { size });
        }
        if size > self.thresholds.long_queue
            && let Some(suppressed) = self.long_queue.may_be_told(self.thresholds.repeat)
        {
            tracing::warn!(size, suppressed, "many documents wait to be written back");
        }
    }

    /// A flush has found something to write, and has ended.
    pub(crate) fn flushed(&self, flush: &Event<'_>) {
        self.emit(flush);
        if let Event::Flush { trigger, count, duration, .. } = flush
            && *duration > self.thresholds.slow_flush
            && let Some(suppressed) = self.slow_flush.may_be_told(self.thresholds.repeat)
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

/// The name of an error for telemetry, if there is one.
pub(crate) fn error_type(error: Option<&Error>) -> Option<&'static str> {
    error.map(|error| error.kind().as_str())
}
