//! The task that sweeps.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::watch;

use super::lease::Lease;
use super::progress::{SweepFailure, SweepProgress, SweepReport, SweepState};
use super::{Found, Settings, look, page_of};
use crate::adapter::{Page, Scan};
use crate::backoff::unavailable_delay;
use crate::control::{Control, Controlled};
use crate::document::Document;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::migrated::{Stored, is_passing, store_migrated, wait_until};
use crate::pace::Pace;
use crate::runtime::{Instant, sleep_until};
use crate::schema::Entity;
use crate::space::Space;
use crate::stats::SweepStats;
use crate::telemetry::Event;

/// How many documents are looked at before other tasks have their turn: about 0.1 ms.
const PORTION: usize = 32;

pub(super) struct Task {
    pub(super) engine: Arc<Engine>,
    space: Space,
    settings: Settings,
    entities: Vec<Entity>,
    lease: Lease,
    count: bool,
    pace: Pace,
    progress: watch::Sender<SweepProgress>,
    resumed_after: Option<Key>,
    done_before: u64,
    started: Instant,
}

/// What came of one page.
#[derive(Default)]
struct Tally {
    done: u64,
    stored: u64,
    conflicts: u64,
    newer: u64,
    failures: Vec<Error>,
}

impl Task {
    /// A task that goes on at the lease's checkpoint; with `count` it first counts what there is.
    pub(super) fn new(
        engine: Arc<Engine>,
        space: Space,
        settings: Settings,
        lease: Lease,
        count: bool,
    ) -> Self {
        let entities = engine.schema.iter().flat_map(|schema| schema.entities().cloned()).collect();
        let resumed_after = lease.checkpoint.after.clone();
        let done_before = lease.checkpoint.done;
        let progress = watch::Sender::new(SweepProgress {
            state: SweepState::Running,
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
        });
        let task = Self {
            engine,
            space,
            settings,
            entities,
            lease,
            count,
            pace: Pace::default(),
            progress,
            resumed_after,
            done_before,
            started: Instant::now(),
        };
        task.publish(SweepState::Running, None);
        task
    }

    /// What it says about itself while it runs.
    pub(super) fn progress(&self) -> watch::Receiver<SweepProgress> {
        self.progress.subscribe()
    }

    /// Sweeps until it is done or told to stop, and gives up the lease.
    pub(super) async fn run(mut self, mut control: Controlled) -> Result<SweepReport> {
        let ended = self.sweep(&mut control).await;
        let state = *ended.as_ref().unwrap_or(&SweepState::Failed);
        self.publish(state, None);
        self.tell(SweepStats::default());
        let checkpoint = &self.lease.checkpoint;
        let report = SweepReport {
            finished: state == SweepState::Finished,
            done: checkpoint.done,
            stored: checkpoint.stored,
            conflicts: checkpoint.conflicts,
            failed: checkpoint.failed,
            newer: checkpoint.newer,
            failures: checkpoint.failures.clone(),
            resumed_after: self.resumed_after,
            done_before: self.done_before,
            duration: self.started.elapsed(),
        };
        // If the note cannot be stored, the next sweep waits until the lease is over, and begins at
        // the note before this one.
        let released = self.lease.release(state == SweepState::Finished).await;
        ended.map(|_| ())?;
        released.map(|()| report)
    }

    async fn sweep(&mut self, control: &mut Controlled) -> Result<SweepState> {
        if self.count {
            self.count_documents().await?;
        }
        let mut at = match &self.lease.checkpoint.after {
            None => 0,
            Some(after) => {
                let before = |entity: &Entity| entity.name() < after.entity_type();
                self.entities.partition_point(before)
            }
        };
        while let Some(entity) = self.entities.get(at).cloned() {
            let Some(limit) = self.may_go_on(control).await? else {
                return Ok(SweepState::Stopped);
            };
            self.pace.begin_page(Instant::now());
            let after = self.lease.checkpoint.after.clone();
            let after = after.filter(|after| after.entity_type() == entity.name());
            let scan = page_of(entity.name(), after.as_ref(), limit);
            let Some(page) = self.read(&scan, control).await? else {
                return Ok(SweepState::Stopped);
            };
            let (last, next) = (page.records.last().map(|(key, _)| key.clone()), page.next.clone());
            let Some(tally) = self.migrate(&entity, page, control).await? else {
                return Ok(SweepState::Stopped);
            };
            if let Some(failure) = tally.failures.first()
                && self.settings.stop_on_failure
            {
                return Err(failure.clone());
            }
            if next.is_none() {
                at += 1;
            }
            self.advance(next.or(last), &tally).await?;
        }
        Ok(SweepState::Finished)
    }

