//! Measuring stores of several sizes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use fastrand::Rng;
use futures_util::TryStreamExt;
use pstate::{Adapter, Key, PState};
use pstate_testkit::workload::{Deck, schema};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::backend::{Backend, BackendName, OnBackend};
use crate::documents::{BATCH, ELEVEN, cards_at, eleven, scattered, store};
use crate::measure::{median, nanos_since, timed};
use crate::process::{ChildProcess, peak, reset_peak, resident};
use crate::{Error, Result, runtime};

use super::figures::{Figures, documents_f64};

/// How many documents the stores have.
pub const SIZES: [usize; 6] = [1_000, 10_000, 100_000, 380_000, 1_000_000, 3_000_000];

/// How many documents a write stores while seeding.
const SEED_BATCH: usize = 500;

/// How many single documents a process reads.
const GETS: usize = 1_000;
/// How many batches it reads, and how many prefixes it scans.
const ROUNDS: usize = 41;

/// A store of one size, for a process of its own, whose memory holds nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    backend: String,
    documents: usize,
    part: Part,
}

/// What a process measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Part {
    /// Everything on a store whose keys were written in ascending order.
    InOrder,
    /// Only writing the same documents, their keys in random order.
    SeedAtRandom,
}

/// Measures a store of one size, in processes of its own.
///
/// # Errors
/// If that process fails.
pub fn measure(backend: BackendName, documents: usize) -> Result<Figures> {
    let task = |part| Task { backend: backend.name().to_owned(), documents, part };
    let figures = ChildProcess::start("scale", &task(Part::InOrder))?.report()?;
    let seed_random_ns = ChildProcess::start("scale", &task(Part::SeedAtRandom))?.report()?;
    Ok(Figures { seed_random_ns: Some(seed_random_ns), ..figures })
}

/// What that process does: measures, and prints the figures.
///
/// # Errors
/// What the store reports.
pub fn child(task: &Task) -> Result<()> {
    let backend = BackendName::from_str(&task.backend, false)?;
    // Not the grown runtime of the other benchmarks, whose heaps would count as memory.
    let runtime = runtime()?;
    let report = backend.run(Scale { runtime: &runtime, task })?;
    println!("{report}");
    Ok(())
}

struct Scale<'a> {
    runtime: &'a Runtime,
    task: &'a Task,
}

impl OnBackend for Scale<'_> {
    type Output = Result<String>;

    fn run<B: Backend>(self, name: BackendName) -> Result<String> {
        let Self { runtime, task: &Task { documents, part, .. } } = self;
        runtime.block_on(runtime.spawn(async move {
            Ok(match part {
                Part::InOrder => serde_json::to_string(&grown::<B>(name, documents).await?)?,
                Part::SeedAtRandom => {
                    serde_json::to_string(&seeded_at_random::<B>(documents).await?)?
                }
            })
        }))?
    }
}

async fn grown<B: Backend>(name: BackendName, documents: usize) -> Result<Figures> {
    let deck = Deck { id: "many", cards: documents, translations: 3 };
    let mut backend = B::create().await?;
    let in_order: Vec<usize> = (0..documents).collect();
    let seeding = seed(&*backend.adapter(), deck, &in_order).await?;
    let stored_bytes = backend.stored_bytes().await?;
    let key = |card| deck.card_key(card).parse::<Key>();

    backend.adapter().close().await?;
    let begin = Instant::now();
    let reopened = backend.reopen().await?;
    let adapter = backend.adapter();
    let pstate = PState::builder(adapter.clone()).build()?;
    if reopened {
        pstate.get(key(0)?).await?;
    } else {
        seed(&*adapter, deck, &in_order).await?;
    }
    drop(in_order);
    let cold_start_ns = reopened.then(|| nanos_since(begin));

    let mut gets = Vec::with_capacity(GETS);
    for card in scattered(0, GETS, documents) {
        let key = key(card)?;
        gets.push(timed(pstate.get(&key)).await?);
    }
    let (mut batches, mut scans) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let fresh = PState::builder(adapter.clone()).build()?;
        let keys: Vec<Key> =
            scattered(round, BATCH, documents).map(key).collect::<Result<_, _>>()?;
        batches.push(timed(fresh.multi_get(&keys)).await?);
        let scan = async { fresh.scan(ELEVEN).stream().try_collect::<Vec<_>>().await };
        scans.push(timed(scan).await?);
    }
    let (full_scan, full_scan_bytes) = scan_all(&pstate, documents).await?;
    let sweep = sweep(adapter).await?;
    let each = |nanos: f64| nanos / documents_f64(documents);
    Ok(Figures {
        backend: name.name().to_owned(),
        documents,
        seed_ns: each(seeding),
        seed_random_ns: None,
        get_cold_ns: median(gets),
        multi_get_100_ns: median(batches),
        scan_11_ns: median(scans),
        full_scan_ns: each(full_scan),
        full_scan_bytes,
        sweep_ns: each(sweep),
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        stored_bytes: stored_bytes.map(|bytes| bytes as f64 / documents_f64(documents)),
        resident_bytes: resident()?,
        cold_start_ns,
    })
}

/// The time for a document of a new store, in nanoseconds.
async fn seeded_at_random<B: Backend>(documents: usize) -> Result<f64> {
    let deck = Deck { id: "many", cards: documents, translations: 3 };
    let mut order: Vec<usize> = (0..documents).collect();
    Rng::with_seed(documents as u64).shuffle(&mut order);
    let backend = B::create().await?;
    let nanos = seed(&*backend.adapter(), deck, &order).await?;
    Ok(nanos / documents_f64(documents))
}

/// Writes cards in the shape of version 1, in this order; how many nanoseconds the store took.
async fn seed(adapter: &dyn Adapter, deck: Deck, order: &[usize]) -> Result<f64> {
    let mut nanos = 0.0;
    for cards in order.chunks(SEED_BATCH) {
        let cards = cards_at(1, deck, cards.iter().copied())?;
        nanos += timed(store(adapter, &cards)).await?;
    }
    store(adapter, &eleven()?).await?;
    Ok(nanos)
}

async fn scan_all(pstate: &PState, documents: usize) -> Result<(f64, u64)> {
    reset_peak()?;
    let before = resident()?;
    let begin = Instant::now();
    let found =
        pstate.scan("base_card:many-").stream().try_fold(0, async |found, _| Ok(found + 1)).await?;
    let nanos = nanos_since(begin);
    if found != documents {
        return Err(format!("{found} documents were found instead of {documents}").into());
    }
    Ok((nanos, peak()?.saturating_sub(before)))
}

async fn sweep(adapter: Arc<dyn Adapter>) -> Result<f64> {
    let pstate = PState::builder(adapter).schema(schema()?).build()?;
    let report = pstate.migrate_all().lease(Duration::from_secs(1)).run().await?;
    if report.failed > 0 {
        return Err(format!("{} documents could not be migrated", report.failed).into());
    }
    Ok::<_, Error>(report.duration.as_secs_f64() * 1e9)
}
