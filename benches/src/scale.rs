//! What grows with the number of documents.

use std::env;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use pstate::{Adapter, Key, PState};
use pstate_testkit::workload::{Deck, schema};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use crate::backend::{Backend, BackendName, OnBackend};
use crate::fixture::{BATCH, ELEVEN, cards_at, eleven, scattered, store};
use crate::measure::quantile;
use crate::memory;
use crate::report::{aligned, markdown_table, time};
use crate::timing::{nanos_since, timed};
use crate::{Error, Result};

/// How many documents there are.
pub const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 380_000, 1_000_000];

/// How many documents are written at once while seeding.
const SEED_BATCH: usize = 500;

/// How many single documents are read.
const GETS: usize = 1_000;
/// How many batches are read, and how many prefixes.
const ROUNDS: usize = 41;

/// A growth per tenfold above this is no index's.
const STEEP: f64 = 2.0;

/// What a store of one size takes; times in nanoseconds, memory in bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// The store.
    pub backend: String,
    /// How many documents it has.
    pub documents: usize,
    /// Writing a document, in batches of 500.
    pub seed_ns: f64,
    /// A document that is not cached: the median.
    pub get_cold_ns: f64,
    /// 100 documents that are not cached: the median.
    pub multi_get_100_ns: f64,
    /// The 11 documents whose keys begin alike: the median.
    pub scan_11_ns: f64,
    /// A document of a scan of all.
    pub full_scan_ns: f64,
    /// By how much the process grew at most during that.
    pub full_scan_bytes: u64,
    /// A document of a sweep that migrates all.
    pub sweep_ns: f64,
    /// What a document takes in the store; `None` if that lies in the process.
    pub stored_bytes: Option<f64>,
    /// Resident in the end, a cache of 64 MiB included.
    pub resident_bytes: u64,
    /// From opening the store until a document was read; `None` if there is nothing to open.
    pub cold_start_ns: Option<f64>,
}

/// Measures a store of one size in a process of its own, whose memory holds nothing else.
///
/// The program has to call [`child`] if it is started with `--scale N --backend NAME`.
///
/// # Errors
/// What the process has failed with.
pub fn measure(backend: BackendName, documents: usize) -> Result<Figures> {
    let output = Command::new(env::current_exe()?)
        .args(["--scale", &documents.to_string(), "--backend", backend.name()])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What that process does: prints the figures.
///
/// # Errors
/// What the store reports.
pub fn child(backend: BackendName, documents: usize) -> Result<()> {
    // Not the other benchmarks' runtime, whose threads have grown their heaps.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = backend.run(Scale { runtime: &runtime, documents })?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

struct Scale<'a> {
    runtime: &'a Runtime,
    documents: usize,
}

impl OnBackend for Scale<'_> {
    type Output = Result<Figures>;

    fn run<B: Backend>(self, name: BackendName) -> Result<Figures> {
        let Self { runtime, documents } = self;
        runtime.block_on(runtime.spawn(grown::<B>(name, documents)))?
    }
}

async fn grown<B: Backend>(name: BackendName, documents: usize) -> Result<Figures> {
    let deck = Deck { id: "many", cards: documents, translations: 3 };
    let mut backend = B::create().await?;
    let seeding = seed(&*backend.adapter(), deck).await?;
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
        seed(&*adapter, deck).await?;
    }
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
        get_cold_ns: median(gets),
        multi_get_100_ns: median(batches),
        scan_11_ns: median(scans),
        full_scan_ns: each(full_scan),
        full_scan_bytes,
        sweep_ns: each(sweep),
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        stored_bytes: stored_bytes.map(|bytes| bytes as f64 / documents_f64(documents)),
        resident_bytes: memory::resident()?,
        cold_start_ns,
    })
}

/// Writes all cards in their old shape; how many nanoseconds the store took.
async fn seed(adapter: &dyn Adapter, deck: Deck) -> Result<f64> {
    let mut nanos = 0.0;
    for first in (0..deck.cards).step_by(SEED_BATCH) {
        let cards = cards_at(1, deck, first..deck.cards.min(first + SEED_BATCH))?;
        nanos += timed(store(adapter, &cards)).await?;
    }
    store(adapter, &eleven()?).await?;
    Ok(nanos)
}

async fn scan_all(pstate: &PState, documents: usize) -> Result<(f64, u64)> {
    memory::reset_peak()?;
    let before = memory::resident()?;
    let begin = Instant::now();
    let found =
        pstate.scan("base_card:many-").stream().try_fold(0, async |found, _| Ok(found + 1)).await?;
    let nanos = nanos_since(begin);
    if found != documents {
        return Err(format!("{found} documents were found instead of {documents}").into());
    }
    Ok((nanos, memory::peak()?.saturating_sub(before)))
}

