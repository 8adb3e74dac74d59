//! How far a copy has come.

use std::fmt;
use std::time::Duration;

use crate::background::driver::Progress;
use crate::model::{Error, Key, Space};
use crate::telemetry::JobState;

/// What a copy does while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyPhase {
    /// It copies.
    Copying,
    /// Everything is copied; it compares both stores.
    Verifying,
}

/// How far a copy has come, the work of an interrupted part included.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CopyProgress {
    /// What it is doing.
    pub state: JobState,
    /// Whether it copies or compares.
    pub phase: CopyPhase,
    /// How many documents the source had when it began, if it can count them without reading them.
    pub total: Option<u64>,
    /// Documents of the source that were looked at.
    pub done: u64,
    /// Documents written. The others were there already.
    pub written: u64,
    /// How many bytes the documents have that were looked at.
    pub bytes: u64,
    /// Documents that could not be read or written.
    pub failed: u64,
    /// Documents of the source that were compared in the end.
    pub verified: u64,
    /// Documents per second, over the last pages.
    pub rate: f64,
    /// How long copying, or comparing, will take at this rate, if the total is known.
    pub remaining: Option<Duration>,
    /// The space at hand.
    pub space: Option<Space>,
    /// The last document of it that was looked at.
    pub position: Option<Key>,
    /// Why it waits, if it does.
    pub unavailable: Option<Error>,
}

impl CopyProgress {
    pub(super) fn new() -> Self {
        Self {
            state: JobState::Running,
            phase: CopyPhase::Copying,
            total: None,
            done: 0,
            written: 0,
            bytes: 0,
            failed: 0,
            verified: 0,
            rate: 0.0,
            remaining: None,
            space: None,
            position: None,
            unavailable: None,
        }
    }
}

impl Progress for CopyProgress {
    fn state(&self) -> JobState {
        self.state
    }

    fn set_state(&mut self, state: JobState, unavailable: Option<Error>) {
        (self.state, self.unavailable) = (state, unavailable);
    }

    fn left(&self) -> Option<u64> {
        let passed = match self.phase {
            CopyPhase::Copying => self.done,
            CopyPhase::Verifying => self.verified,
        };
        self.total.map(|total| total.saturating_sub(passed))
    }

    fn set_rate(&mut self, rate: f64, remaining: Option<Duration>) {
        (self.rate, self.remaining) = (rate, remaining);
    }
}

impl fmt::Display for CopyProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, written, failed, rate, .. } = self;
        write!(f, "{done}")?;
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        write!(f, ": {written} written, {failed} failed")?;
        if self.verified > 0 {
            write!(f, ", {} verified", self.verified)?;
        }
        write!(f, ", {rate:.0}/s")?;
        if let Some(space) = &self.space {
            write!(f, ", in space {space}")?;
        }
        if let Some(remaining) = self.remaining {
            write!(f, ", {} s to go", remaining.as_secs())?;
        }
        match &self.unavailable {
            Some(error) => write!(f, ", waiting: {error}"),
            None => Ok(()),
        }
    }
}
