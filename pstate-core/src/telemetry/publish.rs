//! Copying what is counted to where others read it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Observer;
use crate::engine::Engine;
use crate::runtime::sleep;
use crate::schema::Schema;
use crate::stats::Stats;

/// Whoever copies what a handle counts.
pub(crate) trait Publish: Send + Sync {
    /// Copies what is new since the last time. Calls that come together are made one after the other, and
    /// each counts when it is its turn.
    fn publish(&self, count: &dyn Fn() -> Stats);

    /// The handle has gone: copies what is new, and takes back what describes its state.
    fn withdraw(&self, last: Stats);
}

/// Makes whoever publishes, for this schema and the adapter of this name, and an observer for what is not
/// counted.
pub(crate) type Register =
    fn(Option<&Schema>, &'static str) -> (Box<dyn Publish>, Arc<dyn Observer>);

/// How something is published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publishing {
    pub(crate) interval: Duration,
    pub(crate) register: Register,
}

impl Publishing {
    /// Starts the task that publishes in intervals. It ends when what is returned is dropped.
    pub(crate) fn start(self, engine: &Arc<Engine>) -> oneshot::Sender<()> {
        let (ends, dropped) = oneshot::channel();
        let publishing = publish_on(Arc::downgrade(engine), self.interval);
        engine.runtime.spawn(async move {
            tokio::select! {
                biased;
                _ = dropped => {}
                () = publishing => {}
            }
        });
        ends
    }
}

async fn publish_on(engine: Weak<Engine>, interval: Duration) {
    loop {
        sleep(interval).await;
        let Some(engine) = engine.upgrade() else { return };
        engine.publish();
    }
}
