//! The task that sweeps.

use std::sync::Arc;
use std::time::Duration;

use super::checkpoint::Checkpoint;
use super::lease::Lease;
use super::report::{SweepFailure, SweepReport};
use super::settings::{Settings, page_of};
use crate::background::driver::{Ended, JobDriver, Progress};
use crate::background::job::Job;
use crate::background::store_migrated::{Stored, store_migrated};
use crate::document::Document;
use crate::engine::{Classification, Engine, classify};
use crate::model::{Error, ErrorKind, Key, Result, Space};
use crate::runtime::{Instant, sleep_until};
use crate::schema::Entity;
use crate::storage::{Page, Scan};
use crate::telemetry::{Event, JobState, SweepProgress, SweepStats};

/// How many documents are looked at before other tasks get a turn: about 0.1 ms.
const DOCUMENTS_PER_YIELD: usize = 32;

pub(super) struct Task {
    engine: Arc<Engine>,
    space: Space,
    settings: Settings,
    entities: Vec<Entity>,
    lease: Lease,
    driver: JobDriver<SweepProgress>,
    /// How far an interrupted sweep had come.
    resumed: Checkpoint,
    started: Instant,
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
    /// Starts a task at the lease's checkpoint; with `counts` it first counts the documents.
    pub(super) fn start(
        engine: &Arc<Engine>,
        space: &Space,
        settings: Settings,
        lease: Lease,
        counts: bool,
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
    async fn run(mut self, counts: bool) -> Result<SweepReport> {
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

    async fn sweep(&mut self, counts: bool) -> Result<(), Ended> {
        if counts {
            self.count_documents().await?;
        }
        self.walk(None).await?;
        if let Some(resumed_after) = self.resumed.after.clone()
            && self.may_hold_old_documents().await?
        {
            self.lease.checkpoint.look_again(&self.resumed);
            self.walk(Some(&resumed_after)).await?;
        }
        Ok(())
    }

    /// Whether there may be old documents before the point where the sweep was resumed: it has not
    /// seen what came there in the meantime.
    async fn may_hold_old_documents(&mut self) -> Result<bool, Ended> {
        let Some(counter) = self.engine.adapter().extensions().count_versions else {
            return Ok(true);
        };
        let counting = self.driver.attempt(|| counter.count_versions(&self.space));
        let counts = keep_alive(&mut self.lease, counting).await??;
        let by_type = counts.by_type();
        let holds_old = |entity: &Entity| {
            let versions = by_type.get(entity.name());
            versions.is_some_and(|versions| versions.range(..entity.version()).next().is_some())
        };
        Ok(self.entities.iter().any(holds_old))
    }

    /// Walks from the checkpoint to the end, or until it has passed this key.
    async fn walk(&mut self, until: Option<&Key>) -> Result<(), Ended> {
        let mut at = match &self.lease.checkpoint.after {
            None => 0,
            Some(after) => {
                let before = |entity: &Entity| entity.name() < after.entity_type();
                self.entities.partition_point(before)
            }
        };
        while let Some(entity) = self.entities.get(at).cloned() {
            let begin_page = self.driver.begin_page(self.settings.page_size);
            let limit = keep_alive(&mut self.lease, begin_page).await??;
            let after = self.lease.checkpoint.after.clone();
            let after = after.filter(|after| after.entity_type() == entity.name());
            let page = self.read(page_of(entity.name(), after.as_ref(), limit)).await?;
            let (last, next) = (page.records.last().map(|(key, _)| key.clone()), page.next.clone());
            let tally = self.migrate(&entity, page).await?;
            if let Some(failure) = tally.failures.first()
                && self.settings.stop_on_failure
            {
                return Err(failure.clone().into());
            }
            let ends_type = next.is_none();
            let position = next.or(last);
            let passed = until.is_some_and(|until| {
                let beyond = position.as_ref().is_some_and(|position| position >= until);
                entity.name() == until.entity_type() && (ends_type || beyond)
            });
            self.advance(position, &tally).await?;
            if passed {
                break;
            }
            if ends_type {
                at += 1;
            }
        }
        Ok(())
    }

    /// Counts what there is to look at.
    async fn count_documents(&mut self) -> Result<()> {
        let counting = self.engine.count_versions(&self.space);
        let counts = keep_alive(&mut self.lease, counting).await??;
        let by_type = counts.by_type();
        let declared = self.entities.iter().filter_map(|entity| by_type.get(entity.name()));
        let total = declared.flat_map(|versions| versions.values()).sum();
        self.lease.checkpoint.total = Some(total);
        self.driver.publish(|progress| self.lease.checkpoint.show(progress));
        Ok(())
    }

    /// Reads a page, however often it takes.
    async fn read(&mut self, scan: Scan) -> Result<Page, Ended> {
        let reading = self.driver.attempt(|| self.engine.adapter().scan(&self.space, &scan));
        keep_alive(&mut self.lease, reading).await?
    }

    /// Migrates what is old in a page, and stores it.
    async fn migrate(&mut self, entity: &Entity, page: Page) -> Result<Tally, Ended> {
        let done = page.records.len() + page.unreadable.len();
        let mut tally = Tally { done: done as u64, ..Tally::default() };
        tally.failures = page.unreadable;
        let mut old = Vec::new();
        for (number, (key, record)) in page.records.into_iter().enumerate() {
            if number % DOCUMENTS_PER_YIELD == DOCUMENTS_PER_YIELD - 1 {
                tokio::task::yield_now().await;
            }
            match classify(entity, &self.space, &key, record) {
                Classification::Current => {}
                Classification::Newer(_) => tally.newer += 1,
                Classification::Old { migrated, .. } => old.push(migrated),
                Classification::Failed(_, error) | Classification::Unreadable(error) => {
                    tally.failures.push(error);
                }
            }
        }
        let chunk_len = self.engine.adapter().chunk_len();
        while !old.is_empty() {
            let rest = old.split_off(old.len().min(chunk_len));
            self.store(old, &mut tally).await?;
            old = rest;
        }
        Ok(tally)
    }

    /// Stores migrated documents, however often it takes.
    async fn store(
        &mut self,
        mut documents: Vec<Document>,
        tally: &mut Tally,
    ) -> Result<(), Ended> {
        let mut failures = 0;
        let (engine, space) = (self.engine.clone(), self.space.clone());
        // Reads agree from here on with what is being stored.
        let _taken = engine.queue().take_over(&space, &mut documents);
        loop {
            // The documents are not going to be read soon, so they stay out of the cache.
            let storing = store_migrated(&self.engine, &self.space, documents, false, None);
            let result = keep_alive(&mut self.lease, storing).await?;
            let Stored { stored, conflicts, refused, postponed, unavailable, .. } = result;
            tally.stored += stored as u64;
            tally.conflicts += conflicts as u64;
            tally.failures.extend(refused);
            let Some(error) = unavailable else { return Ok(()) };
            documents = postponed;
            let waiting = self.driver.wait_after(error, &mut failures);
            keep_alive(&mut self.lease, waiting).await??;
        }
    }

    /// Records what became of a page.
    async fn advance(&mut self, last: Option<Key>, tally: &Tally) -> Result<()> {
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
        // If the checkpoint cannot be stored now, the next one will do: the owner is only silent in
        // the meantime.
        let saved = unless_transient(self.lease.save().await);
        let len = usize::try_from(tally.done).unwrap_or(usize::MAX);
        let checkpoint = &self.lease.checkpoint;
        self.driver.end_page(len, |progress| checkpoint.show(progress));
        let Tally { done, stored, conflicts, .. } = *tally;
        let failed = tally.failures.len() as u64;
        self.emit(SweepStats { done, stored, conflicts, failed });
        saved
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

/// Does some work, and renews the lease in the meantime.
async fn keep_alive<T>(lease: &mut Lease, work: impl Future<Output = T>) -> Result<T> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            () = sleep_until(lease.renewal()) => unless_transient(lease.save().await)?,
        }
    }
}

/// Takes an error that passes for none.
fn unless_transient(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::Conflict && error.is_transient() => {
            tracing::debug!(%error, "a sweep could not store its checkpoint");
            Ok(())
        }
        result => result,
    }
}
