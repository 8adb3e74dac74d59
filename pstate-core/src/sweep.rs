//! Migrating everything that is stored, eagerly.

use std::cmp::Ordering;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::adapter::Scan;
use crate::control::{Controller, control};
use crate::document::Document;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::migrate;
use crate::pstate::PState;
use crate::record::Record;
use crate::schema::{Entity, Schema};
use crate::space::Space;

mod checkpoint;
mod dry_run;
mod lease;
mod progress;
mod task;

pub use checkpoint::SweepCheckpoint;
pub use dry_run::{DryRun, DryRunCounts, Problem, ProblemKind, Sample};
use lease::Lease;
pub(crate) use lease::last_sweep;
pub use progress::{SweepFailure, SweepProgress, SweepReport, SweepState};
use task::Task;

/// How many failures a report holds unless something else is asked for.
const FAILURES_KEPT: usize = 100;

/// A walk over a space that migrates what is old; made by [`PState::migrate_all`].
#[derive(Debug, Clone)]
#[must_use = "a sweep does nothing until it is started"]
pub struct Sweep {
    pstate: PState,
    settings: Settings,
}

#[derive(Debug, Clone)]
struct Settings {
    page_size: NonZeroUsize,
    rate: Option<NonZeroU32>,
    lease: Duration,
    stop_on_failure: bool,
    keep_failures: usize,
    count_first: Option<bool>,
    lossless: bool,
    samples: usize,
}

impl PState {
    /// Migrates every document of this space that is older than the schema, without waiting for
    /// somebody to read it.
    ///
    /// It walks the declared entity types page by page, beside everything else that goes on. Each
    /// document is stored by compare-and-swap on what was read, so nothing that somebody writes
    /// meanwhile is undone; that counts as a conflict. What it has done it notes in the store after
    /// each page: a sweep that was stopped, or killed, goes on there when it is started again. Only
    /// one sweeps a space at a time, in all processes.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use std::sync::Arc;
    /// use pstate_core::schema::{Entity, Schema, patterns};
    /// use pstate_core::{MemoryAdapter, PState};
    /// use serde_json::json;
    ///
    /// let schema = Schema::new([
    ///     Entity::new("deck", 2).step(1, 2, patterns::rename("title", "name")),
    /// ])?;
    /// let pstate = PState::builder(Arc::new(MemoryAdapter::new())).schema(schema).build()?;
    /// pstate.put_at(1, "deck:es", &json!({ "title": "Spanish" })).await?;
    ///
    /// let checked = pstate.migrate_all().dry_run().await?;
    /// assert!(checked.problems.is_empty(), "{checked}");
    ///
    /// let sweep = pstate.migrate_all().rate(5_000).start().await?;
    /// let report = sweep.wait().await?;
    /// assert_eq!((report.done, report.stored, report.failed), (1, 1, 0));
    /// assert_eq!(pstate.migration_status().await?.older(), 0);
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    pub fn migrate_all(&self) -> Sweep {
        let settings = Settings {
            page_size: NonZeroUsize::new(256).unwrap_or(NonZeroUsize::MIN),
            rate: None,
            lease: Duration::from_secs(10),
            stop_on_failure: false,
            keep_failures: FAILURES_KEPT,
            count_first: None,
            lossless: false,
            samples: 3,
        };
        Sweep { pstate: self.clone(), settings }
    }
}

