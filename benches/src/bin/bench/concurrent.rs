//! The same documents read by a preload, and one by one in several ways.

use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use pstate::sqlite::{ReadMode, SqliteAdapter, SqliteConfig};
use pstate::{Adapter, Key, MemoryAdapter, PState, Staleness};
use pstate_benches::measure::{nanos_since, quantile};
use pstate_benches::{Json, Result, runtime};
use pstate_testkit::workload::Deck;
use serde::Serialize;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How many documents one document refers to.
    #[arg(long, default_value_t = 1_000)]
    references: usize,
    /// How often each way is measured.
    #[arg(long, default_value_t = 41)]
    rounds: usize,
    #[command(flatten)]
    json: Json,
}

/// A way to read the documents.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    Preload,
    /// One `get` after the other.
    Loop,
    /// All `get`s at once, in one task.
    JoinAll,
    Unordered,
    /// By 64 tasks.
    Tasks,
}

impl Way {
    const ALL: [Self; 5] = [Self::Preload, Self::Loop, Self::JoinAll, Self::Unordered, Self::Tasks];

    fn name(self) -> &'static str {
        match self {
            Self::Preload => "preload",
            Self::Loop => "one after the other",
            Self::JoinAll => "try_join_all",
            Self::Unordered => "FuturesUnordered",
            Self::Tasks => "64 tasks",
        }
    }

    async fn read(self, pstate: &PState, deck: Deck, keys: &[Key]) -> Result<()> {
        match self {
            Self::Preload => drop(pstate.preload(deck.key(), "cards").await?),
            Self::Loop => {
                for key in keys {
                    pstate.get(key).await?;
                }
            }
            Self::JoinAll => drop(try_join_all(keys.iter().map(|key| pstate.get(key))).await?),
            Self::Unordered => {
                let reads: FuturesUnordered<_> = keys.iter().map(|key| pstate.get(key)).collect();
                reads.try_for_each(async |_| Ok(())).await?;
            }
            Self::Tasks => {
                let tasks = keys.chunks(keys.len().div_ceil(64)).map(|keys| {
                    let (pstate, keys) = (pstate.clone(), keys.to_vec());
                    tokio::spawn(async move {
                        for key in keys {
                            pstate.get(&key).await?;
                        }
                        Ok::<_, pstate::Error>(())
                    })
                });
                for task in tasks.collect::<Vec<_>>() {
                    task.await??;
                }
            }
        }
        Ok(())
    }
}

/// What a way takes on a store, with or without batching.
#[derive(Debug, Serialize)]
struct Figures {
    store: &'static str,
    way: Way,
    batching: bool,
    /// Calls of the store, including the read of the deck.
    calls: u64,
    median_ns: f64,
    p99_ns: f64,
    to_preload: f64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let deck = Deck { id: "wide", cards: arguments.references, translations: 0 };
    let directory = tempfile::tempdir()?;
    let config = SqliteConfig::default();
    let in_place = SqliteAdapter::open_with(directory.path().join("1.db"), config.clone())?;
    let blocking = config.read_mode(ReadMode::Blocking);
    let blocking = SqliteAdapter::open_with(directory.path().join("2.db"), blocking)?;
    let stores: [(&'static str, Arc<dyn Adapter>); 3] = [
        ("memory", Arc::new(MemoryAdapter::new())),
        ("sqlite", Arc::new(in_place)),
        ("sqlite, blocking", Arc::new(blocking)),
    ];
    let runtime = runtime()?;
    let mut all = Vec::new();
    println!(
        "{:<18}{:<21}{:>9}{:>7}{:>12}{:>12}{:>12}",
        "store", "way", "batching", "calls", "median", "p99", "to preload"
    );
    for (store, adapter) in stores {
        let figures = runtime.block_on(async {
            tokio::spawn(measure(store, adapter, deck, arguments.rounds)).await
        })??;
        all.extend(figures);
    }
    arguments.json.write(&all)
}

/// All ways in turns, each time through a new cache.
async fn measure(
    store: &'static str,
    adapter: Arc<dyn Adapter>,
    deck: Deck,
    rounds: usize,
) -> Result<Vec<Figures>> {
    let plain = PState::builder(adapter.clone()).build()?;
    deck.store(&plain).await?;
    let keys: Vec<Key> =
        (0..deck.cards).map(|card| deck.card_key(card).parse()).collect::<pstate::Result<_>>()?;
    let cases: Vec<(Way, bool)> =
        Way::ALL.into_iter().flat_map(|way| [(way, false), (way, true)]).collect();
    let mut nanos = vec![Vec::new(); cases.len()];
    let mut calls = vec![0; cases.len()];
    for _ in 0..rounds {
        for (at, (way, batching)) in cases.iter().enumerate() {
            let pstate = PState::builder(adapter.clone())
                .batch_reads(*batching)
                .staleness(Staleness::Unbounded)
                .build()?;
            let begin = Instant::now();
            way.read(&pstate, deck, &keys).await?;
            nanos[at].push(nanos_since(begin));
            calls[at] = pstate.stats().reads;
        }
    }
    for nanos in &mut nanos {
        nanos.sort_by(f64::total_cmp);
    }
    let preload = quantile(&nanos[0], 0.5);
    let mut all = Vec::new();
    for (at, (way, batching)) in cases.into_iter().enumerate() {
        let [median_ns, p99_ns] = [0.5, 0.99].map(|share| quantile(&nanos[at], share));
        let to_preload = median_ns / preload;
        println!(
            "{store:<18}{:<21}{batching:>9}{:>7}{:>9.0} us{:>9.0} us{to_preload:>12.2}",
            way.name(),
            calls[at],
            median_ns / 1e3,
            p99_ns / 1e3
        );
        let calls = calls[at];
        all.push(Figures { store, way, batching, calls, median_ns, p99_ns, to_preload });
    }
    Ok(all)
}
