//! Users of the store: they read and write cards at a given rate, whatever else goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pstate::PState;
use pstate_benches::{Result, quantile};
use pstate_testkit::workload::Deck;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinHandle;

/// How many there are.
const USERS: usize = 4;

/// One operation in so many is a write.
const WRITE_EVERY: usize = 5;

/// Higher than the rank of any card that was seeded.
const FIRST_RANK: u64 = 1 << 32;

/// Parts of a run that are reported apart. What is done before the first is not reported.
const PHASES: usize = 3;

/// What users have seen during a phase; times in nanoseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) reads: Latency,
    pub(crate) writes: Latency,
}

/// Of one kind of operation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: usize,
    /// Of the call alone.
    pub(crate) p50_ns: f64,
    pub(crate) p99_ns: f64,
    pub(crate) max_ns: f64,
    /// From when the user wanted to begin until it was done. The timer alone takes up to a
    /// millisecond of that.
    pub(crate) p99_since_due_ns: f64,
}

/// Users at work.
pub(crate) struct Users {
    phase: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<pstate::Result<Log>>>,
}

/// What one user has done.
#[derive(Default)]
struct Log {
    reads: [Samples; PHASES],
    writes: [Samples; PHASES],
    /// The last rank that was acknowledged, for each card.
    acknowledged: BTreeMap<usize, u64>,
}

#[derive(Default)]
struct Samples {
    calls: Vec<f64>,
    since_due: Vec<f64>,
}

impl Users {
    /// Lets users begin. Together they do so many operations a second.
    pub(crate) fn start(pstate: &PState, deck: Deck, operations_per_second: u32) -> Self {
        let phase = Arc::new(AtomicUsize::new(0));
        let interval =
            Duration::from_secs(1) / operations_per_second * u32::try_from(USERS).unwrap_or(1);
        let start = |user| {
            let user = User { pstate: pstate.clone(), deck, number: user, interval };
            tokio::spawn(user.work(phase.clone()))
        };
        let tasks = (0..USERS).map(start).collect();
        Self { phase, tasks }
    }

    /// Begins the next phase; the first when nothing was reported before.
    pub(crate) fn next_phase(&self) {
        self.phase.fetch_add(1, Relaxed);
    }

    /// Ends the last phase. What was seen in each, and the last acknowledged rank of each card.
    pub(crate) async fn stop(self) -> Result<([Seen; PHASES], Vec<(usize, u64)>)> {
        self.phase.store(PHASES + 1, Relaxed);
        let mut all = Log::default();
        for task in self.tasks {
            let log = task.await??;
            for phase in 0..PHASES {
                all.reads[phase].extend(&log.reads[phase]);
                all.writes[phase].extend(&log.writes[phase]);
            }
            all.acknowledged.extend(log.acknowledged);
        }
        let mut reads = all.reads.into_iter();
        let seen = all.writes.map(|writes| Seen {
            reads: reads.next().unwrap_or_default().latency(),
            writes: writes.latency(),
        });
        Ok((seen, all.acknowledged.into_iter().collect()))
    }
}

struct User {
    pstate: PState,
    deck: Deck,
    number: usize,
    interval: Duration,
}

impl User {
    async fn work(self, phase: Arc<AtomicUsize>) -> pstate::Result<Log> {
        let mut random = Rng::with_seed(self.number as u64);
        let mut log = Log::default();
        let begin = Instant::now();
        let mut due = begin;
        for operation in 0.. {
            tokio::time::sleep_until(due.into()).await;
            let phase = phase.load(Relaxed);
            if phase > PHASES {
                break;
            }
            let begin = Instant::now();
            let samples = if operation % WRITE_EVERY == 0 {
                // Each user has cards of its own to write, so that it is known which write was last.
                let card = random.usize(0..self.deck.cards / USERS) * USERS + self.number;
                let rank = FIRST_RANK + operation as u64;
                let mut value = self.deck.card(card);
                value["rank"] = json!(rank);
                self.pstate.put(self.deck.card_key(card), &value).await?;
                log.acknowledged.insert(card, rank);
                &mut log.writes
            } else {
                self.pstate.get(self.deck.card_key(random.usize(0..self.deck.cards))).await?;
                &mut log.reads
            };
            if let Some(samples) = phase.checked_sub(1).and_then(|phase| samples.get_mut(phase)) {
                samples.calls.push(begin.elapsed().as_secs_f64() * 1e9);
                samples.since_due.push(due.elapsed().as_secs_f64() * 1e9);
            }
            // Whoever is late does not wait, so that no operation is left out.
            due += self.interval;
        }
        Ok(log)
    }
}

impl Samples {
    fn extend(&mut self, other: &Self) {
        self.calls.extend(&other.calls);
        self.since_due.extend(&other.since_due);
    }

    fn latency(mut self) -> Latency {
        self.calls.sort_unstable_by(f64::total_cmp);
        self.since_due.sort_unstable_by(f64::total_cmp);
        Latency {
            count: self.calls.len(),
            p50_ns: quantile(&self.calls, 0.5),
            p99_ns: quantile(&self.calls, 0.99),
            max_ns: quantile(&self.calls, 1.0),
            p99_since_due_ns: quantile(&self.since_due, 0.99),
        }
    }
}
