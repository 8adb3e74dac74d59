//! Points where a call waits until somebody lets it pass.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

/// A point that one call comes to and passes once.
#[derive(Debug)]
pub(super) struct Gate {
    reached: Semaphore,
    open: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { reached: Semaphore::new(0), open: Semaphore::new(0) }
    }
}

impl Gate {
    pub(super) async fn pass(&self) {
        self.reached.add_permits(1);
        // The gate is never closed, so this is never an error.
        let _ = self.open.acquire().await.map(SemaphorePermit::forget);
    }
}

/// A call that is held, or will be; see [`FaultLayer::hold`](super::FaultLayer::hold). When it is
/// dropped, the call goes on.
#[derive(Debug)]
pub struct Hold {
    gate: Arc<Gate>,
}

impl Hold {
    pub(super) fn of(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    /// Returns when the call has come to the point where it is held.
    pub async fn reached(&self) {
        // The gate is never closed, so this is never an error.
        let _ = self.gate.reached.acquire().await.map(SemaphorePermit::forget);
    }

    /// Lets the call go on.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.open.add_permits(1);
    }
}