    /// Counts what there is to look at.
    async fn count_documents(&mut self) -> Result<()> {
        let (engine, space) = (self.engine.clone(), self.space.clone());
        let counting = async move { engine.count_versions(&space).await };
        let counts = keep_alive(&mut self.lease, counting).await??;
        let by_type = counts.by_type();
        let declared = self.entities.iter().filter_map(|entity| by_type.get(entity.name()));
        let total = declared.flat_map(|versions| versions.values()).sum();
        self.lease.checkpoint.total = Some(total);
        Ok(())
    }

    /// Waits until the next page may begin, and says how long it may be; `None` to stop.
    async fn may_go_on(&mut self, control: &mut Controlled) -> Result<Option<NonZeroUsize>> {
        loop {
            let closing = self.engine.background.closing();
            let wanted = control.wanted().filter(|_| !self.engine.background.is_closing());
            let Some(wanted) = wanted else { return Ok(None) };
            let Control { rate, paused, .. } = wanted;
            let due = (!paused).then(|| self.pace.due(rate, Instant::now()));
            if due.is_some_and(|due| due <= Instant::now()) {
                self.publish(SweepState::Running, None);
                return Ok(Some(wanted.limit(self.settings.page_size)));
            }
            if paused {
                self.pace.interrupt();
            }
            self.publish(if paused { SweepState::Paused } else { SweepState::Running }, None);
            tokio::select! {
                biased;
                () = closing => {}
                () = control.changed() => {}
                () = wait_until(due) => {}
                () = sleep_until(self.lease.renewal()) => self.save().await?,
            }
        }
    }

