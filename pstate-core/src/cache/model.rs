//! The protocol alone, on one key and a graph of that alone: of two tasks in *all* schedules that
//! there are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use shuttle::future::{block_on, spawn};
use shuttle::scheduler::{DfsScheduler, RandomScheduler, Scheduler};
use shuttle::sync::atomic::{self, Ordering::SeqCst};
use shuttle::{Config, Runner};

use std::sync::Arc;

use self::Task::{Change, ChangeBack, Expire, KeepUnchecked, Load, LoseLoad, Preload, Write};
use super::cache::Cache;
use super::flight::FlightResults;
use super::key::CacheKey;
use super::known_graph::Known;
use super::load_guard::{Announced, LoadGuard};
use super::write_guard::WriteGuard;
use crate::document::Document;
use crate::model::{Record, Revision, Space};
use crate::preload::{self, Plan, Walk};
use crate::storage::ChangedTo;
use crate::telemetry::{Telemetry, Thresholds};

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
    /// A preload of the document alone: of the graph that is kept, or of one that it keeps.
    Preload,
    Write,
    /// Another process writes, and the cache learns which record has changed.
    Change,
    /// What is cached has expired; another process writes, then writes back what was there, and the
    /// cache learns of the second write only.
    ChangeBack,
    /// Another process writes, and the cache learns that something has changed.
    Expire,
    /// A defect: what was loaded is kept, whatever was written meanwhile.
    KeepUnchecked,
}

fn key() -> CacheKey {
    CacheKey { space: Space::default(), key: "card:1".parse().unwrap() }
}

fn revision(number: u32) -> Revision {
    Revision::from_number(u128::from(number))
}

/// A document with a number, as its version.
fn document(number: u32) -> Document {
    let record = Record { bytes: Arc::from(*b"{}"), revision: revision(number) };
    Document::from_valid(key().key, record, Some(number))
}

impl Model {
    fn new() -> Self {
        let cache =
            Cache::new(1 << 20, Telemetry::new(Vec::new(), 1, Thresholds::never(), Duration::MAX))
                .unwrap();
        Self { cache, store: atomic::AtomicU32::new(0), acknowledged: AtomicU32::new(0) }
    }

    async fn run(self: Arc<Self>, task: Task) {
        match task {
            Load | LoseLoad | KeepUnchecked => drop(self.load(task).await),
            Preload => self.preload().await,
            Write => self.write(),
            Change => self.write_elsewhere(|cache, number| {
                cache.changed(&key(), ChangedTo::Revision(revision(number)));
            }),
            ChangeBack => self.write_and_write_back(),
            Expire => self.write_elsewhere(|cache, _| cache.epochs().expire_all()),
        }
    }

    async fn preload(&self) {
        let acknowledged = self.acknowledged.load(SeqCst);
        let (preload, min_epoch) = (preload::Preload::new(), self.cache.epochs().min_epoch());
        match self.cache.known_graph(&key(), &preload, min_epoch) {
            Some(Known::Unchanged(graph, _)) => {
                let number = graph.documents()[0].version();
                assert!(
                    number >= acknowledged,
                    "{number} was in a graph that was kept after {acknowledged} was acknowledged"
                );
            }
            Some(Known::Changed(_)) | None => {
                let Some(document) = self.load(Load).await else { return };
                let plan = Plan::new(&preload).unwrap();
                let (graph, _) = Walk::new(&plan, None, document).finish();
                self.cache.keep_graph(key(), &preload, &Arc::new(graph), min_epoch);
            }
        }
    }

