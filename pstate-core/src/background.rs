//! Background and warming that run, so that closing can stop them and wait for them.

use std::time::Duration;

use tokio::sync::watch;

use crate::runtime::timeout;

/// What runs in the background of a handle.
#[derive(Debug)]
pub(crate) struct Background {
    closing: watch::Sender<bool>,
    running: watch::Sender<usize>,
}

impl Default for Background {
    fn default() -> Self {
        Self { closing: watch::Sender::new(false), running: watch::Sender::new(0) }
    }
}

impl Background {
    /// Something begins; it ends when what is returned is dropped.
    pub(crate) fn begin(&self) -> Running {
        self.running.send_modify(|running| *running += 1);
        Running(self.running.clone())
    }

    /// Whether everything is to stop.
    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits until everything is to stop.
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut closing = self.closing.subscribe();
        async move {
            // The sender may go away: then nobody tells anything to stop.
            if closing.wait_for(|closing| *closing).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Tells everything to stop, and waits until it has, or for as long as the deadline says.
    pub(crate) async fn close(&self, deadline: Duration) {
        self.closing.send_replace(true);
        let mut running = self.running.subscribe();
        _ = timeout(deadline, running.wait_for(|running| *running == 0)).await;
    }
}

/// Something that runs.
#[derive(Debug)]
pub(crate) struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}
