use std::sync::Arc;
use std::time::Duration;

use super::gate::Gate;

/// How long a call waits for the next call to overtake it.
const OVERTAKING_TIMEOUT: Duration = Duration::from_millis(10);

/// What a call waits for.
#[derive(Debug)]
pub(super) enum Wait {
    /// The test releases the call.
    Held(Arc<Gate>),
    /// This much time passes.
    Delayed(Duration),
    /// The next call is answered, or the timeout passes.
    Overtaken(Arc<Gate>),
}

impl Wait {
    pub(super) async fn finish(&self) {
        match self {
            Self::Held(gate) => gate.pass().await,
            Self::Delayed(delay) => tokio::time::sleep(*delay).await,
            Self::Overtaken(gate) => {
                // A program that makes one call after the other never makes the next one.
                let _ = tokio::time::timeout(OVERTAKING_TIMEOUT, gate.pass()).await;
            }
        }
    }
}
