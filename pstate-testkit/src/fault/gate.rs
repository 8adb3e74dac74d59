use tokio::sync::{Semaphore, SemaphorePermit};

/// A point that one call reaches, and passes once the gate is open.
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
    /// Reaches the gate, and waits until it is open.
    pub(super) async fn pass(&self) {
        self.reached.add_permits(1);
        take_permit(&self.open).await;
    }

    /// Waits until a call has reached the gate.
    pub(super) async fn reached(&self) {
        take_permit(&self.reached).await;
    }

    pub(super) fn open(&self) {
        self.open.add_permits(1);
    }
}

async fn take_permit(semaphore: &Semaphore) {
    // `acquire` fails only on a closed semaphore, and a gate never closes its semaphores.
    let _ = semaphore.acquire().await.map(SemaphorePermit::forget);
}
