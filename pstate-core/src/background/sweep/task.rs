//! The task that sweeps.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{MaybeDone, maybe_done};

use super::checkpoint::Checkpoint;
use super::counting::Counting;
use super::lease::{Lease, unless_transient};
use super::page_len::{DonePage, PageLen};
use super::report::{SweepFailure, SweepReport};
use super::settings::{Settings, page_of};
use crate::background::driver::{Ended, JobDriver, Progress};
use crate::background::job::Job;
use crate::background::job_settings::JobSettings;
use crate::background::store_migrated::{Stored, store_migrated};
use crate::document::Document;
use crate::engine::{Classification, Engine, classify};
use crate::model::{Error, Key, Result, Space};
use crate::runtime::Instant;
use crate::schema::Entity;
use crate::storage::Page;
use crate::telemetry::{Event, JobState, SweepProgress, SweepStats};

/// How many documents are looked at before other tasks get a turn: about 0.1 ms.
const DOCUMENTS_PER_YIELD: usize = 32;

/// After which time a sweep counts what there is to look at: the end of a shorter one needs no
/// estimate.
const COUNTED_AFTER: Duration = Duration::from_secs(1);

/// How long a page that was read ahead is not read again. What users write in the meantime is left
/// to them all the same.
const KEPT_AHEAD: Duration = Duration::from_secs(1);

pub(super) struct Task {
    engine: Arc<Engine>,
    space: Space,
    settings: Settings,
    entities: Vec<Entity>,
    lease: Lease,
    driver: JobDriver<SweepProgress>,
    counting: Counting,
    page_len: PageLen,
    /// How many calls of the store were made when the length of pages was last adapted.
    calls: u64,
    /// How far an interrupted sweep had come.
    resumed: Checkpoint,
    started: Instant,
}

/// Whether and when the documents are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountWhen {
    /// Before the first page.
    First,
    /// While the sweep is under way.
    Beside,
    Never,
}

/// Where the next page begins.
struct Place {
    /// Of which of the entities it is.
    entity: usize,
    after: Option<Key>,
}

/// A page that was read and migrated, and is not stored yet.
struct PreparedPage {
    old: Vec<Document>,
    /// Of all documents of the page.
    bytes: usize,
    tally: Tally,
    last: Option<Key>,
    next: Option<Key>,
    read_at: Instant,
}

/// The documents of a page that were sent to the store.
struct StoredPage {
    documents: usize,
    took: Duration,
    /// In how many calls.
    calls: u64,
}

/// What became of one page.
#[derive(Default)]
struct Tally {
    done: u64,
    stored: u64,
    conflicts: u64,
    newer: u64,
    failures: Vec<Error>,
}

impl Progress for SweepProgress {
    fn state(&self) -> JobState {
        self.state
    }

    fn set_state(&mut self, state: JobState, unavailable: Option<Error>) {
        (self.state, self.unavailable) = (state, unavailable);
    }

    fn left(&self) -> Option<u64> {
        self.total.map(|total| total.saturating_sub(self.done))
    }

    fn set_rate(&mut self, rate: f64, remaining: Option<Duration>) {
        (self.rate, self.remaining) = (rate, remaining);
    }
}

impl Task {
    /// Starts a task at the lease's checkpoint.
    pub(super) fn start(
        engine: &Arc<Engine>,
        space: &Space,
        settings: Settings,
        lease: Lease,
        counts: CountWhen,
    ) -> Job<SweepProgress, SweepReport> {
        let progress = SweepProgress {
            state: JobState::Running,
            total: None,
            done: 0,
            stored: 0,
            conflicts: 0,
            failed: 0,
            newer: 0,
            rate: 0.0,
            remaining: None,
            position: None,
            unavailable: None,
        };
        let page_len = PageLen::new(settings.page_size);
        let closing = engine.tasks().closing();
        let (handle, driver) = JobDriver::new(settings.rate, Some(closing), None, progress);
        let task = Self {
            engine: engine.clone(),
            space: space.clone(),
            settings,
            entities: engine
                .schema()
                .iter()
                .flat_map(|schema| schema.entities().cloned())
                .collect(),
            counting: Counting::default(),
            page_len,
            calls: engine.counters().calls(),
            resumed: lease.checkpoint.clone(),
            lease,
            driver,
            started: Instant::now(),
        };
        task.driver.publish(|progress| task.lease.checkpoint.show(progress));
        let (token, progress) = (engine.tasks().track(), task.driver.subscribe());
        let work = async move {
            let report = task.run(counts).await;
            drop(token);
            report
        };
        Job::start("migrate_all", engine.home(), handle, progress, work)
    }

