//! The lease on a space: one sweep at a time, in all processes.
//!
//! A sweep owns the checkpoint of its space and changes it by compare-and-swap, at least three
//! times in each period of its lease. A second sweep that finds it owned watches it: if it changes,
//! the owner is alive; if it has not changed for a whole period, the owner is assumed dead and the
//! second sweep takes the checkpoint over, again by compare-and-swap. An owner that was only slow
//! finds out with its next change. Clocks of different processes are never compared.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::checkpoint::{Checkpoint, SweepCheckpoint};
use super::counting::Counting;
use crate::engine::Engine;
use crate::model::{
    Batch, Change, Error, ErrorKind, Expect, Key, Outcome, Record, Result, Revision, Space, Write,
};
use crate::runtime::{Instant, sleep, sleep_until};

/// How often a second sweep looks whether the owner is alive, at least: the owner stores its
/// checkpoint far more often than its lease demands.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// After how many pages that were only read the checkpoint is stored: to read them again costs less
/// than a sync for each.
const PAGES_READ: usize = 8;

/// A checkpoint that is owned.
#[derive(Debug)]
pub(super) struct Lease {
    place: Place,
    owner: String,
    revision: Revision,
    renew_at: Instant,
    /// How many pages are done beyond the stored checkpoint.
    unsaved_pages: usize,
    pub(super) checkpoint: Checkpoint,
}

/// Where a checkpoint is stored.
struct Place {
    engine: Arc<Engine>,
    /// The space that is swept.
    swept: Space,
    space: Space,
    key: Key,
}

impl Lease {
    /// Becomes the owner of the space's checkpoint.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict), retryable, while another sweep renews its lease.
    pub(super) async fn acquire(
        engine: &Arc<Engine>,
        swept: &Space,
        lease: Duration,
    ) -> Result<Self> {
        let place = Place::new(engine, swept)?;
        let owner = format!("{}-{:032x}", std::process::id(), fastrand::u128(..));
        loop {
            let found = place.read().await?;
            let (mut checkpoint, expect) = match found {
                None => (Checkpoint::default(), Expect::Absent),
                Some((checkpoint, revision)) => {
                    if checkpoint.owner.is_some() {
                        place.wait_for_silence(&checkpoint, revision).await?;
                    }
                    (checkpoint, Expect::Revision(revision))
                }
            };
            checkpoint.owner = Some(owner.clone());
            checkpoint.lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
            checkpoint.beat += 1;
            if let Some(revision) = place.write(&checkpoint, expect).await? {
                let renew_at = Instant::now() + checkpoint.lease() / 3;
                return Ok(Self { place, owner, revision, renew_at, unsaved_pages: 0, checkpoint });
            }
            // Another sweep was faster; now this one watches it.
        }
    }

    /// Does some work, and renews the lease in the meantime.
    pub(super) async fn keep<T>(
        &mut self,
        counting: &mut Counting,
        work: impl Future<Output = T>,
    ) -> Result<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                counted = counting.ended() => match counted {
                    Ok(total) => self.checkpoint.total = Some(total),
                    Err(error) => tracing::debug!(%error, "a sweep could not count"),
                },
                () = sleep_until(self.renew_at) => unless_transient(self.save().await)?,
            }
        }
    }

    /// Counts a page that is done. Whether the checkpoint is to be stored now.
    pub(super) fn end_page(&mut self, changed: bool) -> bool {
        self.unsaved_pages += 1;
        changed || self.unsaved_pages >= PAGES_READ
    }

    /// Stores the checkpoint as it is.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if another sweep has taken over. After another error the
    /// call may be repeated.
    pub(super) async fn save(&mut self) -> Result<()> {
        self.checkpoint.beat += 1;
        let lease = self.checkpoint.lease();
        // If it fails, the next attempt is made sooner, but not at once.
        self.renew_at = Instant::now() + lease / 10;
        loop {
            let expect = Expect::Revision(self.revision);
            if let Some(revision) = self.place.write(&self.checkpoint, expect).await? {
                self.revision = revision;
                self.renew_at = Instant::now() + lease / 3;
                self.unsaved_pages = 0;
                return Ok(());
            }
            // An earlier change may have been stored though its answer was lost.
            match self.place.read().await? {
                Some((found, revision))
                    if found.owner.as_ref() == Some(&self.owner) && revision != self.revision =>
                {
                    self.revision = revision;
                }
                _ => {
                    let why = "the sweep did not renew its lease in time, and another sweep has \
                               taken over";
                    return Err(Error::new(ErrorKind::Conflict, why).in_space(&self.place.swept));
                }
            }
        }
    }

    /// Gives up the lease, and records how the sweep ended.
    pub(super) async fn release(mut self, finished: bool) -> Result<()> {
        self.checkpoint.finished = finished;
        self.checkpoint.owner = None;
        self.save().await
    }
}

