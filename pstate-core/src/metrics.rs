//! The bridge to the crate `metrics`.

mod bridge;
mod catalogue;
mod counts;
mod durations;

pub use bridge::MetricsBridge;
pub use catalogue::{Metric, MetricKind};
