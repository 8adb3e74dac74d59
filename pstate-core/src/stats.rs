//! What a handle has done so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::cache::TypeCounters;
use crate::engine::Engine;
use crate::flush::{FlushReport, FlushTrigger};
use crate::telemetry::Operation;
use crate::write_back::WriteBackQueue;

/// A snapshot of what a handle, its clones and siblings have done since it was built.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls of the adapter that read by key: the round trips.
    pub reads: u64,
    /// Keys asked for in those.
    pub keys_read: u64,
    /// Calls of the adapter that wrote, write-backs included.
    pub writes: u64,
    /// Documents brought up to date by a read.
    pub migrations: u64,
    /// The same by entity type; none that has no such document.
    pub migrations_by_type: BTreeMap<String, u64>,
    /// Documents that a read could not bring to the schema's version, or that the schema refuses.
    pub failed_migrations: u64,
    /// The same by entity type.
    pub failed_migrations_by_type: BTreeMap<String, u64>,
    /// The cache, all entity types together.
    pub cache: CacheStats,
    /// The cache by entity type.
    pub by_type: BTreeMap<String, CacheStats>,
    /// Bytes that the cached documents take, their trees and typed values included.
    pub cache_bytes: u64,
    /// Documents, and known absences, in the cache.
    pub cache_entries: usize,
    /// The queue of migrated documents and its writer.
    pub write_back: WriteBackStats,
    /// Graphs that were loaded.
    pub preloads: PreloadStats,
    /// Sweeps of this handle.
    pub sweeps: SweepStats,
    /// Operations that took longer than [`Thresholds::slow_operation`](crate::Thresholds::slow_operation).
    pub slow_operations: u64,
    /// The same by operation; none that was never slow.
    pub slow_by_operation: BTreeMap<Operation, u64>,
    /// How often an [`Observer`](crate::Observer) panicked.
    pub observer_panics: u64,
}

impl Stats {
    /// The share of reads that the cache served, of all entity types; see [`CacheStats::hit_rate`].
    pub fn hit_rate(&self) -> Option<f64> {
        self.cache.hit_rate()
    }
}

/// What preloads did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreloadStats {
    /// How many there were.
    pub count: u64,
    /// Keys that they asked for, in the cache or the store.
    pub keys: u64,
    /// Calls of the adapter that they took.
    pub round_trips: u64,
}

/// What sweeps did since the handle was built, and not what earlier parts of them have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepStats {
    /// Documents looked at.
    pub done: u64,
    /// Documents migrated and stored.
    pub stored: u64,
    /// Documents that somebody else wrote between reading and storing.
    pub conflicts: u64,
    /// Documents that could not be read, migrated or stored.
    pub failed: u64,
}

/// What a cache counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Documents that were served from the cache.
    pub hits: u64,
    /// Documents that were not in the cache.
    pub misses: u64,
    /// Documents, and absences, that were put into it.
    pub inserts: u64,
    /// Those that had to leave for lack of room.
    pub evictions: u64,
    /// Those that had to leave because they were written.
    pub invalidations: u64,
}

impl CacheStats {
    /// The share of reads that the cache served, from 0 to 1; `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }
}

/// What the migration writer did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteBackStats {
    /// Documents waiting to be written back.
    pub queued: usize,
    /// Documents written back.
    pub stored: u64,
    /// Documents not written back because somebody else had written them meanwhile.
    pub conflicts: u64,
    /// Documents that the store refused.
    pub failed: u64,
    /// Documents that left a full queue unwritten, or came when the handle was being closed. The next
    /// read of the store queues them again.
    pub dropped: u64,
    /// Flushes that found something to write.
    pub flushes: u64,
    /// Those because a batch was full.
    pub flushes_by_size: u64,
    /// Those because the interval had passed.
    pub flushes_by_interval: u64,
    /// Those that were asked for.
    pub flushes_by_hand: u64,
    /// Those at the end of a handle.
    pub flushes_by_close: u64,
    /// How long the last of them took.
    pub last_flush: Duration,
    /// How long the longest of them took.
    pub longest_flush: Duration,
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) reads: Counter,
    pub(crate) keys_read: Counter,
    pub(crate) writes: Counter,
    pub(crate) flushes: FlushCounters,
    pub(crate) preloads: PreloadCounters,
    pub(crate) sweeps: SweepCounters,
}

/// What preloads did.
#[derive(Debug, Default)]
pub(crate) struct PreloadCounters {
    count: Counter,
    keys: Counter,
    round_trips: Counter,
}

impl PreloadCounters {
    pub(crate) fn record(&self, keys: usize, round_trips: usize) {
        self.count.add(1);
        self.keys.add(keys);
        self.round_trips.add(round_trips);
    }

    fn snapshot(&self) -> PreloadStats {
        let [count, keys, round_trips] =
            [&self.count, &self.keys, &self.round_trips].map(Counter::get);
        PreloadStats { count, keys, round_trips }
    }
}