impl Sweep {
    /// How many documents are read and written at once: 256 by default, at least 1. No more are held
    /// in memory, and no more are looked at twice after a kill.
    pub fn page_size(mut self, size: usize) -> Self {
        self.settings.page_size = NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN);
        self
    }

    /// How many documents a second it looks at, at most; 0, the default, for no limit. It can be
    /// changed while it runs: [`RunningSweep::set_rate`].
    pub fn rate(mut self, documents_per_second: u32) -> Self {
        self.settings.rate = NonZeroU32::new(documents_per_second);
        self
    }

    /// For how long a sweep may be silent until another process takes it for dead: 10 s by default,
    /// at least 10 ms.
    ///
    /// While it runs, a sweep makes itself heard three times as often, also when it is paused.
    /// Whoever starts another one on the same space is refused as soon as the first is heard, and
    /// takes over after a whole period of silence. No clocks are compared.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.max(Duration::from_millis(10));
        self
    }

    /// Whether it stops at a document that cannot be migrated or stored. By default it goes on, and
    /// [reports](SweepReport::failures) it.
    ///
    /// When it is started again, it begins with the page in which it has stopped.
    pub fn stop_on_failure(mut self, stop: bool) -> Self {
        self.settings.stop_on_failure = stop;
        self
    }

    /// How many failures a report holds, with key and reason: the first 100 by default. All are
    /// counted.
    pub fn keep_failures(mut self, count: usize) -> Self {
        self.settings.keep_failures = count;
        self
    }

    /// Whether it counts the documents before it begins, so that progress knows a total and an
    /// estimated end. By default if the adapter counts where the documents are stored
    /// ([`CountVersions`](crate::CountVersions)); elsewhere it reads the space once more.
    pub fn count_first(mut self, count: bool) -> Self {
        self.settings.count_first = Some(count);
        self
    }

    /// Whether a [dry run](Self::dry_run) also looks for members that get lost:
    /// [`ProblemKind::LosesMembers`].
    pub fn lossless(mut self, lossless: bool) -> Self {
        self.settings.lossless = lossless;
        self
    }

    /// How many documents of each type and version a [dry run](Self::dry_run) shows before and
    /// after: 3 by default.
    pub fn samples(mut self, samples: usize) -> Self {
        self.settings.samples = samples;
        self
    }

    /// Starts it, or goes on where an earlier one has ended that did not come to the end. It runs in
    /// a task of its own until it is done, until it is [stopped](RunningSweep::stop), or the returned
    /// value is dropped, or the handle is closed.
    ///
    /// An unfinished sweep of another schema is of no use; then it begins anew.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) without a schema; [`Conflict`](ErrorKind::Conflict), retryable,
    /// if somebody else sweeps this space; and those of the store.
    ///
    /// # Cost
    /// Two calls of the adapter. If an earlier sweep has not said that it ended, up to
    /// a [lease](Self::lease) of waiting.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the space taken until the lease is over.
    pub async fn start(self) -> Result<RunningSweep> {
        let located = |error: Error| error.in_operation("migrate_all");
        let task = self.prepare().await.map_err(located)?;
        let (control, controlled) = control(self.settings.rate);
        let (done, report) = oneshot::channel();
        let progress = task.progress();
        let running = task.engine.background.begin();
        task.engine.runtime.clone().spawn(async move {
            let ended = task.run(controlled).await;
            drop(running);
            // Nobody may be interested any more.
            _ = done.send(ended.map_err(|error| error.in_operation("migrate_all")));
        });
        Ok(RunningSweep { control, progress, report })
    }

    /// Starts it and waits for its end: [`start`](Self::start) and [`wait`](RunningSweep::wait).
    ///
    /// # Cancel safety
    /// Dropping the future stops it after the page at hand.
    pub async fn run(self) -> Result<SweepReport> {
        self.start().await?.wait().await
    }

    /// Looks at every document as the sweep would, and writes nothing.
    ///
    /// The report says what would change, by type and version, shows some documents before and
    /// after, and lists what is wrong with the migrations: steps that fail, that are not
    /// idempotent, and, with [`lossless`](Self::lossless), that lose members. It keeps to
    /// [`page_size`](Self::page_size), [`rate`](Self::rate) and
    /// [`keep_failures`](Self::keep_failures).
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) without a schema, and those of the store. What is wrong with
    /// single documents stands in the report.
    ///
    /// # Cost
    /// One scan of the space, and two migrations for each old document.
    pub async fn dry_run(self) -> Result<DryRun> {
        let engine = self.pstate.engine();
        let run = dry_run::run(engine, self.schema()?, self.pstate.current_space(), &self.settings);
        run.await.map_err(|error| error.in_operation("migrate_all"))
    }

    fn schema(&self) -> Result<&Schema> {
        self.pstate.engine().schema.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Config, "without a schema nothing is older than it should be")
                .in_operation("migrate_all")
        })
    }

    /// Takes the lease and makes the task.
    async fn prepare(&self) -> Result<Task> {
        let (engine, space) = (self.pstate.engine(), self.pstate.current_space());
        engine.check_open()?;
        let schema = self.schema()?;
        let versions =
            schema.entities().map(|entity| (entity.name().to_owned(), entity.version())).collect();
        let mut lease = Lease::acquire(engine, space, self.settings.lease).await?;
        let anew = lease.checkpoint.finished || lease.checkpoint.versions != versions;
        if anew {
            lease.checkpoint.restart(versions);
        }
        let count = anew && self.counts_first(engine);
        Ok(Task::new(engine.clone(), space.clone(), self.settings.clone(), lease, count))
    }

    fn counts_first(&self, engine: &Engine) -> bool {
        let cheap = engine.adapter.extensions().count_versions.is_some();
        self.settings.count_first.unwrap_or(cheap)
    }
}