    /// Fails if what it loads is older than a write that was acknowledged before.
    async fn load(&self, task: Task) -> Option<Document> {
        let acknowledged = self.acknowledged.load(SeqCst);
        let mut guard = LoadGuard::new(&self.cache, &Space::default());
        let (CacheKey { space, key }, min_epoch) = (key(), self.cache.epochs().min_epoch());
        let announced = match self.cache.get(&space, key.borrow(), min_epoch) {
            Ok(hit) => Announced::Hit(hit.document),
            Err(miss) => guard.announce(&key, &miss, min_epoch),
        };
        let loaded = match announced {
            Announced::Hit(loaded) => loaded,
            Announced::Elsewhere(other, at) => match other.join(at).await.0 {
                Ok(loaded) => loaded,
                // It was lost.
                Err(_) => return None,
            },
            Announced::Here(_) => {
                let epoch = guard.flight().epoch();
                let loaded = Some(document(self.store.load(SeqCst)));
                if matches!(task, LoseLoad) {
                    return None;
                }
                let results: FlightResults = Arc::from([Ok(loaded.clone())]);
                guard.finish(&results);
                if matches!(task, KeepUnchecked) {
                    let key = CacheKey { space, key };
                    self.cache.keep(key, loaded.clone(), epoch);
                }
                loaded
            }
        };
        let number = loaded.as_ref().unwrap().version();
        assert!(
            number >= acknowledged,
            "{number} was loaded after {acknowledged} was acknowledged"
        );
        loaded
    }

    fn write(&self) {
        let guard = WriteGuard::begin(&self.cache, vec![key()]);
        let number = self.store.fetch_add(1, SeqCst) + 1;
        guard.settle([Some(Some(document(number)))]);
        self.acknowledged.fetch_max(number, SeqCst);
    }

    /// A write that is acknowledged when the cache has been told.
    fn write_elsewhere(&self, tell: impl FnOnce(&Cache, u32)) {
        let number = self.store.fetch_add(1, SeqCst) + 1;
        tell(&self.cache, number);
        self.acknowledged.fetch_max(number, SeqCst);
    }

    fn write_and_write_back(&self) {
        let epoch = self.cache.epochs().now();
        self.cache.keep(key(), Some(document(2)), epoch);
        self.cache.epochs().expire_all();
        self.store.store(1, SeqCst);
        self.store.store(2, SeqCst);
        self.cache.changed(&key(), ChangedTo::Revision(revision(2)));
        self.acknowledged.fetch_max(2, SeqCst);
    }
}

/// Runs tasks side by side in all schedules of a scheduler, and says how many those were.
/// Afterwards a load gives what is stored, and no key is pending.
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
            model.load(Load).await;
            // The second one finds the graph that the first one has kept.
            model.preload().await;
            model.preload().await;
        });
        assert!(model.cache.shard(&key()).pending.is_empty());
    });
    println!("{count} schedules");
}

/// Two tasks have some thousand schedules.
fn in_every_schedule(tasks: [Task; 2]) {
    check(DfsScheduler::new(None, false), tasks);
}

/// Three have too many, and so have two of which one is a preload.
fn in_many_schedules<const N: usize>(tasks: [Task; N]) {
    check(RandomScheduler::new(5_000), tasks);
}

#[test]
fn two_tasks_in_every_schedule() {
    for tasks in [
        [Load, Load],
        [Load, Write],
        [Write, Write],
        [LoseLoad, Load],
        [LoseLoad, Write],
        [Load, Change],
        [Write, Change],
        [LoseLoad, Change],
        [Load, ChangeBack],
        [LoseLoad, ChangeBack],
        [Load, Expire],
        [Write, Expire],
    ] {
        in_every_schedule(tasks);
    }
}

#[test]
fn three_tasks_in_many_schedules() {
    for tasks in [
        [Load, Load, Write],
        [Load, Write, Write],
        [LoseLoad, Load, Write],
        [Load, Write, Change],
        [Load, Load, ChangeBack],
        [Load, Load, Expire],
        [Load, Write, Expire],
    ] {
        in_many_schedules(tasks);
    }
}

#[test]
fn preloads_in_many_schedules() {
    for tasks in [[Preload, Write], [Preload, Change], [Preload, Expire], [Preload, LoseLoad]] {
        in_many_schedules(tasks);
    }
    for tasks in [
        [Preload, Preload, Write],
        [Preload, Write, Write],
        [Preload, Preload, Change],
        [Preload, Load, Expire],
    ] {
        in_many_schedules(tasks);
    }
}

/// A check that a task with the defect does not pass.
#[test]
fn keeping_what_a_write_has_overtaken_is_found() {
    for other in [Write, Change] {
        let failed = std::panic::catch_unwind(|| in_every_schedule([KeepUnchecked, other]));
        let why = failed.expect_err("the defect was not found").downcast::<String>().unwrap();
        assert!(why.contains("was loaded after"), "{why}");
    }
}