/// What sweeps did.
#[derive(Debug, Default)]
pub(crate) struct SweepCounters {
    done: Counter,
    stored: Counter,
    conflicts: Counter,
    failed: Counter,
}

impl SweepCounters {
    pub(crate) fn record(&self, page: SweepStats) {
        self.done.add_long(page.done);
        self.stored.add_long(page.stored);
        self.conflicts.add_long(page.conflicts);
        self.failed.add_long(page.failed);
    }

    fn snapshot(&self) -> SweepStats {
        let [done, stored, conflicts, failed] =
            [&self.done, &self.stored, &self.conflicts, &self.failed].map(Counter::get);
        SweepStats { done, stored, conflicts, failed }
    }
}

/// What flushes did.
#[derive(Debug, Default)]
pub(crate) struct FlushCounters {
    stored: Counter,
    conflicts: Counter,
    failed: Counter,
    by_size: Counter,
    by_interval: Counter,
    by_hand: Counter,
    by_close: Counter,
    last_micros: Counter,
    longest_micros: Counter,
}

impl FlushCounters {
    /// Counts a flush that found something to write.
    pub(crate) fn record(&self, report: &FlushReport) {
        self.stored.add(report.stored);
        self.conflicts.add(report.conflicts);
        self.failed.add(report.failed);
        let counter = match report.trigger {
            FlushTrigger::Size => &self.by_size,
            FlushTrigger::Interval => &self.by_interval,
            FlushTrigger::Manual => &self.by_hand,
            FlushTrigger::Close => &self.by_close,
        };
        counter.add(1);
        let micros = u64::try_from(report.duration.as_micros()).unwrap_or(u64::MAX);
        self.last_micros.set(micros);
        self.longest_micros.raise(micros);
    }

    fn snapshot(&self, queue: &WriteBackQueue) -> WriteBackStats {
        let [by_size, by_interval, by_hand, by_close] =
            [&self.by_size, &self.by_interval, &self.by_hand, &self.by_close].map(Counter::get);
        WriteBackStats {
            queued: queue.len(),
            stored: self.stored.get(),
            conflicts: self.conflicts.get(),
            failed: self.failed.get(),
            dropped: queue.dropped(),
            flushes: by_size + by_interval + by_hand + by_close,
            flushes_by_size: by_size,
            flushes_by_interval: by_interval,
            flushes_by_hand: by_hand,
            flushes_by_close: by_close,
            last_flush: Duration::from_micros(self.last_micros.get()),
            longest_flush: Duration::from_micros(self.longest_micros.get()),
        }
    }
}

/// A number that tasks change without waiting for each other.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, count: usize) {
        self.add_long(count as u64);
    }

    pub(crate) fn add_long(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(crate) fn raise(&self, value: u64) {
        self.0.fetch_max(value, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Engine {
    pub(crate) fn stats(&self) -> Stats {
        let Self { cache, queue, counters, telemetry, .. } = self;
        let mut stats = Stats {
            reads: counters.reads.get(),
            keys_read: counters.keys_read.get(),
            writes: counters.writes.get(),
            cache_bytes: cache.bytes(),
            cache_entries: cache.len(),
            write_back: counters.flushes.snapshot(queue),
            preloads: counters.preloads.snapshot(),
            sweeps: counters.sweeps.snapshot(),
            observer_panics: telemetry.panics(),
            ..Stats::default()
        };
        for (operation, count) in telemetry.slow_operations().filter(|(_, count)| *count > 0) {
            stats.slow_operations += count;
            stats.slow_by_operation.insert(operation, count);
        }
        cache.counters().for_each(|name, counters| stats.add_type(name, counters));
        stats
    }

    /// Publishes what was counted since the last time.
    pub(crate) fn publish(&self) {
        if let Some(publisher) = &self.publisher {
            publisher.publish(&|| self.stats());
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(publisher) = &self.publisher {
            publisher.withdraw(self.stats());
        }
    }
}

impl Stats {
    fn add_type(&mut self, name: &str, counters: &TypeCounters) {
        let of_type = CacheStats {
            hits: counters.hits(),
            misses: counters.misses(),
            inserts: counters.inserts(),
            evictions: counters.evictions(),
            invalidations: counters.invalidations(),
        };
        self.cache.hits += of_type.hits;
        self.cache.misses += of_type.misses;
        self.cache.inserts += of_type.inserts;
        self.cache.evictions += of_type.evictions;
        self.cache.invalidations += of_type.invalidations;
        self.by_type.insert(name.to_owned(), of_type);
        let (migrated, failed) = (counters.migrations(), counters.failed_migrations());
        self.migrations += migrated;
        self.failed_migrations += failed;
        if migrated > 0 {
            self.migrations_by_type.insert(name.to_owned(), migrated);
        }
        if failed > 0 {
            self.failed_migrations_by_type.insert(name.to_owned(), failed);
        }
    }
}
