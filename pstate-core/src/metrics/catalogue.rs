//! The names of all metrics, and what they mean.
//!
//! A new metric touches these files, in this order: where it is counted (`cache/counters.rs` for
//! what is counted by entity type, `engine/counters.rs` otherwise), `telemetry/stats.rs`, this
//! list, then `counts.rs` for a number or `durations.rs` for what comes from events. A test
//! compares the list with the guide in `docs/monitoring`.

use metrics::Unit;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetricKind {
    /// A number that grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One of the metrics that are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: MetricKind,
    /// What it is measured in.
    pub unit: Unit,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub description: &'static str,
}

impl Metric {
    /// Its name as the Prometheus exporter shows it with recommended naming.
    pub fn prometheus_name(&self) -> String {
        let mut name = self.name.replace('.', "_");
        match self.unit {
            Unit::Seconds => name += "_seconds",
            Unit::Bytes => name += "_bytes",
            _ => {}
        }
        if self.kind == MetricKind::Counter {
            name += "_total";
        }
        name
    }
}

pub(super) const CALL_DURATION: &str = "db.client.operation.duration";
pub(super) const FETCH_DURATION: &str = "pstate.fetch.duration";
pub(super) const PUT_DURATION: &str = "pstate.put.duration";
pub(super) const PRELOAD_DURATION: &str = "pstate.preload.duration";
pub(super) const PRELOAD_KEYS: &str = "pstate.preload.keys";
pub(super) const PRELOAD_ROUND_TRIPS: &str = "pstate.preload.round_trips";
pub(super) const SLOW_OPERATIONS: &str = "pstate.operation.slow";
pub(super) const CACHE_LOOKUPS: &str = "pstate.cache.lookups";
pub(super) const CACHE_INSERTS: &str = "pstate.cache.inserts";
pub(super) const CACHE_EVICTIONS: &str = "pstate.cache.evictions";
pub(super) const CACHE_INVALIDATIONS: &str = "pstate.cache.invalidations";
pub(super) const CACHE_SIZE: &str = "pstate.cache.size";
pub(super) const CACHE_ENTRIES: &str = "pstate.cache.entries";
pub(super) const MIGRATIONS: &str = "pstate.migration.documents";
pub(super) const MIGRATION_DURATION: &str = "pstate.migration.duration";
pub(super) const QUEUE_SIZE: &str = "pstate.write_back.queue.size";
pub(super) const WRITTEN_BACK: &str = "pstate.write_back.documents";
pub(super) const FLUSH_DURATION: &str = "pstate.flush.duration";
pub(super) const SWEPT: &str = "pstate.sweep.documents";
pub(super) const OBSERVER_PANICS: &str = "pstate.observer.panics";

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    what: &'static str,
) -> Metric {
    let (kind, unit) = (MetricKind::Counter, Unit::Count);
    Metric { name, kind, unit, labels, description: what }
}

const fn gauge(name: &'static str, unit: Unit, what: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, unit, labels: &[], description: what }
}

const fn duration(
    name: &'static str,
    labels: &'static [&'static str],
    what: &'static str,
) -> Metric {
    let (kind, unit) = (MetricKind::Histogram, Unit::Seconds);
    Metric { name, kind, unit, labels, description: what }
}

/// All of them. The table in the guide and what is exposed are compared with this.
pub(super) const METRICS: [Metric; 20] = [
    duration(
        CALL_DURATION,
        &["db.system.name", "db.operation.name", "error.type"],
        "Calls of the adapter; a batch is one",
    ),
    duration(
        FETCH_DURATION,
        &["from_cache", "migrated"],
        "How long readers waited for a document; of reads of the cache a sample",
    ),
    duration(PUT_DURATION, &["outcome"], "How long writers waited for a document to be stored"),
    duration(PRELOAD_DURATION, &[], "How long a graph took to load"),
    counter(PRELOAD_KEYS, &[], "Keys that preloads asked for"),
    counter(PRELOAD_ROUND_TRIPS, &[], "Calls of the adapter that preloads took"),
    counter(SLOW_OPERATIONS, &["operation"], "Operations that were slower than the threshold"),
    counter(CACHE_LOOKUPS, &["entity_type", "result"], "Documents looked for in the cache"),
    counter(CACHE_INSERTS, &["entity_type"], "Documents put into the cache"),
    counter(CACHE_EVICTIONS, &["entity_type"], "Documents that left the cache for lack of room"),
    counter(CACHE_INVALIDATIONS, &["entity_type"], "Documents that left the cache when written"),
    gauge(CACHE_SIZE, Unit::Bytes, "Memory that the cached documents take"),
    gauge(CACHE_ENTRIES, Unit::Count, "Documents, and known absences, in the cache"),
    counter(MIGRATIONS, &["entity_type", "result"], "Documents that reads had to migrate"),
    duration(MIGRATION_DURATION, &[], "How long the steps of a migration took"),
    gauge(QUEUE_SIZE, Unit::Count, "Migrated documents that wait to be written back"),
    counter(WRITTEN_BACK, &["outcome"], "What became of migrated documents"),
    duration(FLUSH_DURATION, &["trigger"], "How long migrated documents took to be written back"),
    counter(SWEPT, &["outcome"], "Documents that sweeps have looked at"),
    counter(OBSERVER_PANICS, &[], "Panics of observers"),
];

/// Tells the recorder what everything means.
pub(super) fn describe() {
    for Metric { name, kind, unit, description, .. } in METRICS {
        match kind {
            MetricKind::Counter => metrics::describe_counter!(name, unit, description),
            MetricKind::Gauge => metrics::describe_gauge!(name, unit, description),
            MetricKind::Histogram => metrics::describe_histogram!(name, unit, description),
        }
    }
}
