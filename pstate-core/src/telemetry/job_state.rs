//! The state of a background job.

use std::fmt;

/// What a job is doing: a sweep, a copy, warming the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobState {
    /// It works, or waits because of its rate.
    Running,
    /// Its owner has paused it.
    Paused,
    /// A store is unavailable; the job tries again.
    Waiting,
    /// Its owner has canceled or dropped it, or the handle was closed.
    Canceled,
    /// It has done everything.
    Finished,
    /// It has ended with an error.
    Failed,
}

impl JobState {
    /// Whether the job has ended, for whatever reason.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Canceled | Self::Finished | Self::Failed)
    }

    /// Its name: `running`, `paused`, `waiting`, `canceled`, `finished`, `failed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
            Self::Canceled => "canceled",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
