//! Copies from store to store and back: from SQLite to sled, to a Redis Cluster, and into a new
//! SQLite file. Each copy starts in a process that is killed half-way; this process resumes it.

use std::time::Instant;

use clap::Args;
use pstate_benches::process::ChildProcess;
use pstate_benches::{Json, Result, create_sqlite_file, grown_runtime};
use pstate_testkit::redis::Cluster;
use pstate_testkit::workload::Deck;
use serde::{Deserialize, Serialize};

use crate::child::Child;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many documents are copied.
    #[arg(long, default_value_t = 100_000)]
    documents: usize,
    #[command(flatten)]
    json: Json,
    #[command(flatten)]
    child: Child,
}

/// A copy between the stores of two URLs.
#[derive(Debug, Serialize, Deserialize)]
struct Task {
    from: String,
    to: String,
}

/// One copy; times in seconds.
#[derive(Debug, Serialize)]
struct Move {
    from: &'static str,
    to: &'static str,
    documents: u64,
    bytes: u64,
    /// How many documents were copied when the first process was killed.
    before_the_kill: u64,
    seconds: f64,
    /// The part of it that compares every document.
    verifying: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let runtime = grown_runtime()?;
    if let Some(task) = arguments.child.task()? {
        return runtime.block_on(copy_here(task));
    }
    let moves = runtime.block_on(move_around(arguments.documents))?;
    arguments.json.write(&moves)
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
    let deck = Deck { id: "many", cards: documents, translations: 3 };
    create_sqlite_file(&directory.path().join("old.db"), deck, 2).await?;

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
            return Err("the copy has started over instead of resuming".into());
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
    // Not only step by step: the last store equals the first.
    let (first, last) = (pstate::open(&stores[0].1).await?, pstate::open(&stores[3].1).await?);
    let compared = pstate::copy(first, last).verify().await?;
    println!("the first and the last: {compared}");
    if !compared.is_equal() {
        return Err("the first and the last store are not equal".into());
    }
    Ok(moves)
}

/// Copies, and prints after each page how many documents are done.
async fn copy_here(Task { from, to }: Task) -> Result<()> {
    let (from, to) = (pstate::open(&from).await?, pstate::open(&to).await?);
    let copying = pstate::copy(from, to).start().await?;
    let mut changes = copying.changes();
    while let Some(progress) = changes.next().await {
        println!("{}", progress.done);
    }
    Ok(copying.wait().await.map(drop)?)
}

/// Kills a process that copies when it has done half of it; how much it had done.
fn kill_half_way(from: &str, to: &str, documents: u64) -> Result<u64> {
    let task = Task { from: from.to_owned(), to: to.to_owned() };
    let mut child = ChildProcess::start("moving", &task)?;
    while let Some(done) = child.next_number()? {
        if done >= documents / 2 {
            // Dropping the child kills it.
            return Ok(done);
        }
    }
    Err("the process ended before it was killed".into())
}
