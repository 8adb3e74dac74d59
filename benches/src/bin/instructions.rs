//! Work whose instructions are counted by `cargo xtask instructions`, under callgrind.
//!
//! Callgrind counts in functions whose names begin with `measured_`, and not in what prepares the
//! work. The program prints how often it has done the work.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use clap::{Parser, ValueEnum};
use pstate::{
    CachePolicy, Collection, Document, Key, Loaded, MemoryAdapter, MigrationWriter, PState, Ref,
    Schema, Staleness,
};
use pstate_benches::Result;
use pstate_testkit::workload::{Deck, schema};
use serde::{Deserialize, Serialize};

/// How often small pieces of work are done: once for each card.
const TIMES: usize = 1_000;
/// How often large ones are.
const TIMES_LARGE: usize = 100;
/// How many documents a batch has.
const BATCH: usize = 100;

/// Room for everything.
const CACHE_BYTES: u64 = 64 << 20;

/// Does a piece of work whose instructions callgrind counts.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which piece of work.
    #[arg(required_unless_present = "list")]
    work: Option<Work>,
    /// Print the names of all work instead.
    #[arg(long)]
    list: bool,
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
    /// The same as a struct.
    GetColdTyped,
    /// A document that is neither cached nor stored.
    GetMissing,
    /// 100 documents that are not cached, as structs.
    MultiGetCold,
    /// 100 cached documents as structs.
    MultiGetWarm,
    /// Parsing a preload and planning its reads.
    PlanPreload,
    /// Following a deck's references to 100 cards that are cached.
    PreloadCached,
    /// A deck, its 100 cards and 300 translations, not cached, as structs.
    PreloadDeepCold,
    /// The same from the cache.
    PreloadDeepCached,
    /// The tree of that graph, when nothing has changed.
    ResolveCached,
    /// The same from documents that are not cached.
    ResolveCold,
    /// Bringing a document to the next version.
    Migrate,
    /// A document of an older version that is not cached.
    ReadMigrated,
    /// Storing a document over another.
    Put,
    /// Storing 100 of them.
    MultiPut,
    /// Reading, changing and storing a document.
    Update,
}

#[derive(Clone, Serialize, Deserialize)]
struct DeckOfCards {
    name: String,
    cards: BTreeMap<String, Ref>,
}

