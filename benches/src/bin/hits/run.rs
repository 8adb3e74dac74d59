//! The arguments, and running all cases.

use std::sync::Arc;

use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use pstate::MetricsBridge;
use pstate_benches::{Json, Result, grown_runtime};

use crate::cached::{Cached, READS};
use crate::contender::Contender;
use crate::figures::{heading, report};
use crate::mix::zipf_mix;
use crate::order::shuffled;
use crate::rounds::{by_tasks, measure, side_by_side};

/// Reads of cached documents beside the cache crate itself
#[derive(Debug, Parser)]
#[command(name = "hits", bin_name = "cargo xtask bench hits")]
struct Arguments {
    /// How many documents are cached.
    #[arg(long, value_delimiter = ',', default_value = "1000,380000")]
    documents: Vec<usize>,
    /// How many rounds count.
    #[arg(long, default_value_t = 41)]
    rounds: usize,
    #[command(flatten)]
    json: Json,
}

pub(crate) fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let buckets = &MetricsBridge::DURATION_BUCKETS;
    let _exporter = PrometheusBuilder::new().set_buckets(buckets)?.install_recorder()?;
    let mut all = Vec::new();
    heading();
    for &documents in &arguments.documents {
        let runtime = grown_runtime()?;
        let order = shuffled(documents);
        let cached = Arc::new(runtime.block_on(Cached::new(
            documents,
            order,
            (documents as u64) << 14,
            2 * documents,
        ))?);
        for threads in [1, 2] {
            let measured = measure(&Contender::ALL, arguments.rounds, |contender, round| {
                side_by_side(threads, async |thread| {
                    // Far apart, so that no two threads read the same document at once.
                    let apart = thread * documents / threads;
                    cached.read(contender, round * READS + apart).await
                })
            })?;
            report("warm", documents, threads, &Contender::ALL, &measured, &mut all);
        }
        let contenders = [Contender::Bare, Contender::Key];
        let measured = measure(&contenders, arguments.rounds, |contender, _| {
            runtime.block_on(by_tasks(cached.clone(), contender))
        })?;
        report("64 tasks", documents, 2, &contenders, &measured, &mut all);
    }
    if let Some(&documents) = arguments.documents.last() {
        zipf_mix(documents, arguments.rounds, &mut all)?;
    }
    arguments.json.write(&all)
}
