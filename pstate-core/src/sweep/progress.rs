//! What a sweep says about itself.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::key::Key;

/// What a sweep is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweepState {
    /// It looks at documents, or waits because of its rate.
    Running,
    /// It was told to pause.
    Paused,
    /// The store is unavailable; it tries again.
    Waiting,
    /// It was told to stop, or its handle was closed or dropped.
    Stopped,
    /// It has looked at everything.
    Finished,
    /// It has ended with an error.
    Failed,
}

/// How far a sweep has come, what an earlier part of it has done included.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SweepProgress {
    /// What it is doing.
    pub state: SweepState,
    /// How many documents there were to look at when it began, if they were counted.
    pub total: Option<u64>,
    /// Documents looked at.
    pub done: u64,
    /// Documents migrated and stored.
    pub stored: u64,
    /// Documents that somebody else wrote between reading and storing. What they wrote stands.
    pub conflicts: u64,
    /// Documents that could not be read, migrated or stored.
    pub failed: u64,
    /// Documents that are newer than the schema, and were left alone.
    pub newer: u64,
    /// Documents looked at per second, lately.
    pub rate: f64,
    /// How long it will take at this rate, if the total is known.
    pub remaining: Option<Duration>,
    /// The last document it has looked at.
    pub position: Option<Key>,
    /// Why it waits, if it does.
    pub unavailable: Option<Error>,
}

impl SweepProgress {
    /// Whether the sweep has ended, for whatever reason.
    pub fn is_ended(&self) -> bool {
        use SweepState::{Failed, Finished, Stopped};
        matches!(self.state, Finished | Stopped | Failed)
    }
}

impl fmt::Display for SweepProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, stored, conflicts, failed, rate, .. } = self;
        write!(f, "{done}")?;
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        write!(f, ": {stored} stored, {conflicts} conflicts, {failed} failed, {rate:.0}/s")?;
        if let Some(remaining) = self.remaining {
            write!(f, ", {} s to go", remaining.as_secs())?;
        }
        match &self.unavailable {
            Some(error) => write!(f, ", waiting: {error}"),
            None => Ok(()),
        }
    }
}

/// A document that a sweep could not migrate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SweepFailure {
    /// Its key; `None` for a place in the store that has none.
    pub key: Option<Key>,
    /// What is wrong with it.
    pub reason: String,
}

impl SweepFailure {
    pub(super) fn new(error: &Error) -> Self {
        Self { key: error.key().cloned(), reason: error.message().to_owned() }
    }
}

impl fmt::Display for SweepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// What a sweep has done, what an earlier part of it has done included.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Whether it has looked at everything, and not only until it was stopped.
    pub finished: bool,
    /// Documents looked at.
    pub done: u64,
    /// Documents migrated and stored.
    pub stored: u64,
    /// Documents that somebody else wrote between reading and storing. What they wrote stands.
    pub conflicts: u64,
    /// Documents that could not be read, migrated or stored.
    pub failed: u64,
    /// Documents that are newer than the schema, and were left alone.
    pub newer: u64,
    /// The first of the failures: [`Sweep::keep_failures`](crate::Sweep::keep_failures).
    pub failures: Vec<SweepFailure>,
    /// After which document it went on, if an earlier part of it had not come to the end.
    pub resumed_after: Option<Key>,
    /// How many documents that earlier part had looked at.
    pub done_before: u64,
    /// How long it took, the earlier part not included.
    pub duration: Duration,
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, stored, conflicts, failed, .. } = self;
        let how = if self.finished { "finished" } else { "stopped" };
        write!(f, "{how}: {done} done, {stored} stored, {conflicts} conflicts, {failed} failed")
    }
}
