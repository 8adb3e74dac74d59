//! What a sweep reports when it has ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Error, Key};

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

/// What a sweep has done, the work of an interrupted part included.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Whether it has looked at everything, and not only until it was stopped.
    pub finished: bool,
    /// Documents looked at.
    pub done: u64,
    /// Documents migrated and stored.
    pub stored: u64,
    /// Documents that another writer changed between reading and storing. Its write stands.
    pub conflicts: u64,
    /// Documents that could not be read, migrated or stored.
    pub failed: u64,
    /// Documents that are newer than the schema, and were left alone.
    pub newer: u64,
    /// The first of the failures: [`Sweep::keep_failures`](crate::Sweep::keep_failures).
    pub failures: Vec<SweepFailure>,
    /// The document after which it resumed an interrupted sweep.
    pub resumed_after: Option<Key>,
    /// How many documents the interrupted sweep had looked at.
    pub done_before: u64,
    /// How long it took, the interrupted part not included.
    pub duration: Duration,
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, stored, conflicts, failed, .. } = self;
        let how = if self.finished { "finished" } else { "stopped" };
        write!(f, "{how}: {done} done, {stored} stored, {conflicts} conflicts, {failed} failed")
    }
}
