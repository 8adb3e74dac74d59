//! Measures reads of what is cached, against a bare map and against the cache crate used directly.

#![expect(clippy::cast_precision_loss, reason = "far below 2^52")]

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use clap::Parser;
use foldhash::fast::RandomState;
use metrics_exporter_prometheus::PrometheusBuilder;
use pstate::{
    Adapter, Collection, Document, Event, Key, MemoryAdapter, MetricsBridge, Observer, PState, Ref,
    Space,
};
use pstate_benches::{BareCache, Place, Result, quantile};
use pstate_testkit::workload::Deck;
use serde::{Deserialize, Serialize};

/// How many reads one turn has.
const READS: usize = 20_000;

/// How many tasks read at once.
const TASKS: usize = 64;

/// The share of reads that a cache of the right size serves.
const HIT_RATE: f64 = 0.9;

/// Measures reads of what is cached.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many documents are cached.
    #[arg(long, value_delimiter = ',', default_value = "1000,380000")]
    documents: Vec<usize>,
    /// How many rounds count.
    #[arg(long, default_value_t = 41)]
    rounds: usize,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A card, as a program declares it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "decoded, not looked at")]
struct Card {
    front: String,
    back: String,
    translations: std::collections::BTreeMap<String, Ref>,
}

const CARDS: Collection<Card> = Collection::new("base_card");

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    /// A map behind the same hash, without a lock.
    Map,
    /// The cache crate, with the same hash and the same kind of key.
    Bare,
    /// `PState::get` of a text.
    Text,
    /// `PState::get` of a key.
    Key,
    /// `Collection::get`.
    Typed,
    /// `PState::get` of a key, with the metrics bridge and a Prometheus recorder.
    Metrics,
    /// `PState::get` of a key, with an observer that is told each read.
    Observer,
}

/// An observer that does nothing.
struct Silent;

impl Observer for Silent {
    fn on_event(&self, event: &Event<'_>) {
        black_box(event);
    }
}

impl Side {
    const ALL: [Self; 7] =
        [Self::Map, Self::Bare, Self::Text, Self::Key, Self::Typed, Self::Metrics, Self::Observer];

    fn name(self) -> &'static str {
        match self {
            Self::Map => "HashMap",
            Self::Bare => "quick_cache",
            Self::Text => "get(&str)",
            Self::Key => "get(&Key)",
            Self::Typed => "typed get",
            Self::Metrics => "with metrics",
            Self::Observer => "observed",
        }
    }
}

/// Documents in every kind of cache.
struct Cached {
    space: Space,
    ids: Vec<String>,
    texts: Vec<String>,
    keys: Vec<Key>,
    /// Which documents are read, one after the other.
    order: Vec<u32>,
    map: std::collections::HashMap<Place, Document, RandomState>,
    bare: BareCache<Document>,
    pstate: PState,
    metered: PState,
    observed: PState,
    /// With what is decoded, which makes documents lie further apart.
    typed: PState,
    adapter: Arc<MemoryAdapter>,
}

impl Cached {
    async fn new(documents: usize, order: Vec<u32>, bound: u64, room: usize) -> Result<Self> {
        let deck = Deck { id: "many", cards: documents, translations: 3 };
        let adapter = Arc::new(MemoryAdapter::new());
        let plain = PState::builder(adapter.clone()).cache_bytes(0).build()?;
        for card in 0..documents {
            plain.put(deck.card_key(card), &deck.card(card)).await?;
        }
        let handle = || PState::builder(adapter.clone()).cache_bytes(bound);
        let (pstate, typed) = (handle().build()?, handle().build()?);
        let metered = handle().metrics(MetricsBridge::default()).build()?;
        let observed = handle().observer(Arc::new(Silent)).build()?;
        let texts: Vec<String> = (0..documents).map(|card| deck.card_key(card)).collect();
        let keys: Vec<Key> =
            texts.iter().map(|text| text.parse()).collect::<pstate::Result<_>>()?;
        let ids = keys.iter().map(|key| key.id().to_owned()).collect();
        let space = Space::default();
        let hasher = RandomState::default();
        let bare = BareCache::new(room, hasher.clone());
        let mut map = std::collections::HashMap::with_capacity_and_hasher(documents, hasher);
        for key in &keys {
            if let Some(document) = plain.get(key).await? {
                bare.insert(Place::new(&space, key)?, document.clone());
                map.insert(Place::new(&space, key)?, document);
            }
        }
        for key in &keys {
            // Not the text that it is searched with, either.
            pstate.get(key.as_str()).await?;
        }
        for pstate in [&metered, &observed] {
            for key in &keys {
                pstate.get(key.as_str()).await?;
            }
        }
        for key in &keys {
            CARDS.get(&typed, key.id()).await?;
        }
        Ok(Self {
            space,
            ids,
            texts,
            keys,
            order,
            map,
            bare,
            pstate,
            metered,
            observed,
            typed,
            adapter,
        })
    }

