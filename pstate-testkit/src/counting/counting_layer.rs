use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Batch, Capabilities, Extensions, Key, Outcome, Page, Record, Result, Scan, Space,
};

use super::counts::Counts;

/// A layer that counts calls: round trips and keys.
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
/// assert_eq!(counting.take().reads, 1); // the cache remembers the absence
/// # Ok::<(), pstate_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct CountingLayer {
    inner: Arc<dyn Adapter>,
    counts: Mutex<Counts>,
}

impl CountingLayer {
    /// Counts from zero.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self { inner, counts: Mutex::default() }
    }

    /// Returns the counts since the previous `take`, or since the layer was made.
    pub fn take(&self) -> Counts {
        mem::take(&mut self.counts.lock())
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.lock());
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
        self.count(|counts| {
            counts.reads += 1;
            counts.keys_read += keys.len();
        });
        self.inner.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.count(|counts| {
            counts.writes += 1;
            counts.keys_written += batch.writes.len();
        });
        self.inner.write(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.count(|counts| counts.scans += 1);
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
