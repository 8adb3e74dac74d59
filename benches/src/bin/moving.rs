//! Moves documents from store to store and back: from SQLite to sled, to a Redis Cluster, and into a new SQLite
//! file. Each move is killed half-way, in a process of its own, and gone on with by the next process.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use clap::Parser;
use pstate_benches::{Result, seed};
use pstate_testkit::redis::Cluster;
use pstate_testkit::workload::Deck;
use serde::Serialize;

/// Moves documents from store to store and back, each move killed half-way and gone on with.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many documents are moved.
    #[arg(long, default_value_t = 100_000)]
    documents: usize,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The URLs of the stores that this process is to copy, if it was started by another one.
    #[arg(long, hide = true, num_args = 2)]
    copy: Option<Vec<String>>,
}

/// One move; times in seconds.
#[derive(Debug, Serialize)]
struct Move {
    from: &'static str,
    to: &'static str,
    documents: u64,
    bytes: u64,
    /// How many were there when the first process was killed.
    before_the_kill: u64,
    seconds: f64,
    /// Of that, for comparing every document.
    verifying: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = pstate_benches::runtime()?;
    if let Some([from, to]) = arguments.copy.as_deref() {
        return runtime.block_on(copy_here(from, to));
    }
    let moves = runtime.block_on(move_around(arguments.documents))?;
    if let Some(path) = arguments.json {
        fs::write(path, serde_json::to_string_pretty(&moves)? + "\n")?;
    }
    Ok(())
}

async fn move_around(documents: usize) -> Result<Vec<Move>> {
    let directory = tempfile::tempdir()?;
    let file = |name: &str| directory.path().join(name).display().to_string();
    let cluster = Cluster::start();
    let stores = [
        ("sqlite", format!("sqlite:{}", file("old.db"))),
        ("sled", format!("sled:{}", file("sled"))),
        ("redis cluster", format!("redis+cluster://{}?placement=per_key", cluster.hosts())),
        ("sqlite", format!("sqlite:{}", file("new.db"))),
    ];
    seed(
        &directory.path().join("old.db"),
        Deck { id: "many", cards: documents, translations: 3 },
        2,
    )
    .await?;

    let mut moves = Vec::new();
    println!(
        "{:<32}{:>10}{:>17}{:>10}{:>14}",
        "move", "documents", "before the kill", "time", "of it equal?"
    );
    for ((from, from_url), (to, to_url)) in stores.iter().zip(&stores[1..]) {
        let begin = Instant::now();
        let before_the_kill = kill_half_way(from_url, to_url, documents as u64)?;
        let (source, target) = (pstate::open(from_url).await?, pstate::open(to_url).await?);
        let report = pstate::copy(source.clone(), target.clone()).run().await?;
        let seconds = begin.elapsed().as_secs_f64();
        let verification = report.verification.as_ref().ok_or("nothing was compared")?;
        if !report.is_complete() || !verification.is_equal() {
            return Err(format!("{report}, {verification}").into());
        }
        if report.documents_before == 0 {
            return Err("it has begun anew".into());
        }
        let verifying = verification.duration.as_secs_f64();
        println!(
            "{:<32}{:>10}{:>17}{:>8.1} s{:>12.1} s",
            format!("{from} -> {to}"),
            report.documents,
            before_the_kill,
            seconds,
            verifying
        );
        let (documents, bytes) = (report.documents, report.bytes);
        moves.push(Move { from, to, documents, bytes, before_the_kill, seconds, verifying });
        source.close().await?;
        target.close().await?;
    }
    // Not only step by step: the last is what the first was.
    let (first, last) = (pstate::open(&stores[0].1).await?, pstate::open(&stores[3].1).await?);
    let compared = pstate::copy(first, last).verify().await?;
    println!("the first and the last: {compared}");
    if !compared.is_equal() {
        return Err("they are not equal".into());
    }
    Ok(moves)
}

/// Copies, and says after each page how many documents are done.
async fn copy_here(from: &str, to: &str) -> Result<()> {
    let (from, to) = (pstate::open(from).await?, pstate::open(to).await?);
    let mut running = pstate::copy(from, to).start().await?;
    loop {
        let progress = running.changed().await;
        println!("{}", progress.done);
        if progress.is_ended() {
            return Ok(());
        }
    }
}

/// Kills a process that copies when it has done half of it; how much it had done.
fn kill_half_way(from: &str, to: &str, documents: u64) -> Result<u64> {
    let mut command = Command::new(env::current_exe()?);
    let mut child = Killed(command.args(["--copy", from, to]).stdout(Stdio::piped()).spawn()?);
    let output = child.0.stdout.take().ok_or("the process has no output")?;
    for line in BufReader::new(output).lines() {
        let done = line?.parse()?;
        if done >= documents / 2 {
            return Ok(done);
        }
    }
    Err("the process has ended too early".into())
}

/// A process that is killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
