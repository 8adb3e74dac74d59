//! The same reads in many processes, one after the other: how much a process's speed is decided
//! when it starts.

#![expect(clippy::cast_precision_loss, reason = "far below 2^52")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use pstate::sqlite::SqliteAdapter;
use pstate::{CachePolicy, Collection, PState, Ref};
use pstate_benches::measure::{median, nanos_since};
use pstate_benches::process::ChildProcess;
use pstate_benches::{Json, Result, create_sqlite_file, runtime};
use pstate_testkit::workload::Deck;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::child::Child;

/// The documents that are read.
const DECK: Deck = Deck { id: "many", cards: 1_000, translations: 3 };

/// How often a process reads all of them; a pass is a sample.
const PASSES: usize = 41;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many processes read, one after the other.
    #[arg(long, default_value_t = 20)]
    processes: usize,
    #[command(flatten)]
    json: Json,
    #[command(flatten)]
    child: Child,
}

/// What a process does: it reads this file.
#[derive(Debug, Serialize, Deserialize)]
struct Task {
    file: PathBuf,
}

/// The medians of one process, in nanoseconds.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    /// A cached document.
    warm: f64,
    /// A document that the cache does not have, as a struct.
    cold: f64,
    /// The same with rusqlite.
    by_hand: f64,
    /// A loop that touches no memory.
    arithmetic: f64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only decoded")]
struct Card {
    front: String,
    back: String,
    rank: String,
    translations: std::collections::BTreeMap<String, Ref>,
}

const CARDS: Collection<Card> = Collection::new("base_card");

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { processes, json, child } = arguments;
    let runtime = runtime()?;
    if let Some(Task { file }) = child.task()? {
        let figures = runtime.block_on(async { tokio::spawn(read(file)).await })??;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("app.db");
    runtime.block_on(create_sqlite_file(&file, DECK, 1))?;
    drop(runtime);
    let mut all = Vec::new();
    for _ in 0..*processes {
        let figures: Figures =
            ChildProcess::start("starts", &Task { file: file.clone() })?.report()?;
        all.push(figures);
    }
    println!("{:<12}{:>10}{:>10}{:>10}{:>10}", "ns", "least", "median", "most", "spread");
    show("warm", &all, |figures| figures.warm);
    show("cold", &all, |figures| figures.cold);
    show("by hand", &all, |figures| figures.by_hand);
    show("arithmetic", &all, |figures| figures.arithmetic);
    json.write(&all)
}

fn show(name: &str, all: &[Figures], of: fn(&Figures) -> f64) {
    let values = || all.iter().map(of);
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(0.0, f64::max);
    let middle = median(values().collect());
    println!("{name:<12}{least:>10.1}{middle:>10.1}{most:>10.1}{:>10.2}", most / least);
}

async fn read(file: PathBuf) -> Result<Figures> {
    let by_hand = by_hand(&file)?;
    let pstate = PState::builder(Arc::new(SqliteAdapter::open(&file)?)).build()?;
    let ids: Vec<String> = (0..DECK.cards)
        .map(|card| DECK.card_key(card).trim_start_matches("base_card:").to_owned())
        .collect();
    let uncached = pstate.clone().cache_policy(CachePolicy::Bypass);
    let cold = pass(&uncached, &ids).await?;
    let warm = pass(&pstate, &ids).await?;
    pstate.close().await?;
    Ok(Figures { warm, cold, by_hand, arithmetic: arithmetic() })
}

/// The median of a read, over passes of all documents; the first pass does not count.
async fn pass(pstate: &PState, ids: &[String]) -> Result<f64> {
    let mut passes = Vec::with_capacity(PASSES);
    for _ in 0..=PASSES {
        let begin = Instant::now();
        for id in ids {
            black_box(CARDS.get(pstate, id).await?);
        }
        passes.push(nanos_since(begin) / ids.len() as f64);
    }
    Ok(median(passes.split_off(1)))
}

fn by_hand(file: &Path) -> Result<f64> {
    let connection = Connection::open(file)?;
    let mut statement =
        connection.prepare("SELECT value FROM pstate WHERE space = 'default' AND key = ?1")?;
    let keys: Vec<String> = (0..DECK.cards).map(|card| DECK.card_key(card)).collect();
    let mut passes = Vec::with_capacity(PASSES);
    for _ in 0..=PASSES {
        let begin = Instant::now();
        for key in &keys {
            let mut rows = statement.query([key])?;
            let row = rows.next()?.ok_or("a card is missing")?;
            let card: Card = serde_json::from_str(row.get_ref(0)?.as_str()?)?;
            black_box(card);
        }
        passes.push(nanos_since(begin) / keys.len() as f64);
    }
    Ok(median(passes.split_off(1)))
}

/// Work whose speed depends on the processor's clock and on nothing in memory.
fn arithmetic() -> f64 {
    const STEPS: u32 = 100_000;
    let passes = (0..PASSES).map(|_| {
        let begin = Instant::now();
        let sum = (0..STEPS).fold(1_u64, |sum, step| {
            black_box(sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(step)))
        });
        black_box(sum);
        nanos_since(begin) / f64::from(STEPS)
    });
    median(passes.collect())
}
