//! Warnings that nobody drowns in.

use std::time::Duration;

use crate::runtime::{Instant, Mutex};

/// One kind of warning.
#[derive(Debug, Default)]
pub(super) struct Warning(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    suppressed: u64,
}

impl Warning {
    /// Whether it may be told now, and then how often it was not since the last time.
    pub(super) fn may_be_told(&self, interval: Duration) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock();
        if state.told.is_some_and(|told| now - told < interval) {
            state.suppressed += 1;
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(all(test, not(feature = "_shuttle")))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_told_once_in_the_interval_with_how_many_were_suppressed() {
        let (warning, second) = (Warning::default(), Duration::from_secs(1));
        assert_eq!(warning.may_be_told(second), Some(0));
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!((warning.may_be_told(second), warning.may_be_told(second)), (None, None));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(warning.may_be_told(second), Some(2));
        tokio::time::advance(second).await;
        assert_eq!(warning.may_be_told(second), Some(0));
    }
}
