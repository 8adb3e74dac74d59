//! Serves `/metrics` to Prometheus while learners study, editors edit, and old cards become new
//! ones.
//!
//! Every panel of the dashboard in `docs/monitoring` moves. With `--trouble` everything that the
//! alerts are for happens at once: the cache is too small, the disk is busy, and yesterday's
//! program still runs and stores what has to be migrated.

mod slow_disk;
mod workload;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use pstate::sqlite::SqliteAdapter;
use pstate::{Adapter, MetricsBridge, MigrationWriter, PState};
use tokio::time::sleep;

use crate::slow_disk::SlowDisk;
use crate::workload::Result;

/// Serves /metrics to Prometheus while a workload runs on an SQLite file.
#[derive(Parser)]
struct Arguments {
    /// Where to serve.
    #[arg(long, default_value_t = 9464)]
    port: u16,
    /// End after so many seconds; by default it runs until Ctrl-C.
    #[arg(long)]
    seconds: Option<u64>,
    /// Let everything go wrong that there is an alert for.
    #[arg(long)]
    trouble: bool,
    /// Keep the database in this file; by default it is temporary.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("metrics: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    // Before the handle is built: it registers its metrics with the recorder that it finds.
    let address = SocketAddr::from(([127, 0, 0, 1], arguments.port));
    PrometheusBuilder::new()
        .with_http_listener(address)
        .with_recommended_naming(true)
        .set_buckets(&MetricsBridge::DURATION_BUCKETS)?
        .install()?;

    let temporary = tempfile::tempdir()?;
    let file = arguments.db.unwrap_or_else(|| temporary.path().join("metrics.db"));
    workload::store_old_cards(&file).await?;
    let pstate = open(&file, arguments.trouble)?;
    let tasks = workload::start(&pstate, &file, arguments.trouble);

    println!("http://{address}/metrics");
    match arguments.seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds)).await,
        None => tokio::signal::ctrl_c().await?,
    }
    tasks.end().await?;
    println!("{}", pstate.close().await?);
    let stats = pstate.stats();
    println!(
        "{:.1}% of {} reads were cached; {} migrations, {} slow operations, longest flush {:?}",
        stats.hit_rate().unwrap_or(0.0) * 100.0,
        stats.cache.hits + stats.cache.misses,
        stats.migrations,
        stats.slow_operations,
        stats.write_back.longest_flush,
    );
    Ok(())
}

fn open(file: &Path, trouble: bool) -> Result<PState> {
    let adapter: Arc<dyn Adapter> = Arc::new(SqliteAdapter::open(file)?);
    let builder = if trouble {
        // Cache and batches are much too small, too.
        PState::builder(Arc::new(SlowDisk(adapter)))
            .cache_bytes(64 << 10)
            .migration_writer(MigrationWriter::default().batch_size(25).queue_limit(1_500))
    } else {
        PState::builder(adapter)
            .cache_bytes(8 << 20)
            .migration_writer(MigrationWriter::low_latency())
    };
    let bridge = MetricsBridge::default().publish_every(Duration::from_millis(250));
    Ok(builder.schema(workload::schema()?).metrics(bridge).build()?)
}