    /// Sweeps until everything is done or the job is canceled, and gives up the lease.
    async fn run(mut self, counts: CountWhen) -> Result<SweepReport> {
        let ended = self.sweep(counts).await;
        let state = match &ended {
            Ok(()) => JobState::Finished,
            Err(Ended::Canceled) => JobState::Canceled,
            Err(Ended::Failed(_)) => JobState::Failed,
        };
        self.driver.publish(|progress| {
            self.lease.checkpoint.show(progress);
            progress.set_state(state, None);
        });
        self.emit(SweepStats::default());
        let checkpoint = &self.lease.checkpoint;
        let report = SweepReport {
            finished: state == JobState::Finished,
            done: checkpoint.done,
            stored: checkpoint.stored,
            conflicts: checkpoint.conflicts,
            failed: checkpoint.failed,
            newer: checkpoint.newer,
            failures: checkpoint.failures.clone(),
            resumed_after: self.resumed.after,
            done_before: self.resumed.done,
            duration: self.started.elapsed(),
        };
        // If the checkpoint cannot be stored, the next sweep waits until the lease is over, and
        // resumes at the checkpoint before this one.
        let released = self.lease.release(state == JobState::Finished).await;
        match ended {
            Err(Ended::Failed(error)) => Err(error.in_space(&self.space)),
            _ => released.map(|()| report),
        }
    }

    async fn sweep(&mut self, counts: CountWhen) -> Result<(), Ended> {
        if counts == CountWhen::First {
            self.count_first().await?;
        }
        self.walk(None, counts).await?;
        if let Some(resumed_after) = self.resumed.after.clone()
            && self.may_hold_old_documents().await?
        {
            self.lease.checkpoint.look_again(&self.resumed);
            self.walk(Some(&resumed_after), counts).await?;
        }
        // What was counted is a moment's number; this is how many there were to look at.
        self.lease.checkpoint.total = Some(self.lease.checkpoint.done);
        Ok(())
    }

    /// Whether there may be old documents before the point where the sweep was resumed: it has not
    /// seen what came there in the meantime.
    async fn may_hold_old_documents(&mut self) -> Result<bool, Ended> {
        let Some(counter) = self.engine.adapter().extensions().count_versions else {
            return Ok(true);
        };
        let counting = self.driver.attempt(|| counter.count_versions(&self.space));
        let counts = self.lease.keep(&mut self.counting, counting).await??;
        let by_type = counts.by_type();
        let holds_old = |entity: &Entity| {
            let versions = by_type.get(entity.name());
            versions.is_some_and(|versions| versions.range(..entity.version()).next().is_some())
        };
        Ok(self.entities.iter().any(holds_old))
    }

    /// Walks from the checkpoint to the end, or until it has passed this key. While a page is
    /// stored, the next one is read and migrated.
    async fn walk(&mut self, until: Option<&Key>, counts: CountWhen) -> Result<(), Ended> {
        let mut place = Some(self.place());
        let mut ahead = None;
        while let Some(at) = place.take().filter(|at| at.entity < self.entities.len()) {
            if counts == CountWhen::Beside && self.started.elapsed() >= COUNTED_AFTER {
                self.count_beside();
            }
            let begin_page = self.driver.begin_page(self.page_len.get());
            let limit = self.lease.keep(&mut self.counting, begin_page).await??;
            let page = match take_ahead(&mut ahead) {
                Some(page) => page,
                None => self.read(&at, limit).await?,
            };
            let PreparedPage { old, bytes, mut tally, last, next, .. } = page;
            let ends_type = next.is_none();
            let position = next.or(last);
            let entity = &self.entities[at.entity];
            let passed = until.is_some_and(|until| {
                let beyond = position.as_ref().is_some_and(|position| position >= until);
                entity.name() == until.entity_type() && (ends_type || beyond)
            });
            let following = if ends_type {
                Place { entity: at.entity + 1, after: None }
            } else {
                Place { entity: at.entity, after: position.clone() }
            };
            place = (!passed).then_some(following);
            let mut next_page = pin!(maybe_done(self.next_page(place.as_ref())));
            let stored = self.store(old, &mut tally, next_page.as_mut()).await?;
            if let Some(failure) = tally.failures.first()
                && self.settings.stop_on_failure
            {
                return Err(failure.clone().into());
            }
            self.advance(position, &tally);
            self.adapt_page_len(ends_type, &tally, bytes, &stored);
            // The end of the sweep stores the checkpoint in any case.
            let is_last = place.as_ref().is_none_or(|place| place.entity >= self.entities.len());
            if self.lease.end_page(stored.documents > 0) && !is_last {
                // If it cannot be stored now, the next one will do: the owner is only silent in
                // the meantime.
                unless_transient(beside(self.lease.save(), next_page.as_mut()).await)?;
            }
            self.lease.keep(&mut self.counting, next_page.as_mut()).await?;
            ahead = next_page.take_output().flatten();
        }
        Ok(())
    }

