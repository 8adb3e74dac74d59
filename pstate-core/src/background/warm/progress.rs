//! How far warming has come, and what it reports in the end.

use std::fmt;
use std::time::Duration;

use crate::background::driver::Progress;
use crate::model::Error;
use crate::telemetry::JobState;

/// How many failures are kept.
const FAILURES_KEPT: usize = 100;

/// How far warming has come.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WarmProgress {
    /// What it is doing.
    pub state: JobState,
    /// How many documents there are to read, if only keys were asked for.
    pub total: Option<usize>,
    /// Documents that were read, or were cached already.
    pub done: usize,
    /// Keys under which nothing is stored.
    pub absent: usize,
    /// Documents that could not be read.
    pub failed: usize,
    /// Why; the first 100.
    pub failures: Vec<Error>,
    /// Documents per second, over the last pages.
    pub rate: f64,
    /// How long it will take at this rate, if the total is known.
    pub remaining: Option<Duration>,
    /// Why it waits, if it does.
    pub unavailable: Option<Error>,
}

impl WarmProgress {
    pub(super) fn new(total: Option<usize>) -> Self {
        Self {
            state: JobState::Running,
            total,
            done: 0,
            absent: 0,
            failed: 0,
            failures: Vec::new(),
            rate: 0.0,
            remaining: None,
            unavailable: None,
        }
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.failed += 1;
        if self.failures.len() < FAILURES_KEPT {
            self.failures.push(error);
        }
    }
}

impl Progress for WarmProgress {
    fn state(&self) -> JobState {
        self.state
    }

    fn set_state(&mut self, state: JobState, unavailable: Option<Error>) {
        (self.state, self.unavailable) = (state, unavailable);
    }

    fn left(&self) -> Option<u64> {
        let done = self.done + self.absent + self.failed;
        self.total.map(|total| total.saturating_sub(done) as u64)
    }

    fn set_rate(&mut self, rate: f64, remaining: Option<Duration>) {
        (self.rate, self.remaining) = (rate, remaining);
    }
}

impl fmt::Display for WarmProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, absent, failed, rate, .. } = self;
        write!(f, "{done}")?;
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        write!(f, ": {absent} absent, {failed} failed, {rate:.0}/s")?;
        match &self.unavailable {
            Some(error) => write!(f, ", waiting: {error}"),
            None => Ok(()),
        }
    }
}

/// What warming has done.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WarmReport {
    /// Whether it has read everything, and neither was canceled nor ended at a full cache.
    pub finished: bool,
    /// Whether it has ended because the cache is full: to continue would only evict what it has
    /// read.
    pub cache_full: bool,
    /// Documents that were read, or were cached already.
    pub done: usize,
    /// Keys under which nothing is stored.
    pub absent: usize,
    /// Documents that could not be read.
    pub failed: usize,
    /// Why; the first 100.
    pub failures: Vec<Error>,
    /// How long it took.
    pub duration: Duration,
}

impl fmt::Display for WarmReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, absent, failed, duration, .. } = self;
        let how = match (self.finished, self.cache_full) {
            (true, _) => "finished",
            (false, true) => "cache full",
            (false, false) => "canceled",
        };
        let seconds = duration.as_secs_f64();
        write!(f, "{how}: {done} done, {absent} absent, {failed} failed, in {seconds:.1} s")
    }
}
