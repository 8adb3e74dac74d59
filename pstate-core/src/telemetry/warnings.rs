//! Rate-limited warnings.

use std::time::Duration;

use crate::runtime::{Instant, Mutex};

/// One kind of warning.
#[derive(Debug, Default)]
pub(super) struct Warning(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    logged: Option<Instant>,
    suppressed: u64,
}

impl Warning {
    /// Whether it should be logged now, and then how often it was suppressed since the last time.
    pub(super) fn should_log(&self, interval: Duration) -> Option<u64> {
        let now = Instant::now();
        let mut state = self.0.lock();
        if state.logged.is_some_and(|logged| now - logged < interval) {
            state.suppressed += 1;
            return None;
        }
        state.logged = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(all(test, not(feature = "_shuttle")))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_logged_once_per_interval_with_how_often_it_was_suppressed() {
        let (warning, second) = (Warning::default(), Duration::from_secs(1));
        assert_eq!(warning.should_log(second), Some(0));
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!((warning.should_log(second), warning.should_log(second)), (None, None));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(warning.should_log(second), Some(2));
        tokio::time::advance(second).await;
        assert_eq!(warning.should_log(second), Some(0));
    }
}