/// A sweep that was started. Dropping it stops the sweep after the page at hand.
#[derive(Debug)]
#[must_use = "dropping it stops the sweep"]
pub struct RunningSweep {
    control: Controller,
    progress: watch::Receiver<SweepProgress>,
    report: oneshot::Receiver<Result<SweepReport>>,
}

impl RunningSweep {
    /// How far it has come.
    pub fn progress(&self) -> SweepProgress {
        self.progress.borrow().clone()
    }

    /// Waits until there is progress that was not seen by this method before, and returns it. When
    /// the sweep has ended, it returns at once.
    pub async fn changed(&mut self) -> SweepProgress {
        // An error says that the task has ended; then the last progress is the last.
        _ = self.progress.changed().await;
        self.progress.borrow_and_update().clone()
    }

    /// Changes how many documents a second it looks at, at most; 0 for no limit. Takes effect at
    /// once.
    pub fn set_rate(&self, documents_per_second: u32) {
        self.control.set_rate(documents_per_second);
    }

    /// Halts it after the page at hand, until it is [resumed](Self::resume).
    pub fn pause(&self) {
        self.control.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.control.resume();
    }

    /// Ends it after the page at hand, and says what it has done. Started again, it goes on there.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn stop(self) -> Result<SweepReport> {
        self.control.stop();
        self.wait().await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Those of the store that do not pass. While it is [unavailable](SweepProgress::unavailable),
    /// the sweep waits. [`Conflict`](ErrorKind::Conflict) if it was silent for so long that another
    /// process has taken over; the failure, with [`stop_on_failure`](Sweep::stop_on_failure).
    ///
    /// # Cancel safety
    /// Dropping the future stops the sweep after the page at hand.
    pub async fn wait(self) -> Result<SweepReport> {
        let ended = self.report.await;
        ended.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Other, "the sweep ended without a report")
                .in_operation("migrate_all"))
        })
    }
}

/// What a sweep finds under a key.
enum Found {
    /// As new as the schema, or of no concern to it.
    Current,
    /// Newer than the schema: of this version.
    Newer(u32),
    /// Older, and what is to be stored instead.
    Old { stored: Document, migrated: Document },
    /// Of this older version, and it cannot be migrated.
    Failed(u32, Error),
    /// It cannot be read.
    Unreadable(Error),
}

/// Looks at what is stored, as a read would, whatever the schema's options say.
fn look(entity: &Entity, space: &Space, key: &Key, record: Record) -> Found {
    let revision = record.revision;
    let located = |error: Error| error.at_key(key).in_space(space);
    let stored = match Document::load(key.clone(), record) {
        Ok(stored) => stored,
        Err(error) => return Found::Unreadable(located(error)),
    };
    let (version, current) = (stored.version(), entity.version());
    match version.cmp(&current) {
        Ordering::Greater => return Found::Newer(version),
        Ordering::Equal => return Found::Current,
        Ordering::Less => {}
    }
    match migrate::upgrade(entity, stored.as_str(), version) {
        Ok(text) => {
            let record = Record { bytes: text.into(), revision };
            let migrated = Document::from_valid(key.clone(), record, Some(current));
            Found::Old { stored, migrated }
        }
        Err(error) => Found::Failed(version, located(error)),
    }
}

/// The page of an entity type after a key.
fn page_of(entity_type: &str, after: Option<&Key>, limit: NonZeroUsize) -> Scan {
    Scan { prefix: format!("{entity_type}:"), after: after.cloned(), limit }
}
