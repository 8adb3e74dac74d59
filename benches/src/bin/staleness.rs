//! Measures for how long a process goes on to read what another one has replaced.

#![expect(clippy::cast_precision_loss, reason = "far below 2^52")]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Parser;
use pstate::sqlite::SqliteAdapter;
use pstate::{PState, Staleness};
use pstate_benches::{Result, quantile};
use serde::Serialize;
use serde_json::json;

const KEY: &str = "card:1";

/// Measures for how long a process goes on to read what another one has replaced.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often the other process writes, one write after the other.
    #[arg(long, default_value_t = 10_000)]
    writes: u64,
    /// The bounds, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "0,20,100,1000")]
    bounds: Vec<u64>,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The store that this process is to write to, if it was started by another one.
    #[arg(long, hide = true)]
    file: Option<PathBuf>,
}

/// For one bound; times in milliseconds.
#[derive(Debug, Serialize)]
struct Figures {
    bound_ms: u64,
    writes: usize,
    reads: u64,
    /// The share of reads that were served from the cache.
    cached: f64,
    /// For how long after a write was acknowledged something older was still read.
    median_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

fn main() -> Result<()> {
    let Arguments { writes, bounds, json, file } = Arguments::parse();
    let runtime = pstate_benches::runtime()?;
    if let Some(file) = file {
        return runtime.block_on(write(&file, writes));
    }
    let mut all = Vec::new();
    println!(
        "{:>8}{:>9}{:>12}{:>9}{:>12}{:>12}{:>12}",
        "bound", "writes", "reads", "cached", "median", "p99", "maximum"
    );
    for bound_ms in bounds {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("app.db");
        let figures = runtime.block_on(measure(&file, writes, bound_ms))?;
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
            return Err(format!("something was read {} ms too late", figures.max_ms).into());
        }
        all.push(figures);
    }
    if let Some(path) = json {
        fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    Ok(())
}

/// Time as all processes of the machine have it, in nanoseconds.
fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_nanos())?)
}

/// The other process: writes ascending numbers, and says in the end when each was acknowledged.
async fn write(file: &Path, writes: u64) -> Result<()> {
    let pstate = PState::builder(Arc::new(SqliteAdapter::open(file)?)).build()?;
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

fn start_writer(file: &Path, writes: u64) -> Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--writes", &writes.to_string(), "--file"]).arg(file);
    Ok(command.stdout(Stdio::piped()).spawn()?)
}

async fn measure(file: &Path, writes: u64, bound_ms: u64) -> Result<Figures> {
    let adapter = Arc::new(SqliteAdapter::open(file)?);
    let bound = Staleness::AtMost(Duration::from_millis(bound_ms));
    let pstate = PState::builder(adapter).staleness(bound).build()?;
    let child = start_writer(file, writes)?;
    // When each number was read last.
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
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err("the process that writes has failed".into());
    }
    let acknowledged = String::from_utf8(output.stdout)?;
    let acknowledged: Vec<u64> =
        acknowledged.lines().map(str::parse).collect::<std::result::Result<_, _>>()?;
    let mut stale: Vec<f64> = (1..)
        .zip(&acknowledged)
        .map(|(n, at)| {
            let older = read_last.range(..n).next_back().map_or(0, |(_, read)| *read);
            older.saturating_sub(*at) as f64 / 1e6
        })
        .collect();
    stale.sort_by(f64::total_cmp);
    let cached = 1.0 - pstate.stats().reads as f64 / reads as f64;
    let [median_ms, p99_ms, max_ms] = [0.5, 0.99, 1.0].map(|share| quantile(&stale, share));
    Ok(Figures { bound_ms, writes: stale.len(), reads, cached, median_ms, p99_ms, max_ms })
}
