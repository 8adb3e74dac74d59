//! Many tasks at once, and what other tasks of the same executor feel meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pstate::{Key, PState};
use pstate_testkit::workload::Zipf;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::task::coop::consume_budget;

use crate::Result;
use crate::backend::{Backend, BackendName, OnBackend};
use crate::fixture::{Fixture, edited, store};
use crate::measure::quantile;
use crate::report::{aligned, markdown_table, time};

/// How many tasks there are.
const TASKS: [usize; 4] = [1, 8, 64, 512];

/// How many documents the store has.
const DOCUMENTS: usize = 10_000;

/// What the task waits for that looks whether timers are late.
const TICK: Duration = Duration::from_millis(2);

/// Before anything counts.
const WARM_UP: Duration = Duration::from_millis(100);

/// One operation in so many writes, where both are done.
const WRITE_EVERY: usize = 10;

/// What tasks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mix {
    /// Nothing: what timers are like without.
    Idle,
    /// Gets of any document, without a cache: each goes to the store.
    Reads,
    /// Puts of any document.
    Writes,
    /// Nine gets to one put, of which few documents are asked for often, through a cache of 64 MiB.
    Zipf,
}

impl Mix {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Reads => "reads, not cached",
            Self::Writes => "writes",
            Self::Zipf => "90/10 zipf, cached",
        }
    }
}

/// What so many tasks did together; times in nanoseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// The store.
    pub backend: String,
    /// What they did.
    pub mix: Mix,
    /// How many there were.
    pub tasks: usize,
    /// All of them together.
    pub operations_per_second: f64,
    /// Of one operation.
    pub p50_ns: f64,
    /// 99 of 100 take no longer.
    pub p99_ns: f64,
    /// 999 of 1,000 take no longer.
    pub p999_ns: f64,
    /// How late a timer on the same executor was. Its own millisecond is included.
    pub timer_p50_ns: f64,
    /// 99 of 100 are no later.
    pub timer_p99_ns: f64,
    /// The latest.
    pub timer_max_ns: f64,
}

/// Measures all mixes with all numbers of tasks on a backend, each for so long.
///
/// # Errors
/// What the store reports.
pub fn measure(runtime: &Runtime, backend: BackendName, time: Duration) -> Result<Vec<Figures>> {
    backend.run(Concurrency { runtime, time })
}

struct Concurrency<'a> {
    runtime: &'a Runtime,
    time: Duration,
}

impl OnBackend for Concurrency<'_> {
    type Output = Result<Vec<Figures>>;

    fn run<B: Backend>(self, name: BackendName) -> Result<Vec<Figures>> {
        let Self { runtime, time } = self;
        runtime.block_on(runtime.spawn(all::<B>(name, time)))?
    }
}

async fn all<B: Backend>(name: BackendName, time: Duration) -> Result<Vec<Figures>> {
    let backend = B::create().await?;
    let (fixture, texts) = Fixture::large(DOCUMENTS)?;
    store(&*backend.adapter(), &texts).await?;
    let keys: Arc<[Key]> = fixture.cards.into();
    let mut figures = Vec::new();
    for mix in [Mix::Idle, Mix::Reads, Mix::Writes, Mix::Zipf] {
        let numbers = if mix == Mix::Idle { &[0][..] } else { &TASKS };
        for &tasks in numbers {
            let builder = PState::builder(backend.adapter());
            let pstate = match mix {
                Mix::Reads => builder.cache_bytes(0).build()?,
                _ => builder.build()?,
            };
            let work = Arc::new(Work {
                pstate,
                zipf: Zipf::new(keys.len()),
                documents: (0..100).map(|edition| edited(edition, edition)).collect(),
                keys: keys.clone(),
                mix,
                counts: AtomicBool::new(false),
                ends: AtomicBool::new(false),
            });
            figures.push(together(name, work, tasks, time).await?);
        }
    }
    Ok(figures)
}

/// What tasks share.
struct Work {
    pstate: PState,
    keys: Arc<[Key]>,
    zipf: Zipf,
    documents: Vec<Value>,
    mix: Mix,
    /// Whether what is done now counts.
    counts: AtomicBool,
    ends: AtomicBool,
}

