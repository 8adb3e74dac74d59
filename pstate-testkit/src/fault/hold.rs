use std::sync::Arc;

use super::gate::Gate;

/// Holds a call, now or once it is made; see [`FaultLayer::hold`](super::FaultLayer::hold).
/// Dropping it releases the call.
#[derive(Debug)]
pub struct Hold {
    gate: Arc<Gate>,
}

impl Hold {
    /// A hold on the call that passes this gate.
    pub(super) fn on(gate: &Arc<Gate>) -> Self {
        Self { gate: gate.clone() }
    }

    /// Waits until the call has reached the point where it is held.
    pub async fn reached(&self) {
        self.gate.reached().await;
    }

    /// Releases the call.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.open();
    }
}
