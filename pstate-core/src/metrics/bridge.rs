//! The bridge to the crate `metrics`, from where an exporter takes what it serves.
//!
//! What the handle [counts](crate::Stats) anyway is copied from there, now and then: so a read of
//! the cache pays for no second counter. What has a duration comes from [events](crate::Event), of
//! which reads of the cache are a sample. Handles of metrics are registered once and kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::catalogue::{self, Metric, describe};
use super::counts::{Counts, TypeCounts};
use super::durations::Durations;
use crate::cache::CacheCounters;
use crate::engine::{Publish, Publishing};
use crate::runtime::Mutex;
use crate::schema::{Entity, Schema};
use crate::telemetry::{Observer, Stats};

/// Publishes what a handle does through the crate `metrics`; see
/// [`Builder::metrics`](crate::Builder::metrics).
///
/// All metrics are listed in [`METRICS`](Self::METRICS). They exist from the start, at zero, for
/// each entity type that the schema names. Labels are entity types (at most 256, the rest together
/// as `(other)`), operations, outcomes, and the adapter's name; never keys.
///
/// Counters and gauges of several handles add up. The recorder has to be installed before the
/// handle is built.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> pstate_core::Result<()> {
/// use std::sync::Arc;
/// use pstate_core::{MemoryAdapter, MetricsBridge, PState};
///
/// // PrometheusBuilder::new().with_recommended_naming(true)
/// //     .set_buckets(&MetricsBridge::DURATION_BUCKETS)?.install()?;
/// let adapter = Arc::new(MemoryAdapter::new());
/// let pstate = PState::builder(adapter).metrics(MetricsBridge::default()).build()?;
/// # assert!(pstate.get("card:1").await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct MetricsBridge {
    interval: Duration,
}

impl Default for MetricsBridge {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1) }
    }
}

impl MetricsBridge {
    /// All metrics that there are.
    pub const METRICS: &'static [Metric] = &catalogue::METRICS;

    /// Bounds for histograms, in seconds: from a read of the cache to a store that is hardly there.
    pub const DURATION_BUCKETS: [f64; 18] = [
        1e-7, 2.5e-7, 1e-6, 5e-6, 2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2,
        0.1, 0.25, 0.5, 1.0, 5.0,
    ];

    /// How often what was counted is published: each second by default. A program that renders
    /// metrics by itself calls [`PState::publish_metrics`](crate::PState::publish_metrics) before
    /// it does.
    pub fn publish_every(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    pub(crate) fn publishing(self) -> Publishing {
        Publishing { interval: self.interval, register }
    }
}

/// Copies what was counted.
struct Publisher(Mutex<Published>);

struct Published {
    /// What was published last.
    stats: Stats,
    counts: Counts,
    types: HashMap<String, TypeCounts>,
}

impl Publisher {
    /// Registers everything with the recorder that is installed.
    fn register(schema: Option<&Schema>) -> Self {
        describe();
        let names = schema.iter().flat_map(|schema| schema.entities()).map(Entity::name);
        let types = names.take(CacheCounters::MAX_TYPES.into());
        let types = types.map(|name| (name.to_owned(), TypeCounts::register(name))).collect();
        let (stats, counts) = (Stats::default(), Counts::register());
        Self(Mutex::new(Published { stats, counts, types }))
    }
}

impl Publish for Publisher {
    fn publish(&self, count: &dyn Fn() -> Stats) {
        let mut published = self.0.lock();
        let Published { stats, counts, types } = &mut *published;
        let now = count();
        counts.publish(stats, &now);
        for name in now.by_type.keys() {
            let type_counts =
                types.entry(name.clone()).or_insert_with(|| TypeCounts::register(name));
            type_counts.publish(name, stats, &now);
        }
        *stats = now;
    }

    fn withdraw(&self, mut last: Stats) {
        self.publish(&|| last.clone());
        (last.cache_bytes, last.cache_entries, last.write_back.queued) = (0, 0, 0);
        self.publish(&|| last.clone());
    }
}

/// What the bridge has of one handle.
pub(crate) fn register(
    schema: Option<&Schema>,
    adapter: &'static str,
) -> (Box<dyn Publish>, Arc<dyn Observer>) {
    (Box::new(Publisher::register(schema)), Arc::new(Durations::register(adapter)))
}
