//! Waiting between attempts.

use std::time::Duration;

/// How long background work waits after the store was unavailable: at first, and at most.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(10);

/// How long to wait after the `failed`-th failure (counted from 0): doubled each time, bounded,
/// and shortened at random by up to a half.
pub(crate) fn backoff(first: Duration, max: Duration, failed: u32) -> Duration {
    let full = first.saturating_mul(2_u32.saturating_pow(failed)).min(max);
    full.mul_f64(1.0 - fastrand::f64() / 2.0)
}

/// How long background work waits after the store was unavailable for the `failed`-th time (from
/// 0).
pub(crate) fn unavailable_delay(failed: u32) -> Duration {
    backoff(FIRST_DELAY, MAX_DELAY, failed)
}
