//! A limit on how long a call may take.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{Batch, Error, ErrorKind, Key, Outcome, Record, Result, Space};
use crate::runtime::timeout;
use crate::storage::adapter::Adapter;
use crate::storage::capabilities::Capabilities;
use crate::storage::extensions::Extensions;
use crate::storage::page::{Page, Scan};

/// Ends calls that take longer than a limit with [`Timeout`](ErrorKind::Timeout).
///
/// A read that was ended may be repeated, and its error says so. A write that was ended may have
/// happened, or may still happen: its error is not retryable. `close` has no limit, because it
/// waits for what was acknowledged.
#[derive(Debug, Clone)]
pub struct TimeoutLayer {
    inner: Arc<dyn Adapter>,
    read: Duration,
    write: Duration,
}

impl TimeoutLayer {
    /// The same limit for every call.
    pub fn new(inner: Arc<dyn Adapter>, limit: Duration) -> Self {
        Self { inner, read: limit, write: limit }
    }

    /// Another limit for `write` and `flush`.
    pub fn write_limit(mut self, limit: Duration) -> Self {
        self.write = limit;
        self
    }

    async fn read<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match timeout(self.read, call).await {
            Ok(result) => result,
            Err(_) => Err(took_too_long(operation, self.read).retryable()),
        }
    }
}

fn took_too_long(operation: &'static str, limit: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("took longer than {limit:?}")).in_operation(operation)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Adapter for TimeoutLayer {
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
        self.read("multi_get", self.inner.multi_get(space, keys)).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        match timeout(self.write, self.inner.write(space, batch)).await {
            Ok(result) => result,
            Err(_) => Err(took_too_long("write", self.write).in_space(space)),
        }
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.read("scan", self.inner.scan(space, scan)).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.read("spaces", self.inner.spaces()).await
    }

    async fn flush(&self) -> Result<()> {
        match timeout(self.write, self.inner.flush()).await {
            Ok(result) => result,
            Err(_) => Err(took_too_long("flush", self.write).retryable()),
        }
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