    /// Reads from a place in the order on; nanoseconds for each read.
    async fn read(&self, side: Side, from: usize) -> Result<f64> {
        let order = self.order.iter().cycle().skip(from % self.order.len()).take(READS);
        let order: Vec<usize> = order.map(|&at| at as usize).collect();
        let begin = Instant::now();
        for at in order {
            self.read_one(side, at).await?;
        }
        Ok(begin.elapsed().as_secs_f64() * 1e9 / READS as f64)
    }

    #[inline]
    async fn read_one(&self, side: Side, at: usize) -> Result<()> {
        match side {
            Side::Map => {
                let place = Place::sharing(&self.space, &self.keys[at]);
                black_box(self.map.get(&place).cloned());
            }
            Side::Bare => {
                black_box(self.bare.get(&self.space, self.keys[at].as_str()));
            }
            Side::Text => drop(black_box(self.pstate.get(self.texts[at].as_str()).await?)),
            Side::Key => drop(black_box(self.pstate.get(&self.keys[at]).await?)),
            // Types of their own, so that each has its own code, as the only reader in a program would.
            Side::Metrics => drop(black_box(self.metered.get(&&self.keys[at]).await?)),
            Side::Observer => drop(black_box(self.observed.get(&&&self.keys[at]).await?)),
            Side::Typed => drop(black_box(CARDS.get(&self.typed, &self.ids[at]).await?)),
        }
        Ok(())
    }

    /// With the bare crate: what it lacks is read from the store, and kept.
    async fn read_through(&self, at: usize) -> Result<()> {
        let key = &self.keys[at];
        if let Some(document) = self.bare.get(&self.space, key.as_str()) {
            black_box(document);
            return Ok(());
        }
        let found = self.adapter.multi_get(&self.space, std::slice::from_ref(key)).await?;
        if let Some(record) = found.into_iter().flatten().next() {
            let document = Document::load(key.clone(), record)?;
            self.bare.insert(Place::sharing(&self.space, key), black_box(document));
        }
        Ok(())
    }
}

/// One line of the table.
#[derive(Debug, Serialize)]
struct Figures {
    case: &'static str,
    documents: usize,
    threads: usize,
    side: Side,
    median_ns: f64,
    /// The median of the rounds' ratios.
    to_bare: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let buckets = &MetricsBridge::DURATION_BUCKETS;
    let _exporter = PrometheusBuilder::new().set_buckets(buckets)?.install_recorder()?;
    let mut all = Vec::new();
    println!(
        "{:<22}{:>10}{:>9}  {:<12}{:>10}{:>16}",
        "case", "documents", "threads", "side", "median", "to quick_cache"
    );
    for &documents in &arguments.documents {
        let runtime = pstate_benches::runtime()?;
        let order = shuffled(documents);
        let cached = Arc::new(runtime.block_on(Cached::new(
            documents,
            order,
            (documents as u64) << 14,
            2 * documents,
        ))?);
        for threads in [1, 2] {
            let sides = measure(&Side::ALL, arguments.rounds, |side, round| {
                side_by_side(threads, async |thread| {
                    // Far from each other, so that no two threads use the same document at once.
                    let apart = thread * documents / threads;
                    cached.read(side, round * READS + apart).await
                })
            })?;
            report("warm", documents, threads, &Side::ALL, &sides, &mut all);
        }
        let sides = [Side::Bare, Side::Key];
        let measured = measure(&sides, arguments.rounds, |side, _| {
            runtime.block_on(by_tasks(cached.clone(), side))
        })?;
        report("64 tasks", documents, 2, &sides, &measured, &mut all);
    }
    if let Some(&documents) = arguments.documents.last() {
        zipf_mix(documents, arguments.rounds, &mut all)?;
    }
    if let Some(path) = arguments.json {
        fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    Ok(())
}

/// All sides in turns, another one first each time; what each took in each round.
fn measure(
    sides: &[Side],
    rounds: usize,
    mut read: impl FnMut(Side, usize) -> Result<f64>,
) -> Result<Vec<Vec<f64>>> {
    let mut measured = vec![Vec::new(); sides.len()];
    for round in 0..rounds + 3 {
        for turn in 0..sides.len() {
            let at = (round + turn) % sides.len();
            let nanos = read(sides[at], round)?;
            if round >= 3 {
                measured[at].push(nanos);
            }
        }
    }
    Ok(measured)
}

/// Runs something in each of so many threads at once; the mean of what they say.
fn side_by_side(threads: usize, read: impl AsyncFn(usize) -> Result<f64> + Sync) -> Result<f64> {
    let barrier = Barrier::new(threads);
    let nanos: Vec<Result<f64>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let (barrier, read) = (&barrier, &read);
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
                    barrier.wait();
                    runtime.block_on(read(thread))
                })
            })
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<f64>>| {
            thread.join().unwrap_or_else(|_| Err("a thread has panicked".into()))
        };
        threads.into_iter().map(join).collect()
    });
    let nanos: Vec<f64> = nanos.into_iter().collect::<Result<_>>()?;
    Ok(nanos.iter().sum::<f64>() / threads as f64)
}

