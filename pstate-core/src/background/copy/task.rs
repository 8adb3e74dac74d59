//! The task that copies.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::watch;

use super::checkpoint::{Checkpoint, Counts, Seen};
use super::pages::{PageLen, bytes_of, page_after};
use super::progress::CopyProgress;
use super::report::{CopyReport, CopyVerification};
use super::settings::Settings;
use super::stores::{Stores, check_named};
use super::verify::verify;
use crate::background::driver::{Ended, JobDriver};
use crate::model::{Batch, Error, ErrorKind, Key, Outcome, Result, Space, Write};
use crate::runtime::Instant;
use crate::storage::Page;
use crate::telemetry::JobState;

pub(super) struct Task {
    stores: Stores,
    settings: Settings,
    driver: JobDriver<CopyProgress>,
}

/// A copy that knows where to go on.
pub(super) struct Prepared {
    task: Task,
    spaces: BTreeMap<Space, Checkpoint>,
    /// Those whose checkpoint is in the target.
    noted: BTreeSet<Space>,
    /// Whether an earlier one had copied everything that it has noted.
    was_at_the_end: bool,
    counts: Counts,
    documents_before: u64,
    started: Instant,
}

impl Task {
    pub(super) fn new(stores: Stores, settings: Settings, driver: JobDriver<CopyProgress>) -> Self {
        Self { stores, settings, driver }
    }

    /// Compares, and copies nothing.
    pub(super) async fn verify(mut self) -> Result<CopyVerification> {
        verify(&mut self.driver, &self.stores, &self.settings).await.map_err(failure)
    }

    /// Finds out where to go on, and whether it may.
    pub(super) async fn prepare(mut self) -> Result<Prepared> {
        let started = Instant::now();
        let (mut spaces, noted) = self.checkpoints().await.map_err(failure)?;
        let mut was_at_the_end = are_at_the_end(&spaces, &noted);
        if was_at_the_end && self.settings.overwrite {
            // The target may have been used since.
            let found = spaces.iter_mut().filter(|(space, _)| noted.contains(*space));
            found.for_each(|(_, found)| found.restart());
            was_at_the_end = false;
        }
        let total = self.count(spaces.keys()).await.map_err(failure)?;
        let mut counts = Counts::default();
        for checkpoint in spaces.values() {
            counts.add(&checkpoint.counts, self.settings.keep_failures);
        }
        self.driver.publish(|progress| {
            progress.total = total;
            counts.show(progress);
        });
        let documents_before = counts.documents;
        Ok(Prepared {
            task: self,
            spaces,
            noted,
            was_at_the_end,
            counts,
            documents_before,
            started,
        })
    }

    /// Where to go on in each space of the source, and for which of them that is noted.
    async fn checkpoints(
        &mut self,
    ) -> Result<(BTreeMap<Space, Checkpoint>, BTreeSet<Space>), Ended> {
        let (from, to) = self.stores.spaces(&mut self.driver, &self.settings).await?;
        check_named(&self.settings, &[&from], "the source holds no")?;
        let overwrites = self.settings.overwrite;
        let (mut checkpoints, mut noted) = (BTreeMap::new(), BTreeSet::new());
        for space in from.union(&to) {
            let found = {
                let to = &*self.stores.to;
                self.driver.attempt(|| Checkpoint::read(to, space)).await?
            };
            let of_another = match found {
                Some(mut checkpoint) if self.is_there(space, &checkpoint.seen).await? => {
                    if overwrites && !checkpoint.overwrites {
                        // What is copied may have been changed since: all of it is compared.
                        checkpoint.restart();
                    }
                    checkpoint.overwrites = overwrites;
                    noted.insert(space.clone());
                    checkpoints.insert(space.clone(), checkpoint);
                    continue;
                }
                found => found.is_some(),
            };
            let compare = to.contains(space);
            if compare && !overwrites {
                return Err(occupied(space, of_another).into());
            }
            if from.contains(space) {
                let checkpoint = Checkpoint { compare, overwrites, ..Checkpoint::default() };
                checkpoints.insert(space.clone(), checkpoint);
            }
        }
        Ok((checkpoints, noted))
    }

