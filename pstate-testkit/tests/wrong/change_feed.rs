//! The change feed, and its faults.

use std::future;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{ChangeFeed, ChangeSubscription, Changes, HubSubscription, Result};

use crate::adapter::LogAdapter;
use crate::fault::Fault;
use crate::store::{Shared, log_error};

#[async_trait]
impl ChangeFeed for LogAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        let _connection = self.shared.connection(Fault::HoldsInSubscribe).await;
        self.check_open()?;
        drop(self.shared.current().map_err(log_error)?);
        let hub =
            if self.is(Fault::ReportsOwnWritesOnly) { &self.own_writes } else { &self.shared.hub };
        let inner = if self.is(Fault::ReportsOnce) {
            self.shared_subscription.clone()
        } else {
            Arc::new(Mutex::new(hub.subscribe()))
        };
        Ok(Box::new(Subscription {
            shared: self.shared.clone(),
            inner,
            loses_taken: self.is(Fault::LosesTakenChanges),
        }))
    }
}

#[derive(Debug)]
struct Subscription {
    shared: Arc<Shared>,
    inner: Arc<Mutex<HubSubscription>>,
    /// Whether a call awaits after taking the changes, so that dropping it loses them.
    loses_taken: bool,
}

#[async_trait]
impl ChangeSubscription for Subscription {
    async fn changes(&mut self) -> Result<Changes> {
        let _connection = self.shared.connection(Fault::HoldsInChanges).await;
        drop(self.shared.current().map_err(log_error)?);
        let changes = self.inner.lock().take();
        if self.loses_taken {
            tokio::task::yield_now().await;
        }
        Ok(changes)
    }

    async fn wait(&mut self) {
        future::pending::<()>().await;
    }
}
