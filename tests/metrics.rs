//! What is published through the crate `metrics`, as Prometheus sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use pstate::{Builder, Error, ErrorKind, MemoryAdapter, MetricKind, MetricsBridge, PState};
use pstate_testkit::{Call, FaultLayer, workload};
use serde_json::json;

/// A recorder of one test alone.
struct Exporter {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Exporter {
    fn new() -> Self {
        let recorder = PrometheusBuilder::new()
            .with_recommended_naming(true)
            .set_buckets(&MetricsBridge::DURATION_BUCKETS)
            .unwrap()
            .build_recorder();
        Self { handle: recorder.handle(), recorder }
    }

    /// Metrics are registered with the recorder of the thread that builds.
    fn build(&self, builder: Builder) -> PState {
        let builder = builder.metrics(MetricsBridge::default());
        metrics::with_local_recorder(&self.recorder, || builder.build()).unwrap()
    }

    /// Each sample, by its name with labels.
    fn samples(&self) -> BTreeMap<String, f64> {
        let text = self.handle.render();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        lines.map(sample).collect()
    }

    fn publish(&self, pstate: &PState) -> BTreeMap<String, f64> {
        metrics::with_local_recorder(&self.recorder, || pstate.publish_metrics());
        self.samples()
    }
}

fn memory() -> Builder {
    PState::builder(Arc::new(MemoryAdapter::new()))
}

fn assert_near(value: f64, expected: u32) {
    assert!((value - f64::from(expected)).abs() < 1e-9, "{value} is not {expected}");
}

/// Without the suffixes of a histogram, and without labels.
fn metric_of(sample: &str) -> &str {
    let name = sample.split('{').next().unwrap();
    for suffix in ["_bucket", "_sum", "_count"] {
        if let Some(base) = name.strip_suffix(suffix)
            && base.ends_with("_seconds")
        {
            return base;
        }
    }
    name
}

#[tokio::test]
async fn everything_exists_at_zero_from_the_start() {
    let exporter = Exporter::new();
    let _pstate = exporter.build(memory().schema(workload::schema().unwrap()));
    let samples = exporter.samples();
    for value in samples.values() {
        assert_near(*value, 0);
    }
    for entity_type in ["base_deck", "base_card", "translation"] {
        for result in ["hit", "miss"] {
            let name = format!(
                "pstate_cache_lookups_total{{entity_type=\"{entity_type}\",result=\"{result}\"}}"
            );
            assert!(samples.contains_key(&name), "{name}");
        }
        let name = format!("pstate_cache_evictions_total{{entity_type=\"{entity_type}\"}}");
        assert!(samples.contains_key(&name), "{name}");
    }
    let call = "db_client_operation_duration_seconds_count\
                {db_system_name=\"memory\",db_operation_name=\"multi_get\"}";
    assert!(samples.contains_key(call));
}

#[tokio::test]
async fn the_list_of_metrics_is_what_is_exposed() {
    let exporter = Exporter::new();
    let _pstate = exporter.build(memory().schema(workload::schema().unwrap()));
    let samples = exporter.samples();
    let exposed: BTreeSet<&str> = samples.keys().map(|name| metric_of(name)).collect();
    let names: Vec<String> =
        MetricsBridge::METRICS.iter().map(pstate::Metric::prometheus_name).collect();
    let listed: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(exposed, listed);
    // And has the labels that the list says; `error.type` comes with the first error.
    for metric in MetricsBridge::METRICS {
        let labels = metric.labels.iter().filter(|label| **label != "error.type");
        for label in labels {
            let label = format!("{}=\"", label.replace('.', "_"));
            let has = |name: &&String| metric_of(name) == metric.prometheus_name();
            assert!(samples.keys().filter(has).all(|name| name.contains(&label)), "{label}");
        }
    }
}

#[test]
fn the_guide_lists_the_same() {
    let guide = include_str!("../docs/monitoring/README.md");
    for metric in MetricsBridge::METRICS {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            _ => "histogram",
        };
        let labels: Vec<String> =
            metric.labels.iter().map(|label| format!("`{}`", label.replace('.', "_"))).collect();
        let (name, prometheus) = (metric.name, metric.prometheus_name());
        let row = format!(
            "| `{name}` | `{prometheus}` | {kind} | {} | {} |",
            labels.join(", "),
            metric.description
        );
        assert!(guide.contains(&row), "the guide lacks\n{row}");
    }
    let rows =
        guide.lines().filter(|line| line.starts_with("| `pstate.") || line.starts_with("| `db."));
    assert_eq!(rows.count(), MetricsBridge::METRICS.len());
}

