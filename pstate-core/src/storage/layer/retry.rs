//! Trying again what is safe to try again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{Batch, Key, Outcome, Record, Result, Space};
use crate::runtime::{backoff, sleep};
use crate::storage::adapter::Adapter;
use crate::storage::capabilities::Capabilities;
use crate::storage::extensions::Extensions;
use crate::storage::page::{Page, Scan};

/// Repeats calls that failed with a [`retryable`](crate::Error::is_retryable) error.
///
/// The adapter says in its error whether the call may be repeated; a write whose effect is unknown
/// never is. Between attempts it waits for twice as long each time, shortened at random by up to
/// a half so that many clients do not come back together.
///
/// Dropping a call's future ends its attempts; otherwise cancel safety is that of the adapter.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use pstate_core::{Adapter, MemoryAdapter, RetryLayer};
///
/// let adapter = RetryLayer::new(Arc::new(MemoryAdapter::new()))
///     .attempts(5)
///     .first_delay(Duration::from_millis(10));
/// assert_eq!(adapter.name(), "memory");
/// ```
#[derive(Debug, Clone)]
pub struct RetryLayer {
    inner: Arc<dyn Adapter>,
    attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
}

impl RetryLayer {
    /// Three attempts, 50 ms before the second, at most 2 s between two.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self {
            inner,
            attempts: 3,
            first_delay: Duration::from_millis(50),
            max_delay: Duration::from_secs(2),
        }
    }

    /// How often a call is tried in all; 0 is taken as 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// How long to wait before the second attempt.
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// How long to wait between two attempts at most.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    async fn retry<T, F: Future<Output = Result<T>>>(
        &self,
        mut call: impl FnMut() -> F,
    ) -> Result<T> {
        let mut failed = 0;
        loop {
            match call().await {
                Err(error) if error.is_retryable() && failed + 1 < self.attempts => {
                    let delay = backoff(self.first_delay, self.max_delay, failed);
                    sleep(delay).await;
                    failed += 1;
                }
                result => return result,
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Adapter for RetryLayer {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        self.inner.extensions()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        self.retry(|| self.inner.multi_get(space, keys)).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.retry(|| self.inner.write(space, batch)).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.retry(|| self.inner.scan(space, scan)).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.retry(|| self.inner.spaces()).await
    }

    async fn flush(&self) -> Result<()> {
        self.retry(|| self.inner.flush()).await
    }

    async fn close(&self) -> Result<()> {
        self.retry(|| self.inner.close()).await
    }
}
