//! Warming: filling the cache before the first reads.

mod progress;
mod task;
mod warm;

pub use progress::{WarmProgress, WarmReport};
pub(crate) use task::start;
pub use warm::Warm;
