//! The adapter of the store, with its faults.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, Capabilities, Change, ChangeFeed, ChangeSubscription, Changes, Error,
    ErrorKind, Expect, Extensions, Key, Outcome, Page, Record, Result, Revision, Scan, Space,
    Write,
};

use crate::schedules::random;
use crate::store::{Fault, Store};

/// Counts as a call in flight until it is dropped.
struct Call(Arc<Store>);

impl Call {
    /// Applies the batch in a task of its own, after the call has returned.
    fn apply_later(self, space: &Space, batch: Batch) {
        let space = space.clone();
        shuttle::future::spawn(async move {
            self.0.yield_randomly().await;
            // The call has returned already: there is no caller to answer.
            _ = self.0.apply(&space, &batch).await;
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Relaxed);
    }
}

/// When an unavailable store fails a call.
#[derive(Debug, Clone, Copy)]
enum Failure {
    BeforeEffect,
    AfterEffect,
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "gone for a while")
}

/// The adapter of a [`Store`].
#[derive(Debug, Clone)]
pub(crate) struct StoreAdapter(pub(crate) Arc<Store>);

impl StoreAdapter {
    fn call(&self) -> Call {
        self.0.calls.fetch_add(1, Relaxed);
        Call(self.0.clone())
    }

    /// Whether and when a call fails, with [`Fault::Unavailable`].
    fn random_failure(&self) -> Option<Failure> {
        if self.0.fault() != Some(Fault::Unavailable) {
            return None;
        }
        match random(8) {
            0 => Some(Failure::BeforeEffect),
            1 => Some(Failure::AfterEffect),
            _ => None,
        }
    }
}

#[async_trait]
impl Adapter for StoreAdapter {
    fn name(&self) -> &'static str {
        "model"
    }

    fn capabilities(&self) -> Capabilities {
        self.0.memory.capabilities().batch_reads(random(2) == 0)
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().change_feed(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let _call = self.call();
        self.0.yield_randomly().await;
        let records = self.0.memory.multi_get(space, keys).await?;
        self.0.yield_randomly().await;
        match self.random_failure() {
            None => Ok(records),
            Some(_) => Err(unavailable().retryable()),
        }
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let call = self.call();
        let mut batch = batch.clone();
        match self.0.fault() {
            Some(Fault::IgnoresExpectations) => {
                batch.writes.iter_mut().for_each(|write| write.expect = Expect::Any);
            }
            Some(Fault::AnswersEarly) => {
                let outcomes = batch.writes.iter().map(success).collect();
                call.apply_later(space, batch);
                return Ok(outcomes);
            }
            Some(Fault::Late) if random(4) == 0 => {
                call.apply_later(space, batch);
                return Err(Error::new(ErrorKind::Timeout, "the outcome is unknown"));
            }
            Some(Fault::Unavailable | Fault::Late | Fault::ReportsNothing) | None => {}
        }
        let failure = self.random_failure();
        self.0.yield_randomly().await;
        let outcomes = match failure {
            Some(Failure::BeforeEffect) => Vec::new(),
            Some(Failure::AfterEffect) | None => self.0.apply(space, &batch).await?,
        };
        self.0.yield_randomly().await;
        match failure {
            None => Ok(outcomes),
            Some(Failure::BeforeEffect) => Err(unavailable().retryable()),
            Some(Failure::AfterEffect) => Err(unavailable()),
        }
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.0.yield_randomly().await;
        self.0.memory.scan(space, scan).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.0.memory.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.0.memory.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.0.yield_randomly().await;
        self.0.memory.close().await
    }
}

#[async_trait]
impl ChangeFeed for StoreAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        self.0.yield_randomly().await;
        let feed = self.0.memory.extensions().change_feed.expect("memory has one");
        let subscription = feed.subscribe().await?;
        self.0.yield_randomly().await;
        Ok(Box::new(StoreChanges { store: self.0.clone(), subscription }))
    }
}

/// A subscription to the changes of a [`Store`]. Some calls report that anything may have changed,
/// and some fail.
#[derive(Debug)]
struct StoreChanges {
    store: Arc<Store>,
    subscription: Box<dyn ChangeSubscription>,
}

#[async_trait]
impl ChangeSubscription for StoreChanges {
    async fn changes(&mut self) -> Result<Changes> {
        self.store.yield_randomly().await;
        let changes = self.subscription.changes().await?;
        if self.store.fault() == Some(Fault::ReportsNothing) {
            return Ok(Changes::Records(Vec::new()));
        }
        match random(8) {
            0 => Ok(Changes::Everything),
            1 => Err(Error::new(ErrorKind::Unavailable, "lost track")),
            _ => Ok(changes),
        }
    }

    async fn wait(&mut self) {
        self.subscription.wait().await;
    }
}

/// The outcome of a write that succeeds.
fn success(write: &Write) -> Outcome {
    match write.change {
        Change::Put(_) => Outcome::Stored(Revision::from_number(u128::MAX)),
        Change::Delete => Outcome::Deleted,
    }
}