#[test]
fn what_was_recorded_has_the_same() {
    for recorded in [
        include_str!("../docs/monitoring/recorded/healthy.prom"),
        include_str!("../docs/monitoring/recorded/trouble.prom"),
    ] {
        let types = recorded.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let exposed: BTreeSet<String> =
            types.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
        let listed: BTreeSet<String> =
            MetricsBridge::METRICS.iter().map(pstate::Metric::prometheus_name).collect();
        assert_eq!(exposed, listed, "record again: cargo xtask monitoring --record");
    }
}

#[tokio::test]
async fn reads_of_the_cache_are_counted_exactly() {
    let exporter = Exporter::new();
    let pstate = exporter.build(memory().schema(workload::schema().unwrap()));
    pstate.get("translation:1").await.unwrap();
    for _ in 0..1_000 {
        pstate.get("translation:1").await.unwrap();
    }
    let samples = exporter.publish(&pstate);
    let hits = "pstate_cache_lookups_total{entity_type=\"translation\",result=\"hit\"}";
    let misses = "pstate_cache_lookups_total{entity_type=\"translation\",result=\"miss\"}";
    assert_near(samples[hits], 1_000);
    assert_near(samples[misses], 1);
    assert_near(exporter.publish(&pstate)[hits], 1_000);
}

#[tokio::test]
async fn a_batch_is_one_call_and_each_document_one_fetch() {
    let exporter = Exporter::new();
    let pstate = exporter.build(memory());
    pstate.multi_get(["card:1", "card:2", "card:3"]).await.unwrap();
    let samples = exporter.publish(&pstate);
    let calls = "db_client_operation_duration_seconds_count\
                 {db_system_name=\"memory\",db_operation_name=\"multi_get\"}";
    let fetches = "pstate_fetch_duration_seconds_count{from_cache=\"false\",migrated=\"false\"}";
    assert_near(samples[calls], 1);
    assert_near(samples[fetches], 3);
}

#[tokio::test]
async fn an_error_names_its_kind() {
    let exporter = Exporter::new();
    let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
    let pstate = exporter.build(PState::builder(faults.clone()));
    faults.fail(Call::Read, Error::new(ErrorKind::Timeout, "late"));
    let _recorder = metrics::set_default_local_recorder(&exporter.recorder);
    pstate.get("card:1").await.unwrap_err();
    let name = "db_client_operation_duration_seconds_count{db_system_name=\"memory\",\
                db_operation_name=\"multi_get\",error_type=\"timeout\"}";
    assert_near(exporter.samples()[name], 1);
}

#[tokio::test]
async fn labels_are_bounded_and_never_keys() {
    let exporter = Exporter::new();
    let pstate = exporter.build(memory());
    for number in 0..400 {
        pstate.put(format!("type{number}:secret{number}"), &json!({})).await.unwrap();
        pstate.get(format!("type{number}:secret{number}")).await.unwrap();
    }
    let samples = exporter.publish(&pstate);
    let inserts = samples.keys().filter(|name| name.starts_with("pstate_cache_inserts_total"));
    assert_eq!(inserts.count(), 257);
    assert_near(samples["pstate_cache_inserts_total{entity_type=\"(other)\"}"], 144);
    assert!(!exporter.handle.render().contains("secret"));
}

#[tokio::test]
async fn handles_add_up_and_take_their_state_with_them() {
    let exporter = Exporter::new();
    let one = exporter.build(memory());
    let other = exporter.build(memory());
    for pstate in [&one, &other] {
        pstate.put("card:1", &json!({})).await.unwrap();
        pstate.get("card:1").await.unwrap();
        exporter.publish(pstate);
    }
    let hits = "pstate_cache_lookups_total{entity_type=\"card\",result=\"hit\"}";
    let samples = exporter.samples();
    assert_near(samples[hits], 2);
    assert_near(samples["pstate_cache_entries"], 2);
    drop(metrics::with_local_recorder(&exporter.recorder, || one));
    other.close().await.unwrap();
    // The tasks of the first one end when they are next polled.
    while exporter.samples()["pstate_cache_entries"] > 1.0 {
        tokio::task::yield_now().await;
    }
    assert_near(exporter.samples()[hits], 2);
}

#[tokio::test(start_paused = true)]
async fn it_is_published_in_intervals_without_being_asked() {
    let exporter = Exporter::new();
    let pstate = exporter.build(memory().schema(workload::schema().unwrap()));
    let misses = "pstate_cache_lookups_total{entity_type=\"base_card\",result=\"miss\"}";
    pstate.get("base_card:1").await.unwrap();
    assert_near(exporter.samples()[misses], 0);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_near(exporter.samples()[misses], 1);
}