    /// Where the checkpoint says that the sweep is.
    fn place(&self) -> Place {
        let after = self.lease.checkpoint.after.clone();
        let entity = after.as_ref().map_or(0, |after| {
            self.entities.partition_point(|entity| entity.name() < after.entity_type())
        });
        let of_type = |after: &Key| {
            self.entities.get(entity).is_some_and(|entity| entity.name() == after.entity_type())
        };
        Place { entity, after: after.filter(of_type) }
    }

    /// Counts what there is to look at, before the first page.
    async fn count_first(&mut self) -> Result<()> {
        let counting = total(self.engine.clone(), self.space.clone(), self.entities.clone());
        let total = self.lease.keep(&mut self.counting, counting).await??;
        self.lease.checkpoint.total = Some(total);
        self.driver.publish(|progress| self.lease.checkpoint.show(progress));
        Ok(())
    }

    /// Begins to count what there is to look at, unless it is known.
    fn count_beside(&mut self) {
        if self.lease.checkpoint.total.is_none() {
            let (engine, space) = (self.engine.clone(), self.space.clone());
            self.counting.begin(total(engine, space, self.entities.clone()));
        }
    }

    /// Reads and migrates a page, however often it takes.
    async fn read(&mut self, at: &Place, limit: NonZeroUsize) -> Result<PreparedPage, Ended> {
        let scan = page_of(self.entities[at.entity].name(), at.after.as_ref(), limit);
        let reading = self.driver.attempt(|| self.engine.adapter().scan(&self.space, &scan));
        let page = self.lease.keep(&mut self.counting, reading).await??;
        Ok(prepare(&self.entities[at.entity], &self.space, page).await)
    }

    /// Reads and migrates the page that comes next. There is none at a rate, where it would wait
    /// until it is due; after an error it is read again when it is its turn.
    fn next_page(
        &mut self,
        place: Option<&Place>,
    ) -> impl Future<Output = Option<PreparedPage>> + use<> {
        let unlimited = self.driver.check().is_ok_and(JobSettings::is_unlimited);
        let of_place = |place: &Place| {
            let entity = self.entities.get(place.entity)?.clone();
            Some((page_of(entity.name(), place.after.as_ref(), self.page_len.get()), entity))
        };
        let wanted = place.filter(|_| unlimited).and_then(of_place);
        let (engine, space) = (self.engine.clone(), self.space.clone());
        async move {
            let (scan, entity) = wanted?;
            let page = engine.adapter().scan(&space, &scan).await.ok()?;
            Some(prepare(&entity, &space, page).await)
        }
    }

    /// Stores migrated documents, however often it takes; the next page is read meanwhile.
    async fn store(
        &mut self,
        mut old: Vec<Document>,
        tally: &mut Tally,
        next_page: Pin<&mut MaybeDone<impl Future>>,
    ) -> Result<StoredPage, Ended> {
        let chunk_len = self.engine.adapter().chunk_len();
        let (engine, space, driver) = (&self.engine, &self.space, &mut self.driver);
        let (began, documents) = (Instant::now(), old.len());
        let storing = async {
            let mut calls = 0;
            while !old.is_empty() {
                let rest = old.split_off(old.len().min(chunk_len));
                calls += store_chunk(engine, space, driver, old, tally).await?;
                old = rest;
            }
            Ok(StoredPage { documents, took: began.elapsed(), calls })
        };
        self.lease.keep(&mut self.counting, beside(storing, next_page)).await?
    }

    /// Adapts the length of pages to the last one, and to what others have asked of the store.
    fn adapt_page_len(&mut self, ends_type: bool, tally: &Tally, bytes: usize, page: &StoredPage) {
        let calls = self.engine.counters().calls();
        let others = calls.saturating_sub(self.calls + page.calls);
        self.calls = calls;
        let done = DonePage {
            documents: usize::try_from(tally.done).unwrap_or(usize::MAX),
            bytes,
            stored: page.documents,
            took: page.took,
            shared: others > 0,
        };
        self.page_len.adapt(done, Instant::now());
        if ends_type {
            self.page_len.begin_type();
        }
    }