/// The checkpoint of the last sweep of a space.
pub(crate) async fn last_sweep(
    engine: &Arc<Engine>,
    swept: &Space,
) -> Result<Option<SweepCheckpoint>> {
    let found = Place::new(engine, swept)?.read().await?;
    Ok(found.map(|(checkpoint, _)| checkpoint.into()))
}

/// Takes an error that passes for none.
pub(super) fn unless_transient(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::Conflict && error.is_transient() => {
            tracing::debug!(%error, "a sweep could not store its checkpoint");
            Ok(())
        }
        result => result,
    }
}

impl Place {
    fn new(engine: &Arc<Engine>, swept: &Space) -> Result<Self> {
        let (space, key) = Checkpoint::place(swept)?;
        Ok(Self { engine: engine.clone(), swept: swept.clone(), space, key })
    }

    async fn record(&self) -> Result<Option<Record>> {
        let keys = std::slice::from_ref(&self.key);
        let mut records = self.engine.adapter().multi_get(&self.space, keys).await?;
        Ok(records.pop().flatten())
    }

    /// The checkpoint; one that cannot be read is as good as none.
    async fn read(&self) -> Result<Option<(Checkpoint, Revision)>> {
        let Some(record) = self.record().await? else { return Ok(None) };
        let checkpoint = Checkpoint::read(&record).unwrap_or_else(|error| {
            tracing::warn!(space = %self.swept, %error, "the sweep starts from the beginning");
            Checkpoint::default()
        });
        Ok(Some((checkpoint, record.revision)))
    }

    /// Stores the checkpoint; `None` if it is not what is expected.
    async fn write(&self, checkpoint: &Checkpoint, expect: Expect) -> Result<Option<Revision>> {
        let bytes = serde_json::to_vec(checkpoint).map_err(|error| {
            Error::new(ErrorKind::Other, "the checkpoint of a sweep").caused_by(error)
        })?;
        let change = Change::Put(bytes.into());
        let batch = Batch::each(vec![Write { key: self.key.clone(), expect, change }]);
        match self.engine.adapter().write(&self.space, &batch).await?.pop() {
            Some(Outcome::Stored(revision)) => Ok(Some(revision)),
            Some(Outcome::Failed(error)) => Err(error),
            _ => Ok(None),
        }
    }

    /// Returns when the owner has not renewed its lease for the whole period.
    async fn wait_for_silence(&self, checkpoint: &Checkpoint, revision: Revision) -> Result<()> {
        let lease = checkpoint.lease();
        let silent = Instant::now() + lease;
        while Instant::now() < silent {
            sleep((lease / 20).clamp(Duration::from_millis(1), LONGEST_PAUSE)).await;
            let record = self.record().await?;
            let Some(record) = record.filter(|record| record.revision != revision) else {
                continue;
            };
            let now = Checkpoint::read(&record).unwrap_or_default();
            if now.owner.is_none() {
                return Ok(());
            }
            let position = now.after.map_or_else(String::new, |after| format!(", at {after}"));
            let why = format!(
                "another sweep of this space is running: {} documents done{position}",
                now.done
            );
            return Err(Error::new(ErrorKind::Conflict, why).in_space(&self.swept).retryable());
        }
        Ok(())
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("swept", &self.swept).finish_non_exhaustive()
    }
}
