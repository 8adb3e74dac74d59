//! The checkpoint of a sweep, in the store.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::report::SweepFailure;
use crate::model::{Error, Key, Record, Result, Space};
use crate::telemetry::SweepProgress;

/// How far the last sweep of a space has come, and which process owns it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The sweep that owns it; `None` if no sweep runs.
    pub(super) owner: Option<String>,
    /// Changes whenever the owner renews its lease.
    pub(super) beat: u64,
    /// How long the owner may be silent, in milliseconds.
    pub(super) lease_ms: u64,
    /// The schema that it migrates to.
    pub(super) versions: BTreeMap<String, u32>,
    pub(super) finished: bool,
    /// The last key it has looked at.
    pub(super) after: Option<Key>,
    /// Whether it is looking again at what it had resumed after.
    #[serde(default)]
    pub(super) looks_again: bool,
    pub(super) total: Option<u64>,
    pub(super) done: u64,
    pub(super) stored: u64,
    pub(super) conflicts: u64,
    pub(super) failed: u64,
    pub(super) newer: u64,
    pub(super) failures: Vec<SweepFailure>,
}

impl Checkpoint {
    /// Where the checkpoint of a space is stored: in a space of PState's own.
    pub(super) fn place(space: &Space) -> Result<(Space, Key)> {
        Ok((Space::sweeps(), Key::new("sweep", space.as_str())?))
    }

    pub(super) fn read(record: &Record) -> Result<Self> {
        serde_json::from_slice(&record.bytes)
            .map_err(|_| Error::corrupt("the checkpoint of a sweep cannot be read"))
    }

    /// Shows in a progress how far the sweep has come.
    pub(super) fn show(&self, progress: &mut SweepProgress) {
        progress.total = self.total;
        progress.done = self.done;
        progress.stored = self.stored;
        progress.conflicts = self.conflicts;
        progress.failed = self.failed;
        progress.newer = self.newer;
        progress.position.clone_from(&self.after);
    }

    pub(super) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// Starts from the beginning, for this schema.
    pub(super) fn restart(&mut self, versions: BTreeMap<String, u32>) {
        let Self { owner, beat, lease_ms, .. } = std::mem::take(self);
        *self = Self { owner, beat, lease_ms, versions, ..Self::default() };
    }

    /// Starts from the beginning. What it finds is counted from zero, what it did is kept.
    pub(super) fn look_at_all(&mut self) {
        self.look_again(&self.clone());
        self.looks_again = false;
    }

    /// Goes back to the beginning, to look again at what was found until an earlier checkpoint.
    pub(super) fn look_again(&mut self, earlier: &Self) {
        self.looks_again = true;
        self.after = None;
        self.done = self.done.saturating_sub(earlier.done);
        self.failed = self.failed.saturating_sub(earlier.failed);
        self.newer = self.newer.saturating_sub(earlier.newer);
        self.failures.drain(..earlier.failures.len().min(self.failures.len()));
    }
}

/// How far the last sweep of a space has come, as the store says; whichever process runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepCheckpoint {
    /// Whether it has looked at everything.
    pub finished: bool,
    /// Whether it owns its lease: it runs, or was killed.
    pub running: bool,
    /// The versions of the schema that it migrates to.
    pub versions: BTreeMap<String, u32>,
    /// The last document it has looked at.
    pub position: Option<Key>,
    /// How many documents there were to look at when it began, if they were counted.
    pub total: Option<u64>,
    /// Documents looked at.
    pub done: u64,
    /// Documents migrated and stored.
    pub stored: u64,
    /// Documents that another writer changed between reading and storing.
    pub conflicts: u64,
    /// Documents that could not be read, migrated or stored.
    pub failed: u64,
}

impl From<Checkpoint> for SweepCheckpoint {
    fn from(checkpoint: Checkpoint) -> Self {
        Self {
            finished: checkpoint.finished,
            running: checkpoint.owner.is_some(),
            versions: checkpoint.versions,
            position: checkpoint.after,
            total: checkpoint.total,
            done: checkpoint.done,
            stored: checkpoint.stored,
            conflicts: checkpoint.conflicts,
            failed: checkpoint.failed,
        }
    }
}
