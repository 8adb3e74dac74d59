//! What a handle has done so far.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::cache::Cache;
use crate::flush::{FlushReport, FlushTrigger};
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
    /// Documents that a read could not bring to the schema's version, or that the schema refuses.
    pub failed_migrations: u64,
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
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) reads: Counter,
    pub(crate) keys_read: Counter,
    pub(crate) writes: Counter,
    pub(crate) migrations: Counter,
    pub(crate) failed_migrations: Counter,
    pub(crate) flushes: FlushCounters,
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
        self.last_micros.set(u64::try_from(report.duration.as_micros()).unwrap_or(u64::MAX));
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
        }
    }
}

/// A number that tasks change without waiting for each other.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Counters {
    pub(crate) fn snapshot(&self, cache: &Cache, queue: &WriteBackQueue) -> Stats {
        let mut stats = Stats {
            reads: self.reads.get(),
            keys_read: self.keys_read.get(),
            writes: self.writes.get(),
            migrations: self.migrations.get(),
            failed_migrations: self.failed_migrations.get(),
            cache_bytes: cache.bytes(),
            cache_entries: cache.len(),
            write_back: self.flushes.snapshot(queue),
            ..Stats::default()
        };
        cache.counters().for_each(|name, counters| {
            let of_type = CacheStats {
                hits: counters.hits(),
                misses: counters.misses(),
                inserts: counters.inserts(),
                evictions: counters.evictions(),
                invalidations: counters.invalidations(),
            };
            stats.cache.hits += of_type.hits;
            stats.cache.misses += of_type.misses;
            stats.cache.inserts += of_type.inserts;
            stats.cache.evictions += of_type.evictions;
            stats.cache.invalidations += of_type.invalidations;
            stats.by_type.insert(name.to_owned(), of_type);
        });
        stats
    }
}
