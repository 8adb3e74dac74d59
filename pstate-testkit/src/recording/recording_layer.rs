use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, Capabilities, Extensions, Key, Outcome, Page, Record, Result, Scan, Space,
};

use super::answer::Answer;
use super::operation_log::OperationLog;
use super::request::Request;

/// A layer that records the calls of an adapter and their answers.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use pstate_core::{Adapter, Batch, MemoryAdapter, Space, Write};
/// use pstate_testkit::RecordingLayer;
///
/// let recording = RecordingLayer::new(Arc::new(MemoryAdapter::new()));
/// let space = Space::default();
/// recording.write(&space, &Batch::each(vec![Write::put("card:1".parse()?, *b"{}")])).await?;
/// assert_eq!(
///     recording.log().lines(),
///     [r#"  1  write(default, each: put card:1 "{}") -> [stored r1]"#],
/// );
/// # Ok::<(), pstate_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct RecordingLayer {
    inner: Arc<dyn Adapter>,
    log: Arc<OperationLog>,
}

impl RecordingLayer {
    /// Records into a new log.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self::with_log(inner, Arc::default())
    }

    /// Records into an existing log, which other layers may share.
    pub fn with_log(inner: Arc<dyn Adapter>, log: Arc<OperationLog>) -> Self {
        Self { inner, log }
    }

    /// The log.
    pub fn log(&self) -> &Arc<OperationLog> {
        &self.log
    }

    async fn record<T: Answer>(
        &self,
        request: Request,
        inner: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let id = self.log.begin(request, None);
        let result = inner.await;
        self.log.end(id, &result);
        result
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Adapter for RecordingLayer {
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
        let request = Request::MultiGet(space.clone(), keys.to_vec());
        self.record(request, self.inner.multi_get(space, keys)).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let request = Request::Write(space.clone(), batch.clone());
        self.record(request, self.inner.write(space, batch)).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let request = Request::Scan(space.clone(), scan.clone());
        self.record(request, self.inner.scan(space, scan)).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.record(Request::Spaces, self.inner.spaces()).await
    }

    async fn flush(&self) -> Result<()> {
        self.record(Request::Flush, self.inner.flush()).await
    }

    async fn close(&self) -> Result<()> {
        self.record(Request::Close, self.inner.close()).await
    }
}
