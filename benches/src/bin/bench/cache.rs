//! How much memory cached documents take, and whether the cache keeps to its bound.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use pstate::sqlite::SqliteAdapter;
use pstate::{Document, PState, Ref};
use pstate_benches::process::{ChildProcess, mebibytes, resident};
use pstate_benches::{Json, Result, create_sqlite_file};
use pstate_testkit::workload::Deck;
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

use crate::child::Child;

/// How many documents a call reads.
const BATCH: usize = 1_000;

/// Large enough for everything.
const UNBOUNDED: u64 = 64 << 30;

/// A bound that holds neither all trees nor all texts.
const BOUND: u64 = 128 << 20;

/// How much a document may take that is held as bytes.
const MOST_BYTES: f64 = 400.0;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many cards are cached.
    #[arg(long, default_value_t = 380_000)]
    documents: usize,
    #[command(flatten)]
    json: Json,
    #[command(flatten)]
    child: Child,
}

/// What a process of its own fills a cache with.
#[derive(Debug, Serialize, Deserialize)]
struct Task {
    file: PathBuf,
    documents: usize,
    held: Held,
    bound: u64,
}

/// A card at version 1, as a program declares it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only decoded")]
struct Card {
    front: String,
    back: String,
    rank: String,
    translations: BTreeMap<String, Ref>,
}

/// What is built from each cached document.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Held {
    /// Nothing.
    Bytes,
    /// Its tree.
    Trees,
    /// A struct.
    Typed,
}

impl Held {
    const ALL: [Self; 3] = [Self::Bytes, Self::Trees, Self::Typed];

    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Trees => "trees",
            Self::Typed => "typed",
        }
    }

    fn build(self, document: &Document) -> Result<()> {
        match self {
            Self::Bytes => {}
            Self::Trees => _ = document.value()?,
            Self::Typed => _ = document.decode::<Card>()?,
        }
        Ok(())
    }
}

/// The figures of one process; memory in bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    held: Held,
    bound: u64,
    /// How many documents are cached in the end.
    documents: usize,
    /// The size that the cache counts.
    counted: u64,
    /// How much the resident memory of the process has grown.
    resident: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { documents, json, child } = arguments;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    if let Some(task) = child.task()? {
        let figures = runtime.block_on(fill(task))?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("app.db");
    runtime.block_on(create_sqlite_file(&file, deck(*documents), 1))?;
    let mut all = Vec::new();
    println!(
        "{:<7}{:>9}{:>11}{:>14}{:>14}{:>14}{:>11}",
        "held", "bound", "documents", "counted", "resident", "a document", "to counted"
    );
    for bound in [UNBOUNDED, BOUND] {
        for held in Held::ALL {
            // In a process of its own, whose memory holds nothing else.
            let task = Task { file: file.clone(), documents: *documents, held, bound };
            let figures = ChildProcess::start("cache", &task)?.report()?;
            show(&figures);
            all.push(figures);
        }
    }
    json.write(&all)
}

fn deck(documents: usize) -> Deck {
    Deck { id: "many", cards: documents, translations: 3 }
}

async fn fill(Task { file, documents, held, bound }: Task) -> Result<Figures> {
    let deck = deck(documents);
    let adapter = Arc::new(SqliteAdapter::open(&file)?);
    // Everything else that takes memory, such as the pages of the store, is there before the
    // measurement.
    let small = PState::builder(adapter.clone()).cache_bytes(1 << 20).build()?;
    read(&small, deck, held).await?;
    drop(small);
    let before = resident()?;
    let pstate = PState::builder(adapter).cache_bytes(bound).build()?;
    read(&pstate, deck, held).await?;
    let resident = resident()?.saturating_sub(before);
    let stats = pstate.stats();
    let (documents, counted) = (stats.cache_entries, stats.cache_bytes);
    Ok(Figures { held, bound, documents, counted, resident })
}

/// Reads all cards, and builds of each what the cache is to hold.
async fn read(pstate: &PState, deck: Deck, held: Held) -> Result<()> {
    for first in (0..deck.cards).step_by(BATCH) {
        let keys = (first..deck.cards.min(first + BATCH)).map(|card| deck.card_key(card));
        for document in pstate.multi_get(keys).await?.iter().flatten() {
            held.build(document)?;
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn show(figures: &Figures) {
    let Figures { held, bound, documents, counted, resident } = figures;
    let mebibytes = |bytes: u64| mebibytes(bytes as f64);
    let bound = if *bound == UNBOUNDED { "none".to_owned() } else { mebibytes(*bound) };
    let each = *resident as f64 / *documents as f64;
    let ratio = *resident as f64 / *counted as f64;
    let target = match held {
        Held::Bytes if each > MOST_BYTES => format!("  target {MOST_BYTES:.0} B, missed"),
        Held::Bytes => format!("  target {MOST_BYTES:.0} B"),
        Held::Trees | Held::Typed => String::new(),
    };
    println!(
        "{:<7}{bound:>9}{documents:>11}{:>14}{:>14}{each:>12.0} B{ratio:>11.2}{target}",
        held.name(),
        mebibytes(*counted),
        mebibytes(*resident)
    );
}
