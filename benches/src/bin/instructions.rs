//! Work whose instructions are counted by `cargo xtask instructions`, under callgrind.
//!
//! Callgrind counts in functions whose names begin with `measured_`, and not in what prepares the
//! work. Each function does its work [`TIMES`] times.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use clap::{Parser, ValueEnum};
use pstate::{Collection, Key, MemoryAdapter, PState, Schema, Staleness};
use pstate_benches::Result;
use pstate_testkit::workload::{Deck, schema};
use serde::Deserialize;

/// How often each piece of work is done.
const TIMES: usize = 1_000;

/// Room for everything.
const CACHE_BYTES: u64 = 64 << 20;

/// Does a piece of work whose instructions callgrind counts.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which piece of work.
    work: Work,
}

/// The work whose instructions are counted.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Work {
    /// A cached document by its key.
    GetWarm,
    /// A cached document as a struct.
    GetWarmTyped,
    /// A document of the store in memory that is not cached.
    GetCold,
    /// Parsing a preload and planning its reads.
    PlanPreload,
    /// Following a deck's references to 100 cards that are cached.
    PreloadCached,
    /// Bringing a document to the next version.
    Migrate,
}

/// A card as a program declares it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only decoded")]
struct Card {
    front: String,
    rank: u64,
}

const CARDS: Collection<Card> = Collection::new("base_card");

const DECK: Deck = Deck { id: "many", cards: TIMES, translations: 3 };

fn main() -> Result<()> {
    let Arguments { work } = Arguments::parse();
    // On a current-thread runtime a hit reads the clock.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(count(work))
}

async fn count(work: Work) -> Result<()> {
    let adapter = Arc::new(MemoryAdapter::new());
    // Unbounded: no task polls beside the calls that are counted.
    let builder = || PState::builder(adapter.clone()).staleness(Staleness::Unbounded);
    let handle = || builder().cache_bytes(CACHE_BYTES).build();
    let writer = handle()?;
    DECK.store(&writer).await?;
    let small = Deck { id: "small", cards: 100, translations: 0 };
    small.store(&writer).await?;
    let keys: Vec<Key> =
        (0..TIMES).map(|card| DECK.card_key(card).parse()).collect::<pstate::Result<_>>()?;
    let pstate = handle()?;
    match work {
        Work::GetWarm => {
            pstate.multi_get(&keys).await?;
            measured_get(&pstate, &keys)?;
        }
        Work::GetWarmTyped => {
            for key in &keys {
                CARDS.get(&pstate, key.id()).await?;
            }
            measured_get_warm_typed(&pstate, &keys)?;
        }
        Work::GetCold => {
            // The first read sets up more than a read needs, so it precedes the count.
            pstate.get(small.key()).await?;
            measured_get(&pstate, &keys)?;
        }
        Work::PlanPreload => measured_plan_preload(&pstate, &keys[0])?,
        Work::PreloadCached => {
            pstate.preload(small.key(), "cards").await?;
            measured_preload_cached(&pstate, &small.key().parse()?)?;
        }
        Work::Migrate => {
            let mut old = DECK.old_card(7);
            old["$v"] = 1.into();
            measured_migrate(&schema()?, &old.to_string())?;
        }
    }
    Ok(())
}

#[inline(never)]
fn measured_get(pstate: &PState, keys: &[Key]) -> Result<()> {
    for key in keys {
        black_box(now(pstate.get(key))??);
    }
    Ok(())
}

#[inline(never)]
fn measured_get_warm_typed(pstate: &PState, keys: &[Key]) -> Result<()> {
    for key in keys {
        black_box(now(CARDS.get(pstate, key.id()))??);
    }
    Ok(())
}

#[inline(never)]
fn measured_plan_preload(pstate: &PState, key: &Key) -> Result<()> {
    for _ in 0..TIMES {
        black_box(pstate.explain(key, "cards(limit: 10).translations, owner")?);
    }
    Ok(())
}

#[inline(never)]
fn measured_preload_cached(pstate: &PState, key: &Key) -> Result<()> {
    for _ in 0..TIMES {
        black_box(now(pstate.preload(key, "cards"))??);
    }
    Ok(())
}

#[inline(never)]
fn measured_migrate(schema: &Schema, old: &str) -> Result<()> {
    for _ in 0..TIMES {
        black_box(schema.migrate_text("base_card", old)?);
    }
    Ok(())
}

/// The output of a future that never waits, without a runtime's own instructions.
fn now<T>(future: impl Future<Output = T>) -> Result<T> {
    const TURNS: usize = 8;
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..TURNS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
    }
    Err("the future waits".into())
}