/// A card as a program declares it.
#[derive(Clone, Serialize, Deserialize)]
struct Card {
    front: String,
    back: String,
    rank: u64,
    translations: BTreeMap<String, Ref>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Translation {
    lang: String,
    text: String,
}

type Typed = (Arc<DeckOfCards>, Vec<(Arc<Card>, Vec<Arc<Translation>>)>);

const CARDS: Collection<Card> = Collection::new("base_card");

const MANY: Deck = Deck { id: "many", cards: TIMES, translations: 3 };
/// No level has as many documents as are loaded between two yields: nothing here waits.
const SMALL: Deck = Deck { id: "small", cards: BATCH, translations: 2 };

fn main() -> Result<()> {
    let Arguments { work, list } = Arguments::parse();
    if list {
        Work::value_variants().iter().filter_map(ValueEnum::to_possible_value).for_each(|work| {
            println!("{}", work.get_name());
        });
    }
    let Some(work) = work else { return Ok(()) };
    // On a current-thread runtime a hit reads the clock.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let times = runtime.block_on(count(work))?;
    println!("{times}");
    Ok(())
}

/// Does the work. Returns how often.
async fn count(work: Work) -> Result<usize> {
    let adapter = Arc::new(MemoryAdapter::new());
    // Unbounded: no task polls beside the calls that are counted.
    let builder = || PState::builder(adapter.clone()).staleness(Staleness::Unbounded);
    let handle = || builder().cache_bytes(CACHE_BYTES).build();
    let writer = handle()?;
    MANY.store(&writer).await?;
    SMALL.store(&writer).await?;
    let keys = keys(|card| MANY.card_key(card))?;
    let deck: Key = SMALL.key().parse()?;
    let pstate = handle()?;
    // The first read sets up more than a read needs, so it precedes the count.
    pstate.get(&deck).await?;
    match work {
        Work::GetWarm => {
            pstate.multi_get(&keys).await?;
            measured_get(&pstate, &keys)
        }
        Work::GetWarmTyped => {
            CARDS.multi_get(&pstate, keys.iter().map(Key::id)).await?;
            measured_get_typed(&pstate, &keys)
        }
        Work::GetCold => measured_get(&pstate, &keys),
        Work::GetColdTyped => measured_get_typed(&pstate, &keys),
        Work::GetMissing => measured_get(&pstate, &self::keys(|n| format!("base_card:none-{n}"))?),
        Work::MultiGetCold => {
            measured_multi_get(&pstate.cache_policy(CachePolicy::Bypass), &keys[..BATCH])
        }
        Work::MultiGetWarm => {
            CARDS.multi_get(&pstate, keys.iter().map(Key::id)).await?;
            measured_multi_get(&pstate, &keys[..BATCH])
        }
        Work::PlanPreload => measured_plan_preload(&pstate, &keys[0]),
        Work::PreloadCached => {
            pstate.preload(&deck, "cards").await?;
            measured_preload(&pstate, &deck)
        }
        Work::PreloadDeepCold => {
            measured_preload_deep(&pstate.cache_policy(CachePolicy::Bypass), &deck)
        }
        Work::PreloadDeepCached => {
            typed(&pstate.preload(&deck, "cards.translations").await?.ok_or("no deck")?)?;
            measured_preload_deep(&pstate, &deck)
        }
        Work::ResolveCached => {
            pstate.get_resolved(&deck, 2).await?;
            measured_resolve(&pstate, &deck)
        }
        Work::ResolveCold => {
            measured_resolve_cold(&pstate.cache_policy(CachePolicy::Bypass), &deck)
        }
        Work::Migrate => {
            let mut old = MANY.old_card(7);
            old["$v"] = 1.into();
            measured_migrate(&schema()?, &old.to_string())
        }
        Work::ReadMigrated => {
            for (card, key) in keys.iter().enumerate() {
                writer.put_at(1, key, &MANY.old_card(card)).await?;
            }
            // Its queue is larger than what is read: nothing is written back meanwhile.
            let silent = MigrationWriter::default().batch_size(2 * TIMES);
            let migrating = builder().schema(schema()?).migration_writer(silent).build()?;
            migrating.get(&deck).await?;
            measured_get(&migrating, &keys)
        }
        Work::Put => measured_put(&pstate, &keys, &edited(1)?),
        Work::MultiPut => measured_multi_put(&pstate, &keys[..BATCH], &edited(1)?),
        Work::Update => measured_update(&pstate, &keys),
    }
}

fn keys(key: impl Fn(usize) -> String) -> Result<Vec<Key>> {
    Ok((0..TIMES).map(|card| key(card).parse()).collect::<pstate::Result<_>>()?)
}

fn edited(card: usize) -> Result<Card> {
    let mut card: Card = serde_json::from_value(MANY.card(card))?;
    card.rank += 1;
    Ok(card)
}

#[inline(never)]
fn measured_get(pstate: &PState, keys: &[Key]) -> Result<usize> {
    for key in keys {
        black_box(now(pstate.get(key))??);
    }
    Ok(keys.len())
}

#[inline(never)]
fn measured_get_typed(pstate: &PState, keys: &[Key]) -> Result<usize> {
    for key in keys {
        black_box(now(CARDS.get(pstate, key.id()))??);
    }
    Ok(keys.len())
}

#[inline(never)]
fn measured_multi_get(pstate: &PState, keys: &[Key]) -> Result<usize> {
    for _ in 0..TIMES_LARGE {
        black_box(now(CARDS.multi_get(pstate, keys.iter().map(Key::id)))??);
    }
    Ok(TIMES_LARGE)
}

#[inline(never)]
fn measured_plan_preload(pstate: &PState, key: &Key) -> Result<usize> {
    for _ in 0..TIMES {
        black_box(pstate.explain(key, "cards(limit: 10).translations, owner")?);
    }
    Ok(TIMES)
}

#[inline(never)]
fn measured_preload(pstate: &PState, key: &Key) -> Result<usize> {
    for _ in 0..TIMES_LARGE {
        black_box(now(pstate.preload(key, "cards"))??);
    }
    Ok(TIMES_LARGE)
}

#[inline(never)]
fn measured_preload_deep(pstate: &PState, key: &Key) -> Result<usize> {
    for _ in 0..TIMES_LARGE {
        let loaded = now(pstate.preload(key, "cards.translations"))??.ok_or("no deck")?;
        black_box(typed(&loaded)?);
    }
    Ok(TIMES_LARGE)
}

#[inline(never)]
fn measured_resolve(pstate: &PState, key: &Key) -> Result<usize> {
    for _ in 0..TIMES {
        black_box(now(pstate.get_resolved(key, 2))??);
    }
    Ok(TIMES)
}

#[inline(never)]
fn measured_resolve_cold(pstate: &PState, key: &Key) -> Result<usize> {
    for _ in 0..TIMES_LARGE {
        black_box(now(pstate.get_resolved(key, 2))??);
    }
    Ok(TIMES_LARGE)
}

#[inline(never)]
fn measured_migrate(schema: &Schema, old: &str) -> Result<usize> {
    for _ in 0..TIMES {
        black_box(schema.migrate_text("base_card", old)?);
    }
    Ok(TIMES)
}

#[inline(never)]
fn measured_put(pstate: &PState, keys: &[Key], card: &Card) -> Result<usize> {
    for key in keys {
        black_box(now(pstate.put(key, card))??);
    }
    Ok(keys.len())
}

#[inline(never)]
fn measured_multi_put(pstate: &PState, keys: &[Key], card: &Card) -> Result<usize> {
    for _ in 0..TIMES_LARGE {
        now(pstate.multi_put(keys.iter().map(|key| (key, card))))??;
    }
    Ok(TIMES_LARGE)
}

#[inline(never)]
fn measured_update(pstate: &PState, keys: &[Key]) -> Result<usize> {
    for key in keys {
        let update = CARDS.update(pstate, key.id(), |card| {
            card.rank += 1;
            Ok(())
        });
        black_box(now(update)??);
    }
    Ok(keys.len())
}

/// Follows every reference, and decodes every document.
fn typed(loaded: &Loaded) -> Result<Typed> {
    let cards = loaded.follow(loaded.root(), "cards")?.map(|card| {
        let translations = loaded.follow(card, "translations")?.map(Document::decode);
        Ok((card.decode()?, translations.collect::<pstate::Result<_>>()?))
    });
    let cards = cards.collect::<Result<_>>()?;
    Ok((loaded.root().decode()?, cards))
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
