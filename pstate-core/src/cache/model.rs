//! The protocol alone, on one key: of two tasks in *all* schedules that there are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::AtomicU32;

use shuttle::future::{block_on, spawn};
use shuttle::scheduler::{DfsScheduler, RandomScheduler, Scheduler};
use shuttle::sync::atomic::{self, Ordering::SeqCst};
use shuttle::{Config, Runner};

use self::Task::{Load, LoseLoad, Write};
use super::*;
use crate::record::{Record, Revision};

/// A cache, and a store that holds the number of its last write.
struct Model {
    cache: Arc<Cache>,
    /// At each access others may go on.
    store: atomic::AtomicU32,
    /// The last write that was acknowledged.
    acknowledged: AtomicU32,
}

#[derive(Clone, Copy)]
enum Task {
    Load,
    /// A load that gets lost.
    LoseLoad,
    Write,
}

fn key() -> CacheKey {
    CacheKey { space: Space::default(), key: "card:1".parse().unwrap() }
}

/// A document with a number, as its version.
fn document(number: u32) -> Document {
    let record = Record { bytes: Arc::from(*b"{}"), revision: Revision::from_number(0) };
    Document::from_valid(key().key, record, Some(number))
}

impl Model {
    fn new() -> Self {
        let cache = Cache::new(1 << 20).unwrap();
        Self { cache, store: atomic::AtomicU32::new(0), acknowledged: AtomicU32::new(0) }
    }

    async fn run(self: Arc<Self>, task: Task) {
        match task {
            Load => self.load(false).await,
            LoseLoad => self.load(true).await,
            Write => self.write(),
        }
    }

    /// Fails if what it loads is older than a write that was acknowledged before.
    async fn load(&self, lose: bool) {
        let acknowledged = self.acknowledged.load(SeqCst);
        let (flight, mut guard) = Flight::new(&self.cache);
        let loaded = match self.cache.begin_load(&key(), &flight, 0, 0) {
            BeginLoad::Hit(loaded) => loaded,
            BeginLoad::Join(other, at) => match other.join(at).await {
                Ok(loaded) => loaded,
                // It was lost.
                Err(_) => return,
            },
            BeginLoad::Lead(_) | BeginLoad::Alone => {
                guard.push(key(), None);
                let loaded = Some(document(self.store.load(SeqCst)));
                if lose {
                    return;
                }
                let results: FlightResults = Arc::from([Ok(loaded.clone())]);
                guard.finish(&results);
                loaded
            }
        };
        let number = loaded.unwrap().version();
        assert!(
            number >= acknowledged,
            "{number} was loaded after {acknowledged} was acknowledged"
        );
    }

    fn write(&self) {
        let guard = self.cache.begin_write(vec![key()]);
        let number = self.store.fetch_add(1, SeqCst) + 1;
        guard.settle([Some(Some(document(number)))]);
        self.acknowledged.fetch_max(number, SeqCst);
    }
}

/// Runs tasks side by side in all schedules of a scheduler, and says how many those were. Afterwards
/// a load gives what is stored, and no key is pending.
fn check<const N: usize>(scheduler: impl Scheduler + 'static, tasks: [Task; N]) {
    let mut config = Config::new();
    config.silence_warnings = true;
    let count = Runner::new(scheduler, config).run(move || {
        let model = Arc::new(Model::new());
        let tasks = tasks.map(|task| spawn(model.clone().run(task)));
        block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
            model.load(false).await;
        });
        assert!(model.cache.shard(&key()).is_empty());
    });
    println!("{count} schedules");
}

/// Two tasks have some thousand schedules.
fn in_every_schedule(tasks: [Task; 2]) {
    check(DfsScheduler::new(None, false), tasks);
}

/// Three have too many.
fn in_many_schedules(tasks: [Task; 3]) {
    check(RandomScheduler::new(5_000), tasks);
}

#[test]
fn two_tasks_in_every_schedule() {
    for tasks in [[Load, Load], [Load, Write], [Write, Write], [LoseLoad, Load], [LoseLoad, Write]]
    {
        in_every_schedule(tasks);
    }
}

#[test]
fn three_tasks_in_many_schedules() {
    for tasks in [[Load, Load, Write], [Load, Write, Write], [LoseLoad, Load, Write]] {
        in_many_schedules(tasks);
    }
}
