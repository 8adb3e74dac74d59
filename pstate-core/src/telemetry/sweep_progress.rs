//! How far a sweep has come.

use std::fmt;
use std::time::Duration;

use super::job_state::JobState;
use crate::model::{Error, Key};

/// How far a sweep has come, the work of an interrupted part included.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SweepProgress {
    /// What it is doing.
    pub state: JobState,
    /// How many documents there were to look at when it began, if they were counted.
    pub total: Option<u64>,
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
    /// Documents looked at per second, over the last pages.
    pub rate: f64,
    /// How long it will take at this rate, if the total is known.
    pub remaining: Option<Duration>,
    /// The last document it has looked at.
    pub position: Option<Key>,
    /// Why it waits, if it does.
    pub unavailable: Option<Error>,
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
