//! The sweeps that run, so that closing can stop them and wait for them.

use std::time::Duration;

use tokio::sync::watch;

use crate::runtime::timeout;

/// The running sweeps of a handle.
#[derive(Debug)]
pub(crate) struct Sweeps {
    closing: watch::Sender<bool>,
    running: watch::Sender<usize>,
}

impl Default for Sweeps {
    fn default() -> Self {
        Self { closing: watch::Sender::new(false), running: watch::Sender::new(0) }
    }
}

impl Sweeps {
    /// A sweep begins; it ends when what is returned is dropped.
    pub(crate) fn begin(&self) -> RunningSweepGuard {
        self.running.send_modify(|running| *running += 1);
        RunningSweepGuard(self.running.clone())
    }

    /// Whether sweeps are to stop.
    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits until sweeps are to stop.
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut closing = self.closing.subscribe();
        async move {
            // The sender may go away: then nobody tells sweeps to stop.
            if closing.wait_for(|closing| *closing).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Tells sweeps to stop, and waits until they have, or for as long as the deadline says.
    pub(crate) async fn close(&self, deadline: Duration) {
        self.closing.send_replace(true);
        let mut running = self.running.subscribe();
        _ = timeout(deadline, running.wait_for(|running| *running == 0)).await;
    }
}

/// A sweep that runs.
#[derive(Debug)]
pub(crate) struct RunningSweepGuard(watch::Sender<usize>);

impl Drop for RunningSweepGuard {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}
