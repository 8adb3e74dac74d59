//! The start of a sweep.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use super::dry_run::{self, DryRun};
use super::lease::Lease;
use super::report::SweepReport;
use super::settings::Settings;
use super::task::{CountWhen, Task};
use crate::background::job::Job;
use crate::engine::Engine;
use crate::model::{Error, ErrorKind, Result, Space};
use crate::schema::Schema;
use crate::telemetry::{Call, SweepProgress};

/// A walk over a space that migrates what is old; made by
/// [`PState::migrate_all`](crate::PState::migrate_all).
#[derive(Clone)]
#[must_use = "a sweep does nothing until it is started"]
pub struct Sweep {
    engine: Arc<Engine>,
    space: Space,
    settings: Settings,
}

impl Sweep {
    /// A sweep of a space.
    pub(crate) fn new(engine: Arc<Engine>, space: Space) -> Self {
        Self { engine, space, settings: Settings::default() }
    }

    /// How many documents are written at once, at least 1. While these are written, as many are
    /// read; no more are held in memory, and no more are looked at twice after a kill.
    ///
    /// By default a sweep decides for each page: at most 2,048, and 4 MiB. While this handle's
    /// reads and writes need the store, no more than it writes in 2 ms, for which they may have to
    /// wait; after a second without any, what it writes in 20 ms. What other processes do it does
    /// not know: give it a smaller number if they have to wait for too long.
    pub fn page_size(mut self, size: usize) -> Self {
        self.settings.page_size = Some(NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// How many documents a second it looks at, at most; 0, the default, for no limit. This can be
    /// changed while it runs: [`Job::set_rate`](crate::Job::set_rate).
    pub fn rate(mut self, documents_per_second: u32) -> Self {
        self.settings.rate = NonZeroU32::new(documents_per_second);
        self
    }

    /// How long a sweep may be silent until another process assumes that it is dead: 10 s by
    /// default, at least 10 ms, at most an hour.
    ///
    /// While it runs, also when it is paused, a sweep renews its lease three times in that period.
    /// A second sweep of the same space is refused as soon as it sees a renewal, and takes over
    /// after a whole period without one. Clocks of different processes are never compared.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.clamp(Duration::from_millis(10), Duration::from_secs(3_600));
        self
    }

    /// Whether it stops at a document that cannot be migrated or stored. By default it continues,
    /// and [reports](SweepReport::failures) it.
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
    /// estimated end from the first page on.
    ///
    /// By default it counts while it is under way, from its first second on, and only if the
    /// adapter counts where the documents are stored ([`CountVersions`](crate::CountVersions));
    /// elsewhere it would have to read the space once more. A sweep that has finished knows its
    /// total in any case.
    pub fn count_first(mut self, count: bool) -> Self {
        self.settings.count_first = Some(count);
        self
    }

    /// Whether a [dry run](Self::dry_run) also looks for members that get lost:
    /// [`ProblemKind::LosesMembers`](crate::ProblemKind::LosesMembers).
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

    /// Starts the sweep, or resumes an unfinished one of this space and schema. It runs in a task
    /// of its own until it has looked at everything, is [canceled](crate::Job::cancel), the
    /// returned job is dropped, or the handle is closed.
    ///
    /// An unfinished sweep of another schema is of no use; then the sweep starts from the
    /// beginning.
    ///
    /// A sweep that was resumed does not trust what it has skipped: a backup may have been restored
    /// in the meantime. At the end it counts the old documents, where the adapter
    /// [can](crate::CountVersions), and if there are any, or it cannot, looks again at all that
    /// lies before the point where it was resumed.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) without a schema; [`Conflict`](ErrorKind::Conflict),
    /// retryable, while another process sweeps this space; and those of the store.
    ///
    /// [`Job::wait`](crate::Job::wait) returns the errors of the store that do not pass; while it
    /// is [unavailable](SweepProgress::unavailable), the sweep waits. It returns
    /// [`Conflict`](ErrorKind::Conflict) if the sweep was silent for longer than its lease and
    /// another process has taken over, and with [`stop_on_failure`](Self::stop_on_failure) the
    /// failure.
    ///
    /// # Cost
    /// Two calls of the adapter. If an earlier sweep was killed, up to a [lease](Self::lease) of
    /// waiting.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the space taken until the lease is over.
    pub async fn start(self) -> Result<Job<SweepProgress, SweepReport>> {
        self.call().run(self.prepare_and_start()).await
    }

    /// Starts it and waits for its end: [`start`](Self::start) and [`Job::wait`](crate::Job::wait).
    ///
    /// # Cancel safety
    /// Dropping the future cancels the sweep after the current page.
    pub async fn run(self) -> Result<SweepReport> {
        self.start().await?.wait().await
    }

    /// Looks at every document as the sweep would, and writes nothing.
    ///
    /// The report says what would change, by type and version, shows some documents before and
    /// after, and lists what is wrong with the migrations: that they fail, that a field's migration
    /// is not [idempotent](crate::ProblemKind::NotIdempotent), and, with
    /// [`lossless`](Self::lossless), that members get lost. It keeps to
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
        let dry_run = async {
            self.engine.check_open()?;
            dry_run::run(&self.engine, self.schema()?, &self.space, &self.settings).await
        };
        self.call().run(dry_run).await
    }

    fn call(&self) -> Call<'_> {
        self.engine.call("migrate_all", &self.space, None)
    }

    fn schema(&self) -> Result<&Schema> {
        self.engine.schema().ok_or_else(|| {
            let why = "a sweep needs a schema: set one with `Builder::schema`";
            Error::new(ErrorKind::Config, why)
        })
    }

    /// Takes the lease and starts the task.
    async fn prepare_and_start(&self) -> Result<Job<SweepProgress, SweepReport>> {
        let (engine, space) = (&self.engine, &self.space);
        engine.check_open()?;
        let schema = self.schema()?;
        let versions =
            schema.entities().map(|entity| (entity.name().to_owned(), entity.version())).collect();
        let mut lease = Lease::acquire(engine, space, self.settings.lease).await?;
        let restarts = lease.checkpoint.finished || lease.checkpoint.versions != versions;
        if restarts {
            lease.checkpoint.restart(versions);
        } else if lease.checkpoint.looks_again {
            lease.checkpoint.look_at_all();
        }
        let counts = match lease.checkpoint.total {
            None => self.count_when(),
            Some(_) => CountWhen::Never,
        };
        Ok(Task::start(engine, space, self.settings.clone(), lease, counts))
    }

    fn count_when(&self) -> CountWhen {
        match self.settings.count_first {
            Some(true) => CountWhen::First,
            None if self.engine.adapter().extensions().count_versions.is_some() => {
                CountWhen::Beside
            }
            None | Some(false) => CountWhen::Never,
        }
    }
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep")
            .field("space", &self.space)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