async fn sweep(adapter: Arc<dyn Adapter>) -> Result<f64> {
    let pstate = PState::builder(adapter).schema(schema()?).build()?;
    let report = pstate.migrate_all().lease(Duration::from_secs(1)).run().await?;
    if report.failed > 0 {
        return Err(format!("{} documents could not be migrated", report.failed).into());
    }
    Ok::<_, Error>(report.duration.as_secs_f64() * 1e9)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn documents_f64(documents: usize) -> f64 {
    documents as f64
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    quantile(&samples, 0.5)
}

/// One line of the table: what grows, how it is shown, and below what it does not matter.
struct Line {
    name: &'static str,
    of: fn(&Figures) -> Option<f64>,
    show: fn(f64) -> String,
    least: f64,
}

impl Line {
    const fn time(name: &'static str, of: fn(&Figures) -> Option<f64>) -> Self {
        Self { name, of, show: time, least: 1.0 }
    }

    const fn memory(name: &'static str, of: fn(&Figures) -> Option<f64>) -> Self {
        Self { name, of, show: mebibytes, least: (16 << 20) as f64 }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
const LINES: [Line; 10] = [
    Line::time("seeding, a document", |figures| Some(figures.seed_ns)),
    Line::time("get, not cached", |figures| Some(figures.get_cold_ns)),
    Line::time("multi_get of 100, not cached", |figures| Some(figures.multi_get_100_ns)),
    Line::time("scan of 11", |figures| Some(figures.scan_11_ns)),
    Line::time("scan of all, a document", |figures| Some(figures.full_scan_ns)),
    Line::memory("scan of all, memory", |figures| Some(figures.full_scan_bytes as f64)),
    Line::time("sweep, a document", |figures| Some(figures.sweep_ns)),
    Line {
        name: "stored, a document",
        of: |figures| figures.stored_bytes,
        show: |bytes| format!("{bytes:.0} B"),
        least: 1.0,
    },
    Line::memory("resident, cache included", |figures| Some(figures.resident_bytes as f64)),
    Line::time("cold start", |figures| figures.cold_start_ns),
];

fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
}

/// The figures of one backend as text, in ascending order of size: in the last column the growth per
/// tenfold from the first size to the last, marked where it is steeper than an index's anywhere between.
pub fn table(figures: &[Figures]) -> String {
    let (heading, lines) = cells(figures);
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    aligned(&heading, &lines)
}

/// The same in Markdown.
pub fn markdown(figures: &[Figures]) -> String {
    let (heading, lines) = cells(figures);
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    markdown_table(&heading, &lines)
}

fn cells(figures: &[Figures]) -> (Vec<String>, Vec<Vec<String>>) {
    let backend = figures.first().map(|first| first.backend.clone()).unwrap_or_default();
    let sizes = figures.iter().map(|figures| figures.documents.to_string());
    let heading = [backend].into_iter().chain(sizes).chain(["a tenfold".to_owned()]).collect();
    let line = |Line { name, of, show, least }: &Line| {
        let values: Vec<Option<f64>> = figures.iter().map(of).collect();
        let shown = values.iter().map(|value| value.map_or("-".to_owned(), show));
        let at: Vec<(f64, f64)> = figures
            .iter()
            .zip(&values)
            .filter_map(|(figures, value)| {
                Some((documents_f64(figures.documents), (*value)?.max(*least)))
            })
            .collect();
        [(*name).to_owned()].into_iter().chain(shown).chain([growth(&at)]).collect()
    };
    (heading, LINES.iter().map(line).collect())
}

/// By what factor something grows while the number of documents grows tenfold.
fn growth(at: &[(f64, f64)]) -> String {
    let between = |(from, to): (&(f64, f64), &(f64, f64))| {
        (to.1 / from.1).powf(1.0 / (to.0 / from.0).log10())
    };
    let (Some(first), Some(last)) = (at.first(), at.last()) else { return "-".to_owned() };
    if at.len() < 2 {
        return "-".to_owned();
    }
    let steepest = at.iter().zip(&at[1..]).map(between).fold(0.0, f64::max);
    let mark = if steepest > STEEP { format!(" (up to {steepest:.1})") } else { String::new() };
    format!("{:.2}x{mark}", between((first, last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_for_a_tenfold_whatever_the_sizes() {
        assert_eq!(growth(&[(1e3, 1.0), (1e5, 4.0)]), "2.00x");
        assert_eq!(growth(&[(1e3, 1.0), (1e4, 1.0), (1e5, 9.0)]), "3.00x (up to 9.0)");
        assert_eq!(growth(&[(1e3, 1.0)]), "-");
    }
}