    /// Whether the source still has this page.
    async fn is_there(&mut self, space: &Space, seen: &Seen) -> Result<bool, Ended> {
        let (mut records, mut after) = (Vec::new(), seen.after.clone());
        while let Ok(limit) = seen.documents.saturating_sub(records.len()).try_into() {
            let scan = page_after(after.take(), limit);
            let page = self.driver.attempt(|| self.stores.from.scan(space, &scan)).await?;
            records.extend(page.records);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        Ok(Seen::new(seen.after.clone(), &records) == *seen)
    }

    /// How many documents the spaces of the source have, if it counts them where they are.
    async fn count(&mut self, spaces: impl Iterator<Item = &Space>) -> Result<Option<u64>, Ended> {
        let Some(counter) = self.stores.from.extensions().count_versions else { return Ok(None) };
        let mut total = 0;
        for space in spaces {
            let counts = self.driver.attempt(|| counter.count_versions(space)).await?;
            let readable = counts.by_type().into_values().flat_map(|versions| versions.values());
            total += readable.sum::<u64>() + counts.unreadable();
        }
        Ok(Some(total))
    }

    /// Writes, each for itself, and gives the errors of those that the target refuses.
    async fn write(&mut self, space: &Space, writes: Vec<Write>) -> Result<Vec<Error>, Ended> {
        let most = self.stores.to.capabilities().chunk_len();
        let (mut refused, mut failed) = (Vec::new(), 0);
        let mut left = writes;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(most));
            let batch = Batch::each(left);
            left = rest;
            let write = || self.stores.to.write(space, &batch);
            let outcomes = self.driver.attempt(write).await?;
            let mut passing = None;
            for (write, outcome) in batch.writes.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Stored(_) | Outcome::Deleted => {}
                    Outcome::Failed(error) if error.is_transient() => {
                        passing = Some(error);
                        left.push(write);
                    }
                    Outcome::Failed(error) => refused.push(error.at_key(&write.key)),
                    Outcome::Conflict | Outcome::Aborted => {
                        let why = "the target has refused it, though nothing was expected of it";
                        refused.push(Error::new(ErrorKind::Other, why).at_key(&write.key));
                    }
                }
            }
            if let Some(error) = passing {
                self.driver.wait_after(error, &mut failed).await?;
            } else {
                failed = 0;
            }
        }
        Ok(refused)
    }

    /// Writes what all depends on.
    async fn write_notes(&mut self, notes: Vec<Write>) -> Result<(), Ended> {
        match self.write(&Space::copies(), notes).await?.pop() {
            None => Ok(()),
            Some(error) => Err(error.without_place().into()),
        }
    }

    /// Writes what of a page is not there yet.
    async fn store(&mut self, space: &Space, page: Page, compare: bool) -> Result<Counts, Ended> {
        let mut counts = Counts {
            documents: (page.records.len() + page.unreadable.len()) as u64,
            bytes: bytes_of(&page) as u64,
            ..Counts::default()
        };
        for error in &page.unreadable {
            counts.fail(space, error);
        }
        let to = &self.stores.to;
        let capabilities = to.capabilities();
        let mut writes = Vec::with_capacity(page.records.len());
        for records in page.records.chunks(capabilities.chunk_len()) {
            let there = if compare {
                let keys: Vec<Key> = records.iter().map(|(key, _)| key.clone()).collect();
                self.driver.attempt(|| self.stores.to.multi_get(space, &keys)).await?
            } else {
                vec![None; records.len()]
            };
            for ((key, record), there) in records.iter().zip(there) {
                if there.is_some_and(|there| there.bytes == record.bytes) {
                    continue;
                }
                match capabilities.check_len(key, record.bytes.len()) {
                    Ok(()) => writes.push(Write::put(key.clone(), record.bytes.clone())),
                    Err(error) => counts.fail(space, &error),
                }
            }
        }
        let sent = writes.len();
        let refused = self.write(space, writes).await?;
        counts.written = (sent - refused.len()) as u64;
        for error in &refused {
            counts.fail(space, error);
        }
        Ok(counts)
    }
}

impl Prepared {
    /// What it says about itself while it runs.
    pub(super) fn progress(&self) -> watch::Receiver<CopyProgress> {
        self.task.driver.subscribe()
    }

    /// Copies, compares, and says what it has done.
    pub(super) async fn run(mut self) -> Result<CopyReport> {
        let ended = self.copy_and_verify().await;
        let (state, result) = match ended {
            Ok(verification) => (JobState::Finished, Ok(verification)),
            Err(Ended::Canceled) => (JobState::Canceled, Ok(None)),
            Err(Ended::Failed(error)) => (JobState::Failed, Err(error)),
        };
        self.task.driver.set_state(state);
        let verification = result?;
        let Counts { documents, written, bytes, failed, failures } = self.counts;
        Ok(CopyReport {
            finished: state == JobState::Finished,
            documents,
            written,
            bytes,
            spaces: self.spaces.into_keys().collect(),
            failed,
            failures,
            documents_before: self.documents_before,
            verification,
            duration: self.started.elapsed(),
        })
    }