/// By 64 tasks on two threads; nanoseconds for each read, as the inverse of the throughput.
async fn by_tasks(cached: Arc<Cached>, side: Side) -> Result<f64> {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let cached = cached.clone();
            tokio::spawn(async move {
                let first = task * cached.order.len() / TASKS;
                let order = cached.order.iter().cycle().skip(first).take(READS / 4);
                for (reads, &at) in order.enumerate() {
                    cached.read_one(side, at as usize).await?;
                    if side == Side::Bare && reads % 256 == 255 {
                        // As a read of the handle does.
                        tokio::task::yield_now().await;
                    }
                }
                Ok::<_, pstate_benches::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(begin.elapsed().as_secs_f64() * 1e9 / (TASKS * (READS / 4)) as f64)
}

/// Reads of which some are frequent and most are rare, and one in ten misses.
fn zipf_mix(documents: usize, rounds: usize, all: &mut Vec<Figures>) -> Result<()> {
    let runtime = pstate_benches::runtime()?;
    let order = zipf(documents);
    // The bound at which so many hit, between two that do not.
    let (mut low, mut high) = (1_u64 << 20, 1_u64 << 30);
    let mut found = None;
    for _ in 0..6 {
        let bound = u64::midpoint(low, high);
        let cached = runtime.block_on(Cached::new(documents, order.clone(), bound, 1))?;
        runtime.block_on(async {
            for &at in &cached.order {
                cached.read_one(Side::Key, at as usize).await?;
            }
            Ok::<_, pstate_benches::Error>(())
        })?;
        let before = cached.pstate.stats().cache;
        runtime.block_on(async {
            for &at in &cached.order {
                cached.read_one(Side::Key, at as usize).await?;
            }
            Ok::<_, pstate_benches::Error>(())
        })?;
        let after = cached.pstate.stats();
        let hits = (after.cache.hits - before.hits) as f64;
        let rate = hits / (hits + (after.cache.misses - before.misses) as f64);
        found = Some((bound, rate, after.cache_entries));
        if (rate - HIT_RATE).abs() < 0.01 {
            break;
        }
        if rate < HIT_RATE {
            low = bound;
        } else {
            high = bound;
        }
    }
    let Some((bound, rate, room)) = found else { return Ok(()) };
    println!("zipf: {bound} bytes, {room} documents, hit rate {rate:.3}");
    let cached = runtime.block_on(Cached::new(documents, order, bound, room))?;
    let sides = [Side::Bare, Side::Key];
    for threads in [1, 2] {
        let measured = measure(&sides, rounds, |side, round| {
            side_by_side(threads, async |thread| {
                let from = (round * 2 + thread) * READS % cached.order.len();
                let order = cached.order.iter().cycle().skip(from).take(READS);
                let begin = Instant::now();
                for &at in order {
                    match side {
                        Side::Bare => cached.read_through(at as usize).await?,
                        side => cached.read_one(side, at as usize).await?,
                    }
                }
                Ok(begin.elapsed().as_secs_f64() * 1e9 / READS as f64)
            })
        })?;
        report("zipf, 10% misses", documents, threads, &sides, &measured, all);
    }
    Ok(())
}

fn shuffled(documents: usize) -> Vec<u32> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut order: Vec<u32> = (0..u32::try_from(documents).unwrap_or(u32::MAX)).collect();
    rng.shuffle(&mut order);
    order
}

/// A million reads, with an exponent of 1, of documents in no particular order.
fn zipf(documents: usize) -> Vec<u32> {
    let mut rng = fastrand::Rng::with_seed(11);
    let by_rank = shuffled(documents);
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=documents)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    (0..1_000_000)
        .map(|_| {
            let drawn = rng.f64() * sum;
            by_rank[sums.partition_point(|sum| *sum < drawn).min(documents - 1)]
        })
        .collect()
}

fn report(
    case: &'static str,
    documents: usize,
    threads: usize,
    sides: &[Side],
    measured: &[Vec<f64>],
    all: &mut Vec<Figures>,
) {
    let median = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        quantile(&values, 0.5)
    };
    let bare = sides.iter().position(|side| *side == Side::Bare).unwrap_or_default();
    for (side, rounds) in sides.iter().zip(measured) {
        let ratios: Vec<f64> =
            rounds.iter().zip(&measured[bare]).map(|(own, bare)| own / bare).collect();
        let figures = Figures {
            case,
            documents,
            threads,
            side: *side,
            median_ns: median(rounds),
            to_bare: median(&ratios),
        };
        println!(
            "{case:<22}{documents:>10}{threads:>9}  {:<12}{:>7.1} ns{:>16.2}",
            side.name(),
            figures.median_ns,
            figures.to_bare
        );
        all.push(figures);
    }
}
