//! Counting what an adapter is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, Capabilities, Extensions, Key, Outcome, Page, Record, Result, Scan, Space,
};

/// A layer that counts calls.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use pstate_core::{MemoryAdapter, PState};
/// use pstate_testkit::CountingLayer;
///
/// let counting = Arc::new(CountingLayer::new(Arc::new(MemoryAdapter::new())));
/// let pstate = PState::builder(counting.clone()).build()?;
/// pstate.get("card:1").await?;
/// pstate.get("card:1").await?;
/// assert_eq!(counting.take().reads, 1); // that it is absent was remembered
/// # Ok::<(), pstate_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct CountingLayer {
    inner: Arc<dyn Adapter>,
    reads: AtomicUsize,
    keys_read: AtomicUsize,
    writes: AtomicUsize,
    keys_written: AtomicUsize,
    scans: AtomicUsize,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `multi_get`.
    pub reads: usize,
    /// Keys in those.
    pub keys_read: usize,
    /// Calls of `write`.
    pub writes: usize,
    /// Writes in those.
    pub keys_written: usize,
    /// Calls of `scan`.
    pub scans: usize,
}

impl CountingLayer {
    /// Counts from zero.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self {
            inner,
            reads: AtomicUsize::new(0),
            keys_read: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            keys_written: AtomicUsize::new(0),
            scans: AtomicUsize::new(0),
        }
    }

    /// What was counted since the last call, or since the beginning.
    pub fn take(&self) -> Counts {
        Counts {
            reads: self.reads.swap(0, Relaxed),
            keys_read: self.keys_read.swap(0, Relaxed),
            writes: self.writes.swap(0, Relaxed),
            keys_written: self.keys_written.swap(0, Relaxed),
            scans: self.scans.swap(0, Relaxed),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Adapter for CountingLayer {
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
        self.reads.fetch_add(1, Relaxed);
        self.keys_read.fetch_add(keys.len(), Relaxed);
        self.inner.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.writes.fetch_add(1, Relaxed);
        self.keys_written.fetch_add(batch.writes.len(), Relaxed);
        self.inner.write(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.scans.fetch_add(1, Relaxed);
        self.inner.scan(space, scan).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.inner.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