    async fn copy_and_verify(&mut self) -> Result<Option<CopyVerification>, Ended> {
        let spaces: Vec<Space> = self.spaces.keys().cloned().collect();
        for space in &spaces {
            self.copy_space(space).await?;
        }
        // What is compared is what is safe.
        let Task { stores, settings, driver } = &mut self.task;
        driver.attempt(|| stores.to.flush()).await?;
        let verification =
            if settings.verify { Some(verify(driver, stores, settings).await?) } else { None };
        let equal = verification.as_ref().is_none_or(CopyVerification::is_complete);
        if equal && self.counts.failed == 0 {
            self.remove_notes().await?;
        } else if !self.was_at_the_end {
            // Otherwise the target may have been used since: that is overwritten only if it is
            // asked for.
            self.restart_notes().await?;
        }
        Ok(verification)
    }

    async fn copy_space(&mut self, space: &Space) -> Result<(), Ended> {
        let Self { task, spaces, noted, counts, .. } = self;
        let Some(checkpoint) = spaces.get_mut(space) else { return Ok(()) };
        let max_len = task.stores.to.capabilities().max_value_len;
        let keep = task.settings.keep_failures;
        let mut page_len = PageLen::new(&task.settings);
        while !checkpoint.finished {
            let limit = task.driver.begin_page(page_len.next()).await?;
            let scan = page_after(checkpoint.after.clone(), limit);
            let page = task.driver.attempt(|| task.stores.from.scan(space, &scan)).await?;
            page_len.learn(page.records.len(), bytes_of(&page));
            if !page.records.is_empty() {
                checkpoint.seen = Seen::new(scan.after, &page.records);
            }
            if noted.insert(space.clone()) {
                // Before the first document, so that whose they are is never in doubt.
                task.write_notes(vec![checkpoint.write(space, max_len)?]).await?;
            }
            let last = page.records.last().map(|(key, _)| key.clone());
            let next = page.next.clone();
            let stored = task.store(space, page, checkpoint.compare).await?;
            checkpoint.finished = next.is_none();
            checkpoint.after = next.or(last).or(checkpoint.after.take());
            checkpoint.counts.add(&stored, keep);
            counts.add(&stored, keep);
            task.write_notes(vec![checkpoint.write(space, max_len)?]).await?;
            let len = usize::try_from(stored.documents).unwrap_or(usize::MAX);
            task.driver.end_page(len, |progress| {
                counts.show(progress);
                progress.space = Some(space.clone());
                progress.position.clone_from(&checkpoint.after);
            });
        }
        Ok(())
    }

    /// Lets the next copy look at everything again.
    async fn restart_notes(&mut self) -> Result<(), Ended> {
        let max_len = self.task.stores.to.capabilities().max_value_len;
        let notes = self.spaces.iter_mut().map(|(space, checkpoint)| {
            checkpoint.restart();
            checkpoint.write(space, max_len)
        });
        let notes = notes.collect::<Result<_>>()?;
        self.task.write_notes(notes).await
    }

    /// Everything has arrived. A note that stays would be taken for that of an unfinished copy.
    async fn remove_notes(&mut self) -> Result<(), Ended> {
        let notes = self.spaces.keys().map(Checkpoint::remove).collect::<Result<_>>()?;
        self.task.write_notes(notes).await
    }
}

/// Whether there are noted checkpoints, all of them at the end of their spaces.
///
/// A function of its own: the closure, in a future that lives on, would keep it from being `Send`.
fn are_at_the_end(spaces: &BTreeMap<Space, Checkpoint>, noted: &BTreeSet<Space>) -> bool {
    let mut found = noted.iter().filter_map(|space| spaces.get(space)).peekable();
    found.peek().is_some() && found.all(|found| found.finished)
}

impl Counts {
    fn show(&self, progress: &mut CopyProgress) {
        progress.done = self.documents;
        progress.written = self.written;
        progress.bytes = self.bytes;
        progress.failed = self.failed;
    }
}

/// The error of a space that holds documents already.
fn occupied(space: &Space, of_another: bool) -> Error {
    let why = if of_another {
        "holds an unfinished copy of another source, or of this one before it was changed"
    } else {
        "holds documents already"
    };
    let why = format!(
        "space {:?} of the target {why}; `overwrite(true)` compares them and writes what differs",
        space.as_str()
    );
    Error::invalid_input(why).in_space(space)
}

/// The error of what cannot be stopped.
fn failure(ended: Ended) -> Error {
    match ended {
        Ended::Failed(error) => error,
        Ended::Canceled => Error::new(ErrorKind::Other, "it was canceled"),
    }
}
