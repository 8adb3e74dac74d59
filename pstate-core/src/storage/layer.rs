//! Layers: adapters around an adapter.
//!
//! From the outside in, the usual order is `RetryLayer(TimeoutLayer(adapter))`: every attempt has
//! its own time limit. The other way round, the limit would span all attempts.

mod retry;
mod timeout;

pub use retry::RetryLayer;
pub use timeout::TimeoutLayer;
