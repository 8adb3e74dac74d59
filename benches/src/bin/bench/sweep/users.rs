//! Users of the store: they read and write cards at a given rate, even when the store is slow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pstate::PState;
use pstate_benches::Result;
use pstate_benches::measure::{nanos_since, quantile};
use pstate_testkit::workload::Deck;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinHandle;

/// How many users there are.
const USERS: usize = 4;

/// One of this many operations is a write.
const WRITE_EVERY: usize = 5;

/// Higher than the rank of any card in the file.
const FIRST_RANK: u64 = 1 << 32;

/// How many parts of a run have figures of their own. What comes before the first has none.
const PHASES: usize = 3;

/// What users experienced during a phase; times in nanoseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) reads: Latency,
    pub(super) writes: Latency,
}

/// The latency of one kind of operation.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Latency {
    pub(super) count: usize,
    /// The call alone.
    pub(super) p50_ns: f64,
    pub(super) p99_ns: f64,
    pub(super) max_ns: f64,
    /// From the time when the call was due to its end. The timer alone takes up to a millisecond of
    /// it.
    pub(super) p99_since_due_ns: f64,
}

/// Users at work.
pub(super) struct Users {
    phase: Arc<AtomicUsize>,
    tasks: Vec<JoinHandle<pstate::Result<Log>>>,
}

/// The log of one user.
#[derive(Default)]
struct Log {
    reads: [Samples; PHASES],
    writes: [Samples; PHASES],
    /// The last acknowledged rank of each card.
    acknowledged: BTreeMap<usize, u64>,
}

#[derive(Default)]
struct Samples {
    calls: Vec<f64>,
    since_due: Vec<f64>,
}

impl Users {
    /// Starts users, who do this many operations a second together.
    pub(super) fn start(pstate: &PState, deck: Deck, operations_per_second: u32) -> Self {
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

    /// Begins the next phase; the first call begins the first phase.
    pub(super) fn next_phase(&self) {
        self.phase.fetch_add(1, Relaxed);
    }

    /// Ends the last phase. What users experienced in each, and the last acknowledged rank of each
    /// card.
    pub(super) async fn stop(self) -> Result<([Seen; PHASES], Vec<(usize, u64)>)> {
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
                // Each user writes cards of its own, so that its log knows the last write of each.
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
                samples.calls.push(nanos_since(begin));
                samples.since_due.push(nanos_since(due));
            }
            // A late user does not wait, so that it skips no operation.
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
