//! How long to measure.

use std::time::Duration;

/// How long to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// How long an operation is measured on a backend.
    pub time: Duration,
    /// The least number of rounds that count, however long they take.
    pub least_rounds: usize,
    /// The greatest number of rounds that count.
    pub most_rounds: usize,
}

impl Effort {
    /// For figures that are published.
    pub const LONG: Self =
        Self { time: Duration::from_secs(8), least_rounds: 40, most_rounds: 400 };
    /// Everything that is usually measured, in minutes.
    pub const USUAL: Self =
        Self { time: Duration::from_millis(1_500), least_rounds: 20, most_rounds: 200 };
    /// For a first look.
    pub const QUICK: Self =
        Self { time: Duration::from_millis(250), least_rounds: 5, most_rounds: 40 };

    /// How many rounds precede the rounds that count.
    pub(super) const WARM_UP: usize = 3;
}
