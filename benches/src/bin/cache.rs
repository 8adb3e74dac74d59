//! Measures how much memory cached documents take, and whether the cache keeps to its bound.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use pstate::sqlite::SqliteAdapter;
use pstate::{Document, PState, Ref};
use pstate_benches::{Result, memory, seed};
use pstate_testkit::workload::Deck;
use serde::{Deserialize, Serialize};

/// How many documents are read at once.
const BATCH: usize = 1_000;

/// Large enough for everything.
const UNBOUNDED: u64 = 64 << 30;

/// A bound that holds neither all trees nor all texts.
const BOUND: u64 = 128 << 20;

/// Measures how much memory cached documents take, and whether the cache keeps to its bound.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many cards are cached.
    #[arg(long, default_value_t = 380_000)]
    documents: usize,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What this process is to do, if it was started by another one.
    #[arg(long, hide = true, requires_all = ["file", "bound"])]
    role: Option<Held>,
    /// The store that it works on.
    #[arg(long, hide = true)]
    file: Option<PathBuf>,
    /// The bound of its cache.
    #[arg(long, hide = true)]
    bound: Option<u64>,
}

/// A card as it is stored, as a program declares it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded, not looked at")]
struct Card {
    front: String,
    back: String,
    rank: String,
    translations: BTreeMap<String, Ref>,
}

/// What is built from each cached document.
#[derive(Debug, Clone, Copy, ValueEnum, Serialize, Deserialize)]
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

/// What a process has measured; memory in bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    held: Held,
    bound: u64,
    /// Cached in the end.
    documents: usize,
    /// What the cache says that it takes.
    counted: u64,
    /// By how much the resident size of the process has grown.
    resident: u64,
}

fn main() -> Result<()> {
    let Arguments { documents, json, role, file, bound } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let deck = Deck { id: "many", cards: documents, translations: 3 };
    if let (Some(held), Some(file), Some(bound)) = (role, file, bound) {
        let figures = runtime.block_on(fill(&file, deck, held, bound))?;
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("app.db");
    runtime.block_on(seed(&file, deck, 1))?;
    let mut all = Vec::new();
    println!(
        "{:<7}{:>9}{:>11}{:>14}{:>14}{:>14}{:>11}",
        "held", "bound", "documents", "counted", "resident", "a document", "to counted"
    );
    for bound in [UNBOUNDED, BOUND] {
        for held in Held::ALL {
            let figures = measure(&file, documents, held, bound)?;
            show(&figures);
            all.push(figures);
        }
    }
    if let Some(path) = json {
        fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    Ok(())
}

/// In a process of its own, whose memory holds nothing else.
fn measure(file: &Path, documents: usize, held: Held, bound: u64) -> Result<Figures> {
    let output = Command::new(env::current_exe()?)
        .args(["--role", held.name(), "--documents", &documents.to_string()])
        .args(["--bound", &bound.to_string(), "--file"])
        .arg(file)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn fill(file: &Path, deck: Deck, held: Held, bound: u64) -> Result<Figures> {
    let adapter = Arc::new(SqliteAdapter::open(file)?);
    // So that what else is needed, such as the pages of the store, is there already.
    let small = PState::builder(adapter.clone()).cache_bytes(1 << 20).build()?;
    read(&small, deck, held).await?;
    drop(small);
    let before = memory::resident()?;
    let pstate = PState::builder(adapter).cache_bytes(bound).build()?;
    read(&pstate, deck, held).await?;
    let resident = memory::resident()?.saturating_sub(before);
    let stats = pstate.stats();
    let (documents, counted) = (stats.cache_entries, stats.cache_bytes);
    Ok(Figures { held, bound, documents, counted, resident })
}

/// Reads all cards, and builds what is to be held of each.
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
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let bound = if *bound == UNBOUNDED { "none".to_owned() } else { mebibytes(*bound) };
    let each = *resident as f64 / *documents as f64;
    let ratio = *resident as f64 / *counted as f64;
    println!(
        "{:<7}{bound:>9}{documents:>11}{:>14}{:>14}{each:>12.0} B{ratio:>11.2}",
        held.name(),
        mebibytes(*counted),
        mebibytes(*resident)
    );
}
