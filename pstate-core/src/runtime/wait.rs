//! Waiting until a time.

use super::{Instant, sleep_until};

/// Waits until `time`; forever without one.
pub(crate) async fn wait_until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