    /// Reads a page, however often it takes; `None` to stop.
    async fn read(&mut self, scan: &Scan, control: &mut Controlled) -> Result<Option<Page>> {
        let mut failures = 0;
        loop {
            let (engine, space, scan) = (self.engine.clone(), self.space.clone(), scan.clone());
            let reading = async move {
                let page = engine.adapter.scan(&space, &scan).await;
                page.map_err(|error| error.in_operation("scan").in_space(&space))
            };
            match keep_alive(&mut self.lease, reading).await? {
                Ok(page) => return Ok(Some(page)),
                Err(error) => {
                    if !self.wait_after(error, &mut failures, control).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Migrates what is old in a page, and stores it; `None` to stop.
    async fn migrate(
        &mut self,
        entity: &Entity,
        page: Page,
        control: &mut Controlled,
    ) -> Result<Option<Tally>> {
        let done = page.records.len() + page.unreadable.len();
        let mut tally = Tally { done: done as u64, ..Tally::default() };
        tally.failures = page.unreadable;
        let mut old = Vec::new();
        for (number, (key, record)) in page.records.into_iter().enumerate() {
            if number % PORTION == PORTION - 1 {
                tokio::task::yield_now().await;
            }
            match look(entity, &self.space, &key, record) {
                Found::Current => {}
                Found::Newer(_) => tally.newer += 1,
                Found::Old { migrated, .. } => old.push(migrated),
                Found::Failed(_, error) | Found::Unreadable(error) => tally.failures.push(error),
            }
        }
        let most = self.engine.capabilities.chunk_len();
        while !old.is_empty() {
            let rest = old.split_off(old.len().min(most));
            if !self.store(old, &mut tally, control).await? {
                return Ok(None);
            }
            old = rest;
        }
        Ok(Some(tally))
    }

    /// Stores migrated documents, however often it takes; `false` to stop.
    async fn store(
        &mut self,
        mut documents: Vec<Document>,
        tally: &mut Tally,
        control: &mut Controlled,
    ) -> Result<bool> {
        let mut failures = 0;
        loop {
            let (engine, space) = (self.engine.clone(), self.space.clone());
            // They are not read now, so they stay out of the cache.
            let storing =
                async move { store_migrated(&engine, &space, documents, false, None).await };
            let result = keep_alive(&mut self.lease, storing).await?;
            let Stored { stored, conflicts, refused, postponed, unavailable } = result;
            tally.stored += stored as u64;
            tally.conflicts += conflicts as u64;
            tally.failures.extend(refused);
            let Some(error) = unavailable else { return Ok(true) };
            documents = postponed;
            if !self.wait_after(error, &mut failures, control).await? {
                return Ok(false);
            }
        }
    }

    /// Waits after the store was unavailable; `false` to stop.
    ///
    /// # Errors
    /// The given one, if it does not pass.
    async fn wait_after(
        &mut self,
        error: Error,
        failures: &mut u32,
        control: &mut Controlled,
    ) -> Result<bool> {
        if !is_passing(&error) {
            return Err(error);
        }
        self.publish(SweepState::Waiting, Some(error));
        let due = Instant::now() + unavailable_delay(*failures);
        *failures = failures.saturating_add(1);
        loop {
            let closing = self.engine.background.closing();
            if control.wanted().is_none() || self.engine.background.is_closing() {
                return Ok(false);
            }
            tokio::select! {
                biased;
                () = closing => {}
                () = control.changed() => {}
                () = sleep_until(due) => return Ok(true),
            }
        }
    }

    /// Notes what came of a page.
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
        self.pace.end_page(Instant::now(), usize::try_from(tally.done).unwrap_or(usize::MAX));
        let saved = self.save().await;
        self.publish(SweepState::Running, None);
        let Tally { done, stored, conflicts, .. } = *tally;
        let failed = tally.failures.len() as u64;
        self.tell(SweepStats { done, stored, conflicts, failed });
        saved
    }

    /// Counts what came of a page, and tells observers.
    fn tell(&self, page: SweepStats) {
        self.engine.counters.sweeps.record(page);
        if self.engine.telemetry.is_observed() {
            let SweepStats { done, stored, conflicts, failed } = page;
            let (space, progress) = (&self.space, &self.progress.borrow().clone());
            let sweep = Event::Sweep { space, done, stored, conflicts, failed, progress };
            self.engine.telemetry.emit(&sweep);
        }
    }

    /// Stores the checkpoint. If that is not possible now, the next one will do; the owner is only
    /// silent meanwhile.
    async fn save(&mut self) -> Result<()> {
        unless_passing(self.lease.save().await)
    }

    fn publish(&self, state: SweepState, unavailable: Option<Error>) {
        let checkpoint = &self.lease.checkpoint;
        let rate = self.pace.rate();
        let left = checkpoint.total.map(|total| total.saturating_sub(checkpoint.done));
        self.progress.send_replace(SweepProgress {
            state,
            total: checkpoint.total,
            done: checkpoint.done,
            stored: checkpoint.stored,
            conflicts: checkpoint.conflicts,
            failed: checkpoint.failed,
            newer: checkpoint.newer,
            rate,
            remaining: left.and_then(|left| self.pace.time_for(left)),
            position: checkpoint.after.clone(),
            unavailable,
        });
    }
}

/// Does some work, and lets the owner of the lease be heard meanwhile.
async fn keep_alive<T>(lease: &mut Lease, work: impl Future<Output = T>) -> Result<T> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            () = sleep_until(lease.renewal()) => unless_passing(lease.save().await)?,
        }
    }
}

/// Takes an error that passes for none.
fn unless_passing(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::Conflict && is_passing(&error) => {
            tracing::debug!(%error, "a sweep could not note how far it has come");
            Ok(())
        }
        result => result,
    }
}