impl Work {
    /// How many nanoseconds each operation took.
    async fn work(self: Arc<Self>, task: usize) -> Result<Vec<u32>> {
        let mut random = Rng::with_seed(task as u64);
        let mut taken = Vec::new();
        while !self.ends.load(Relaxed) {
            let key = match self.mix {
                Mix::Zipf => &self.keys[self.zipf.draw(&mut random)],
                _ => &self.keys[random.usize(..self.keys.len())],
            };
            let writes = match self.mix {
                Mix::Writes => true,
                Mix::Zipf => random.usize(..WRITE_EVERY) == 0,
                Mix::Idle | Mix::Reads => false,
            };
            // A loop that never waits, as reads of the store in memory are, would not let others in.
            consume_budget().await;
            let begin = Instant::now();
            if writes {
                let mut document = self.documents[random.usize(..self.documents.len())].clone();
                document["rank"] = random.u32(..).into();
                self.pstate.put(key, &document).await?;
            } else {
                std::hint::black_box(self.pstate.get(key).await?);
            }
            if self.counts.load(Relaxed) {
                taken.push(u32::try_from(begin.elapsed().as_nanos()).unwrap_or(u32::MAX));
            }
        }
        Ok(taken)
    }

    /// How late each timer was.
    async fn watch(self: Arc<Self>) -> Vec<u32> {
        let mut late = Vec::new();
        while !self.ends.load(Relaxed) {
            let due = Instant::now() + TICK;
            tokio::time::sleep_until(due.into()).await;
            if self.counts.load(Relaxed) {
                late.push(u32::try_from(due.elapsed().as_nanos()).unwrap_or(u32::MAX));
            }
        }
        late
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
async fn together(
    backend: BackendName,
    work: Arc<Work>,
    tasks: usize,
    time: Duration,
) -> Result<Figures> {
    let watch = tokio::spawn(work.clone().watch());
    let mut running: JoinSet<_> = (0..tasks).map(|task| work.clone().work(task)).collect();
    tokio::time::sleep(WARM_UP).await;
    let begin = Instant::now();
    work.counts.store(true, Relaxed);
    tokio::time::sleep(time).await;
    work.counts.store(false, Relaxed);
    let seconds = begin.elapsed().as_secs_f64();
    work.ends.store(true, Relaxed);
    let mut taken = Vec::new();
    while let Some(done) = running.join_next().await {
        taken.extend(done??);
    }
    let operations_per_second = taken.len() as f64 / seconds;
    let [median, of_100, of_1000] = quantiles(taken, [0.5, 0.99, 0.999]);
    let [timer_p50_ns, timer_p99_ns, timer_max_ns] = quantiles(watch.await?, [0.5, 0.99, 1.0]);
    Ok(Figures {
        backend: backend.name().to_owned(),
        mix: work.mix,
        tasks,
        operations_per_second,
        p50_ns: median,
        p99_ns: of_100,
        p999_ns: of_1000,
        timer_p50_ns,
        timer_p99_ns,
        timer_max_ns,
    })
}

fn quantiles(taken: Vec<u32>, shares: [f64; 3]) -> [f64; 3] {
    let mut sorted: Vec<f64> = taken.into_iter().map(f64::from).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    shares.map(|share| quantile(&sorted, share))
}

const HEADING: [&str; 10] = [
    "mix",
    "backend",
    "tasks",
    "operations/s",
    "p50",
    "p99",
    "p99.9",
    "timer late, p50",
    "p99",
    "at most",
];

/// The figures as text.
pub fn table(figures: &[Figures]) -> String {
    aligned(&HEADING, &figures.iter().map(cells).collect::<Vec<_>>())
}

/// The same in Markdown.
pub fn markdown(figures: &[Figures]) -> String {
    markdown_table(&HEADING, &figures.iter().map(cells).collect::<Vec<_>>())
}

fn cells(figures: &Figures) -> Vec<String> {
    let took = |nanos: f64| if figures.mix == Mix::Idle { "-".to_owned() } else { time(nanos) };
    vec![
        figures.mix.name().to_owned(),
        figures.backend.clone(),
        figures.tasks.to_string(),
        format!("{:.0}", figures.operations_per_second),
        took(figures.p50_ns),
        took(figures.p99_ns),
        took(figures.p999_ns),
        time(figures.timer_p50_ns),
        time(figures.timer_p99_ns),
        time(figures.timer_max_ns),
    ]
}
