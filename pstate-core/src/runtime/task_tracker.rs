//! Tasks that run in the background of a handle, so that closing can stop them and wait for them.

use std::time::Duration;

use tokio::sync::watch;

use super::timeout;

/// The background tasks of a handle.
#[derive(Debug)]
pub(crate) struct TaskTracker {
    closing: watch::Sender<bool>,
    running: watch::Sender<usize>,
}

impl Default for TaskTracker {
    fn default() -> Self {
        Self { closing: watch::Sender::new(false), running: watch::Sender::new(0) }
    }
}

impl TaskTracker {
    /// Counts a task, until the token is dropped.
    pub(crate) fn track(&self) -> TaskToken {
        self.running.send_modify(|running| *running += 1);
        TaskToken(self.running.clone())
    }

    /// Tells a task when it has to stop.
    pub(crate) fn closing(&self) -> Closing {
        Closing(self.closing.subscribe())
    }

    /// Asks every task to stop, and waits until all have stopped, at most for the deadline.
    pub(crate) async fn close(&self, deadline: Duration) {
        self.closing.send_replace(true);
        let mut running = self.running.subscribe();
        _ = timeout(deadline, running.wait_for(|running| *running == 0)).await;
    }
}

/// A running task.
#[derive(Debug)]
pub(crate) struct TaskToken(watch::Sender<usize>);

impl Drop for TaskToken {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

/// Whether the tasks of a handle have to stop.
#[derive(Debug, Clone)]
pub(crate) struct Closing(watch::Receiver<bool>);

impl Closing {
    pub(crate) fn is_closing(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the tasks have to stop.
    pub(crate) async fn closing(&mut self) {
        // Without a sender there is no handle left that could be closed.
        if self.0.wait_for(|closing| *closing).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
