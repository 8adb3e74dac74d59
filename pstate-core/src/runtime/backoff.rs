//! Waiting between attempts.

use std::time::Duration;

/// How long background work waits after the store was unavailable: at first, and at most.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(10);

/// How long to wait after the `failed`-th failure (counted from 0): doubled each time, bounded,
/// and shortened at random by up to a half.
pub(crate) fn backoff(first: Duration, max: Duration, failed: u32) -> Duration {
    let half = first.saturating_mul(2_u32.saturating_pow(failed)).min(max) / 2;
    // The half alone is multiplied: the longest duration times a number close to 1 overflows.
    half.saturating_add(half.mul_f64(fastrand::f64()))
}

/// How long background work waits after the store was unavailable for the `failed`-th time (from
/// 0).
pub(crate) fn unavailable_delay(failed: u32) -> Duration {
    backoff(FIRST_DELAY, MAX_DELAY, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_at_least_half_of_the_full_one_and_none_is_too_long() {
        let second = Duration::from_secs(1);
        for _ in 0..1_000 {
            let delay = backoff(second, 4 * second, 1);
            assert!((second..=2 * second).contains(&delay), "{delay:?}");
            assert!(backoff(Duration::MAX, Duration::MAX, u32::MAX) >= Duration::MAX / 2);
            assert_eq!(backoff(Duration::ZERO, Duration::MAX, u32::MAX), Duration::ZERO);
            assert_eq!(backoff(Duration::MAX, Duration::ZERO, 0), Duration::ZERO);
        }
    }
}
