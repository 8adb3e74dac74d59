//! What a handle counts, and the snapshot of it.

use std::time::Duration;

use super::write_back_queue::WriteBackQueue;
use crate::cache::{Cache, TypeCounters};
use crate::telemetry::{
    CacheStats, Counter, FlushReport, FlushTrigger, PreloadStats, Stats, SweepStats, Telemetry,
    WriteBackStats,
};

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

impl Counters {
    /// How many calls the store has had of reads and writes.
    pub(crate) fn calls(&self) -> u64 {
        self.reads.get() + self.writes.get()
    }

    /// What was counted so far, here and by the parts of a handle that count by themselves.
    pub(super) fn snapshot(
        &self,
        cache: &Cache,
        queue: &WriteBackQueue,
        telemetry: &Telemetry,
    ) -> Stats {
        let mut stats = Stats {
            reads: self.reads.get(),
            keys_read: self.keys_read.get(),
            writes: self.writes.get(),
            cache_bytes: cache.bytes(),
            cache_entries: cache.len(),
            write_back: self.flushes.snapshot(queue),
            preloads: self.preloads.snapshot(),
            sweeps: self.sweeps.snapshot(),
            observer_panics: telemetry.panics(),
            ..Stats::default()
        };
        for (operation, count) in telemetry.slow_operations().filter(|(_, count)| *count > 0) {
            stats.slow_operations += count;
            stats.slow_by_operation.insert(operation, count);
        }
        cache.counters().for_each(|name, counters| add_type(&mut stats, name, counters));
        stats
    }
}

fn add_type(stats: &mut Stats, name: &str, counters: &TypeCounters) {
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
    let (migrated, failed) = (counters.migrations(), counters.failed_migrations());
    stats.migrations += migrated;
    stats.failed_migrations += failed;
    if migrated > 0 {
        stats.migrations_by_type.insert(name.to_owned(), migrated);
    }
    if failed > 0 {
        stats.failed_migrations_by_type.insert(name.to_owned(), failed);
    }
}