    /// Notes what became of a page.
    fn advance(&mut self, last: Option<Key>, tally: &Tally) {
        let checkpoint = &mut self.lease.checkpoint;
        if last.is_some() {
            checkpoint.after = last;
        }
        checkpoint.done += tally.done;
        checkpoint.stored += tally.stored;
        checkpoint.conflicts += tally.conflicts;
        checkpoint.newer += tally.newer;
        checkpoint.failed += tally.failures.len() as u64;
        for error in &tally.failures {
            tracing::warn!(%error, "a sweep cannot migrate a document");
            if checkpoint.failures.len() < self.settings.keep_failures {
                checkpoint.failures.push(SweepFailure::new(error));
            }
        }
        let len = usize::try_from(tally.done).unwrap_or(usize::MAX);
        let checkpoint = &self.lease.checkpoint;
        self.driver.end_page(len, |progress| checkpoint.show(progress));
        let Tally { done, stored, conflicts, .. } = *tally;
        let failed = tally.failures.len() as u64;
        self.emit(SweepStats { done, stored, conflicts, failed });
    }

    /// Counts and emits what became of a page.
    fn emit(&self, page: SweepStats) {
        self.engine.counters().sweeps.record(page);
        if self.engine.telemetry().is_observed() {
            let SweepStats { done, stored, conflicts, failed } = page;
            let (space, progress) = (&self.space, &self.driver.progress());
            let sweep = Event::Sweep { space, done, stored, conflicts, failed, progress };
            self.engine.telemetry().emit(&sweep);
        }
    }
}

/// Reads what is there to be read of a page, and migrates what is old in it.
async fn prepare(entity: &Entity, space: &Space, page: Page) -> PreparedPage {
    let done = page.records.len() + page.unreadable.len();
    let last = page.records.last().map(|(key, _)| key.clone());
    let mut tally = Tally { done: done as u64, ..Tally::default() };
    tally.failures = page.unreadable;
    let (mut old, mut bytes) = (Vec::new(), 0);
    for (number, (key, record)) in page.records.into_iter().enumerate() {
        if number % DOCUMENTS_PER_YIELD == DOCUMENTS_PER_YIELD - 1 {
            tokio::task::yield_now().await;
        }
        bytes += record.bytes.len();
        match classify(entity, space, &key, record) {
            Classification::Current => {}
            Classification::Newer(_) => tally.newer += 1,
            Classification::Old { migrated, .. } => old.push(migrated),
            Classification::Failed(_, error) | Classification::Unreadable(error) => {
                tally.failures.push(error);
            }
        }
    }
    PreparedPage { old, bytes, tally, last, next: page.next, read_at: Instant::now() }
}

/// Does some work, while other work is under way.
async fn beside<T>(
    work: impl Future<Output = T>,
    mut other: Pin<&mut MaybeDone<impl Future>>,
) -> T {
    let other = async {
        other.as_mut().await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        done = work => done,
        never = other => match never {},
    }
}

/// The page that was read ahead, unless it was read long ago.
fn take_ahead(ahead: &mut Option<PreparedPage>) -> Option<PreparedPage> {
    ahead.take().filter(|page| page.read_at.elapsed() < KEPT_AHEAD)
}

/// How many documents of declared types there are.
async fn total(engine: Arc<Engine>, space: Space, entities: Vec<Entity>) -> Result<u64> {
    let counts = engine.count_versions(&space).await?;
    let by_type = counts.by_type();
    let declared = entities.iter().filter_map(|entity| by_type.get(entity.name()));
    Ok(declared.flat_map(|versions| versions.values()).sum())
}

/// Stores migrated documents, at most as many as the adapter takes at once, however often it takes.
/// Returns how many calls it has made.
async fn store_chunk(
    engine: &Engine,
    space: &Space,
    driver: &mut JobDriver<SweepProgress>,
    mut documents: Vec<Document>,
    tally: &mut Tally,
) -> Result<u64, Ended> {
    let (mut failures, mut calls) = (0, 0);
    // Reads agree from here on with what is being stored.
    let _taken = engine.queue().take_over(space, &mut documents);
    loop {
        // The documents are not going to be read soon, so they stay out of the cache.
        let result = store_migrated(engine, space, documents, false, None).await;
        let Stored { stored, conflicts, refused, postponed, unavailable, .. } = result;
        calls += result.calls;
        tally.stored += stored as u64;
        tally.conflicts += conflicts as u64;
        tally.failures.extend(refused);
        let Some(error) = unavailable else { return Ok(calls) };
        documents = postponed;
        driver.wait_after(error, &mut failures).await?;
    }
}
