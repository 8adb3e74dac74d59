//! Measuring many tasks at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pstate::{Key, PState};
use pstate_testkit::workload::Zipf;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::task::coop::consume_budget;

use crate::Result;
use crate::backend::{Backend, BackendName, OnBackend};
use crate::documents::card::Card;
use crate::documents::{Dataset, edited, store};
use crate::measure::quantiles;

use super::figures::{Figures, Mix};

/// How many tasks work at once.
const TASKS: [usize; 4] = [1, 8, 64, 512];

/// How many documents the store has.
const DOCUMENTS: usize = 10_000;

/// How long the task sleeps that measures how late timers are.
const TICK: Duration = Duration::from_millis(2);

/// How long the tasks work before anything counts.
const WARM_UP: Duration = Duration::from_millis(100);

/// In a mix of both, one of this many operations is a write.
const WRITE_EVERY: usize = 10;

/// Measures all mixes with all numbers of tasks on a backend, each for this time.
///
/// # Errors
/// What the store reports.
pub fn measure(runtime: &Runtime, backend: BackendName, time: Duration) -> Result<Vec<Figures>> {
    backend.run(Throughput { runtime, time })
}

struct Throughput<'a> {
    runtime: &'a Runtime,
    time: Duration,
}

impl OnBackend for Throughput<'_> {
    type Output = Result<Vec<Figures>>;

    fn run<B: Backend>(self, name: BackendName) -> Result<Vec<Figures>> {
        let Self { runtime, time } = self;
        runtime.block_on(runtime.spawn(all::<B>(name, time)))?
    }
}

async fn all<B: Backend>(name: BackendName, time: Duration) -> Result<Vec<Figures>> {
    let backend = B::create().await?;
    let (dataset, texts) = Dataset::large(DOCUMENTS)?;
    store(&*backend.adapter(), &texts).await?;
    let keys: Arc<[Key]> = dataset.cards.into();
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
                documents: (0..100)
                    .map(|edition| edited(edition, edition))
                    .collect::<Result<_>>()?,
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

/// What the tasks share.
struct Work {
    pstate: PState,
    keys: Arc<[Key]>,
    zipf: Zipf,
    documents: Vec<Card>,
    mix: Mix,
    /// Whether operations count now.
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
            // Without this, a loop that never waits, such as reads of the store in memory, would
            // never let other tasks run.
            consume_budget().await;
            let begin = Instant::now();
            if writes {
                let mut document = self.documents[random.usize(..self.documents.len())].clone();
                document.rank = random.u32(..).into();
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

    /// How late each timer was, in nanoseconds.
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
    let [median, of_100, of_1000] = nanos_quantiles(taken, [0.5, 0.99, 0.999]);
    let [timer_p50_ns, timer_p99_ns, timer_max_ns] =
        nanos_quantiles(watch.await?, [0.5, 0.99, 1.0]);
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

fn nanos_quantiles(nanos: Vec<u32>, shares: [f64; 3]) -> [f64; 3] {
    quantiles(nanos.into_iter().map(f64::from).collect(), shares)
}
