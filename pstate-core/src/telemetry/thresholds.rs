//! From when on something is worth a warning.

use std::time::Duration;

/// From when on [`tracing`] warns; see [`Builder::thresholds`](crate::Builder::thresholds).
///
/// | what | warned of when it exceeds |
/// |---|---|
/// | an [operation](crate::Operation), reads of the cache excepted | 10 ms |
/// | how many documents wait to be written back, for longer than the [flush interval](crate::MigrationWriter::flush_interval) | 1,000 |
/// | a flush | 100 ms |
///
/// Each kind is warned of at most once a second; the warning says how many were suppressed since
/// the one before.
///
/// ```
/// use std::time::Duration;
/// use pstate_core::Thresholds;
///
/// let slow = Duration::from_millis(50);
/// let thresholds = Thresholds::default().slow_operation(slow).long_queue(5_000);
/// # assert_ne!(thresholds, Thresholds::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Thresholds {
    pub(super) slow_operation: Duration,
    pub(super) long_queue: usize,
    pub(super) slow_flush: Duration,
    pub(super) repeat: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            slow_operation: Duration::from_millis(10),
            long_queue: 1_000,
            slow_flush: Duration::from_millis(100),
            repeat: Duration::from_secs(1),
        }
    }
}

impl Thresholds {
    /// Nothing is warned of, and without observers no clock is read.
    pub fn never() -> Self {
        Self::default()
            .slow_operation(Duration::MAX)
            .long_queue(usize::MAX)
            .slow_flush(Duration::MAX)
    }

    /// How long an operation may take.
    pub fn slow_operation(mut self, duration: Duration) -> Self {
        self.slow_operation = duration;
        self
    }

    /// How many documents may wait to be written back for longer than the
    /// [flush interval](crate::MigrationWriter::flush_interval).
    pub fn long_queue(mut self, size: usize) -> Self {
        self.long_queue = size;
        self
    }

    /// How long a flush may take.
    pub fn slow_flush(mut self, duration: Duration) -> Self {
        self.slow_flush = duration;
        self
    }

    /// How long there is no second warning of the same kind.
    pub fn repeat_after(mut self, duration: Duration) -> Self {
        self.repeat = duration;
        self
    }
}
