//! What a number of tasks did together.

use serde::{Deserialize, Serialize};

/// What tasks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mix {
    /// Nothing: how late timers are without load.
    Idle,
    /// Gets of any document, without a cache: each goes to the store.
    Reads,
    /// Puts of any document.
    Writes,
    /// Nine gets to one put through a cache of 64 MiB; few documents are read often.
    Zipf,
}

impl Mix {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Reads => "reads, not cached",
            Self::Writes => "writes",
            Self::Zipf => "90/10 zipf, cached",
        }
    }
}

/// What a number of tasks did together; times in nanoseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// The store.
    pub backend: String,
    /// What the tasks did.
    pub mix: Mix,
    /// How many tasks there were.
    pub tasks: usize,
    /// The operations of all tasks.
    pub operations_per_second: f64,
    /// The median of an operation.
    pub p50_ns: f64,
    /// Its 99th percentile.
    pub p99_ns: f64,
    /// Its 99.9th percentile.
    pub p999_ns: f64,
    /// The median of how late a timer on the same executor was, including its own millisecond.
    pub timer_p50_ns: f64,
    /// The 99th percentile.
    pub timer_p99_ns: f64,
    /// The latest timer.
    pub timer_max_ns: f64,
}
