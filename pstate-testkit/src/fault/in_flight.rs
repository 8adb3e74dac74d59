use std::sync::Arc;

use tokio::sync::watch;

/// The number of calls in flight.
#[derive(Debug, Default)]
pub(super) struct InFlight(watch::Sender<usize>);

/// Counts as a call in flight until it is dropped.
#[derive(Debug)]
pub(super) struct InFlightGuard(watch::Sender<usize>);

impl InFlight {
    pub(super) fn begin(&self) -> Arc<InFlightGuard> {
        self.0.send_modify(|calls| *calls += 1);
        Arc::new(InFlightGuard(self.0.clone()))
    }

    /// Waits until no call is in flight.
    pub(super) async fn idle(&self) {
        // `wait_for` fails only without a sender, and `self` holds one.
        let _ = self.0.subscribe().wait_for(|calls| *calls == 0).await;
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls -= 1);
    }
}
