//! How long a process reads what another one has overwritten.

#![expect(clippy::cast_precision_loss, reason = "far below 2^52")]

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use pstate::sqlite::SqliteAdapter;
use pstate::{PState, Staleness};
use pstate_benches::measure::quantiles;
use pstate_benches::process::ChildProcess;
use pstate_benches::{Json, Result, grown_runtime};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::child::Child;

const KEY: &str = "card:1";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How often the other process writes, one write after the other.
    #[arg(long, default_value_t = 10_000)]
    writes: u64,
    /// The bounds, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "0,20,100,1000")]
    bounds: Vec<u64>,
    #[command(flatten)]
    json: Json,
    #[command(flatten)]
    child: Child,
}

/// What the other process does: it writes to this store, one write after the other.
#[derive(Debug, Serialize, Deserialize)]
struct Task {
    file: PathBuf,
    writes: u64,
}

/// The figures for one bound; times in milliseconds.
#[derive(Debug, Serialize)]
struct Figures {
    bound_ms: u64,
    writes: usize,
    reads: u64,
    /// The share of reads from the cache.
    cached: f64,
    /// How long after a write was acknowledged a read still returned an older value.
    median_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { writes, bounds, json, child } = arguments;
    let runtime = grown_runtime()?;
    if let Some(task) = child.task()? {
        return runtime.block_on(write(task));
    }
    let mut all = Vec::new();
    println!(
        "{:>8}{:>9}{:>12}{:>9}{:>12}{:>12}{:>12}",
        "bound", "writes", "reads", "cached", "median", "p99", "maximum"
    );
    for &bound_ms in bounds {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("app.db");
        let figures = runtime.block_on(measure(&file, *writes, bound_ms))?;
        println!(
            "{:>5} ms{:>9}{:>12}{:>9.3}{:>9.3} ms{:>9.3} ms{:>9.3} ms",
            figures.bound_ms,
            figures.writes,
            figures.reads,
            figures.cached,
            figures.median_ms,
            figures.p99_ms,
            figures.max_ms
        );
        if figures.max_ms > bound_ms as f64 {
            let late = figures.max_ms;
            return Err(format!("a read returned a value that was old for {late} ms").into());
        }
        all.push(figures);
    }
    json.write(&all)
}

/// The time that all processes of the machine share, in nanoseconds.
fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_nanos())?)
}

/// The other process: writes ascending numbers, and prints in the end when each was acknowledged.
async fn write(Task { file, writes }: Task) -> Result<()> {
    let pstate = PState::builder(Arc::new(SqliteAdapter::open(&file)?)).build()?;
    let mut acknowledged = Vec::new();
    for n in 1..=writes {
        pstate.put(KEY, &json!({ "n": n })).await?;
        acknowledged.push(now()?);
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for at in acknowledged {
        writeln!(out, "{at}")?;
    }
    out.flush()?;
    Ok(())
}

async fn measure(file: &Path, writes: u64, bound_ms: u64) -> Result<Figures> {
    let adapter = Arc::new(SqliteAdapter::open(file)?);
    let bound = Staleness::AtMost(Duration::from_millis(bound_ms));
    let pstate = PState::builder(adapter).staleness(bound).build()?;
    let child = ChildProcess::start("staleness", &Task { file: file.to_owned(), writes })?;
    // When each number was last read.
    let mut read_last = BTreeMap::new();
    let mut reads = 0;
    loop {
        let begin = now()?;
        let found = pstate.get(KEY).await?;
        let n = match &found {
            Some(card) => card.get("n")?.and_then(serde_json::Value::as_u64).unwrap_or(0),
            None => 0,
        };
        read_last.insert(n, begin);
        reads += 1;
        if n == writes {
            break;
        }
    }
    let acknowledged: Vec<u64> =
        child.finish()?.iter().map(|line| line.parse()).collect::<Result<_, _>>()?;
    let stale: Vec<f64> = (1..)
        .zip(&acknowledged)
        .map(|(n, at)| {
            let older = read_last.range(..n).next_back().map_or(0, |(_, read)| *read);
            older.saturating_sub(*at) as f64 / 1e6
        })
        .collect();
    let writes = stale.len();
    let cached = 1.0 - pstate.stats().reads as f64 / reads as f64;
    let [median_ms, p99_ms, max_ms] = quantiles(stale, [0.5, 0.99, 1.0]);
    Ok(Figures { bound_ms, writes, reads, cached, median_ms, p99_ms, max_ms })
}
