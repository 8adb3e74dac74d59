//! What is copied from the handle's own counters.

use metrics::{Counter, Gauge, Label, counter, gauge};

use super::catalogue::{
    CACHE_ENTRIES, CACHE_EVICTIONS, CACHE_INSERTS, CACHE_INVALIDATIONS, CACHE_LOOKUPS, CACHE_SIZE,
    MIGRATIONS, OBSERVER_PANICS, PRELOAD_KEYS, PRELOAD_ROUND_TRIPS, QUEUE_SIZE, SLOW_OPERATIONS,
    SWEPT, WRITTEN_BACK,
};
use crate::telemetry::{CacheStats, Operation, Stats};

/// How a number is found in a snapshot.
type Number = fn(&Stats) -> u64;

/// A counter: its metric, label and value, and its number.
struct Counted(&'static str, Option<(&'static str, &'static str)>, Number);

const COUNTERS: [Counted; 11] = [
    Counted(PRELOAD_KEYS, None, |stats| stats.preloads.keys),
    Counted(PRELOAD_ROUND_TRIPS, None, |stats| stats.preloads.round_trips),
    Counted(WRITTEN_BACK, Some(("outcome", "stored")), |stats| stats.write_back.stored),
    Counted(WRITTEN_BACK, Some(("outcome", "conflict")), |stats| stats.write_back.conflicts),
    Counted(WRITTEN_BACK, Some(("outcome", "failed")), |stats| stats.write_back.failed),
    Counted(WRITTEN_BACK, Some(("outcome", "dropped")), |stats| stats.write_back.dropped),
    Counted(SWEPT, Some(("outcome", "stored")), |stats| stats.sweeps.stored),
    Counted(SWEPT, Some(("outcome", "conflict")), |stats| stats.sweeps.conflicts),
    Counted(SWEPT, Some(("outcome", "failed")), |stats| stats.sweeps.failed),
    Counted(SWEPT, Some(("outcome", "unchanged")), |stats| {
        let swept = &stats.sweeps;
        swept.done.saturating_sub(swept.stored + swept.conflicts + swept.failed)
    }),
    Counted(OBSERVER_PANICS, None, |stats| stats.observer_panics),
];

const GAUGES: [(&str, Number); 3] = [
    (CACHE_SIZE, |stats| stats.cache_bytes),
    (CACHE_ENTRIES, |stats| stats.cache_entries as u64),
    (QUEUE_SIZE, |stats| stats.write_back.queued as u64),
];

/// Counters and gauges of all entity types together.
pub(super) struct Counts {
    counters: Vec<(Counter, Number)>,
    gauges: Vec<(Gauge, Number)>,
    slow: Vec<(Operation, Counter)>,
}

impl Counts {
    pub(super) fn register() -> Self {
        let counters = COUNTERS.iter().map(|Counted(name, label, number)| {
            let labels: Vec<Label> =
                label.iter().map(|(name, value)| Label::from_static_parts(name, value)).collect();
            (counter!(*name, labels), *number)
        });
        let gauges = GAUGES.iter().map(|(name, number)| (gauge!(*name), *number));
        let slow = Operation::ALL.into_iter().map(|operation| {
            let counter = counter!(SLOW_OPERATIONS, "operation" => operation.as_str());
            (operation, counter)
        });
        Self { counters: counters.collect(), gauges: gauges.collect(), slow: slow.collect() }
    }

    /// Adds what is new, so that several handles add up.
    pub(super) fn publish(&self, before: &Stats, now: &Stats) {
        for (counter, number) in &self.counters {
            grow(counter, number(before), number(now));
        }
        for (operation, counter) in &self.slow {
            let slow = |stats: &Stats| stats.slow_by_operation.get(operation).copied().unwrap_or(0);
            grow(counter, slow(before), slow(now));
        }
        for (gauge, number) in &self.gauges {
            let (before, now) = (number(before), number(now));
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            if now > before {
                gauge.increment((now - before) as f64);
            } else if before > now {
                gauge.decrement((before - now) as f64);
            }
        }
    }
}

/// Counters of one entity type.
pub(super) struct TypeCounts {
    hits: Counter,
    misses: Counter,
    inserts: Counter,
    evictions: Counter,
    invalidations: Counter,
    migrated: Counter,
    failed: Counter,
}

impl TypeCounts {
    pub(super) fn register(name: &str) -> Self {
        let of_type = |metric| counter!(metric, "entity_type" => name.to_owned());
        let with_result =
            |metric, result| counter!(metric, "entity_type" => name.to_owned(), "result" => result);
        Self {
            hits: with_result(CACHE_LOOKUPS, "hit"),
            misses: with_result(CACHE_LOOKUPS, "miss"),
            inserts: of_type(CACHE_INSERTS),
            evictions: of_type(CACHE_EVICTIONS),
            invalidations: of_type(CACHE_INVALIDATIONS),
            migrated: with_result(MIGRATIONS, "migrated"),
            failed: with_result(MIGRATIONS, "failed"),
        }
    }

    pub(super) fn publish(&self, name: &str, before: &Stats, now: &Stats) {
        let cache = |stats: &Stats| stats.by_type.get(name).copied().unwrap_or_default();
        let (was, is): (CacheStats, CacheStats) = (cache(before), cache(now));
        grow(&self.hits, was.hits, is.hits);
        grow(&self.misses, was.misses, is.misses);
        grow(&self.inserts, was.inserts, is.inserts);
        grow(&self.evictions, was.evictions, is.evictions);
        grow(&self.invalidations, was.invalidations, is.invalidations);
        let migrated = |stats: &Stats| stats.migrations_by_type.get(name).copied().unwrap_or(0);
        let failed =
            |stats: &Stats| stats.failed_migrations_by_type.get(name).copied().unwrap_or(0);
        grow(&self.migrated, migrated(before), migrated(now));
        grow(&self.failed, failed(before), failed(now));
    }
}

fn grow(counter: &Counter, before: u64, now: u64) {
    // Numbers that are read one after the other need not fit together: a difference may be behind.
    if now > before {
        counter.increment(now - before);
    }
}
