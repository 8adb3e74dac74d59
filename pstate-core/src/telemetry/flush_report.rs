//! What a flush did, and why it happened.

use std::fmt;
use std::time::Duration;

use crate::model::Error;

/// Why a flush happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FlushTrigger {
    /// A batch was full.
    Size,
    /// The flush interval had passed, or the delay after the store was unavailable.
    Interval,
    /// [`PState::flush`](crate::PState::flush) was called.
    Manual,
    /// The handle was closed, or its last clone dropped.
    Close,
}

impl FlushTrigger {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Size, Self::Interval, Self::Manual, Self::Close];

    /// Its name, as a label: `size`, `interval`, `manual`, `close`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Interval => "interval",
            Self::Manual => "manual",
            Self::Close => "close",
        }
    }
}

impl fmt::Display for FlushTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a flush did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FlushReport {
    /// Why it happened.
    pub trigger: FlushTrigger,
    /// Documents written back.
    pub stored: usize,
    /// Documents not written, since another writer had changed or deleted them in between.
    pub conflicts: usize,
    /// Documents that the store refused. They are not tried again until they are read again.
    pub failed: usize,
    /// Why it refused them; each error names its key. The first ten, the log has all.
    pub failures: Vec<Error>,
    /// Documents still queued, because the store was unavailable.
    pub left: usize,
    /// Why some are left.
    pub unavailable: Option<Error>,
    /// How long it took.
    pub duration: Duration,
}

impl FlushReport {
    pub(crate) fn new(trigger: FlushTrigger) -> Self {
        Self {
            trigger,
            stored: 0,
            conflicts: 0,
            failed: 0,
            failures: Vec::new(),
            left: 0,
            unavailable: None,
            duration: Duration::ZERO,
        }
    }
}

impl fmt::Display for FlushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, conflicts, failed, left, .. } = self;
        write!(f, "{stored} stored, {conflicts} conflicts, {failed} failed, {left} left")
    }
}
