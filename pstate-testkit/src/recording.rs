//! Recording what an adapter is asked and what it answers.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Batch, Capabilities, Extensions, Key, Outcome, Page, Record, Result, Scan, Space,
};

use crate::operation::{Answer, Narrator, Operation, Request};

/// The operations of one or several adapters in the order in which they were asked.
#[derive(Debug, Default)]
pub struct OperationLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    operations: Vec<Operation>,
    clock: u64,
}

/// The place of an operation in its log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(usize);

impl OperationLog {
    /// What was recorded until now.
    pub fn operations(&self) -> Vec<Operation> {
        self.state.lock().operations.clone()
    }

    /// The operations as text, one a line, numbered. Revisions are called `r1`, `r2`, in the order
    /// in which they appear.
    pub fn lines(&self) -> Vec<String> {
        let mut narrator = Narrator::default();
        let operations = self.state.lock();
        let operations = operations.operations.iter().enumerate();
        operations
            .map(|(n, operation)| format!("{:>3}  {}", n + 1, narrator.tell(operation)))
            .collect()
    }

    pub(crate) fn begin(&self, request: Request, fault: Option<&'static str>) -> Place {
        let mut state = self.state.lock();
        state.clock += 1;
        let invoked = state.clock;
        state.operations.push(Operation {
            request,
            response: None,
            invoked,
            returned: None,
            fault,
        });
        Place(state.operations.len() - 1)
    }

    /// Names a fault that came while the operation was under way.
    pub(crate) fn set_fault(&self, place: Place, fault: &'static str) {
        self.state.lock().operations[place.0].fault = Some(fault);
    }

    pub(crate) fn end<T: Answer>(&self, place: Place, result: &Result<T>) {
        let response = result.clone().map(T::into_response);
        let mut state = self.state.lock();
        state.clock += 1;
        let returned = state.clock;
        let operation = &mut state.operations[place.0];
        operation.response = Some(response);
        operation.returned = Some(returned);
    }
}

/// A layer that records operations.
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
    /// Records into a log of its own.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self::with_log(inner, Arc::default())
    }

    /// Records into a log that others write to as well.
    pub fn with_log(inner: Arc<dyn Adapter>, log: Arc<OperationLog>) -> Self {
        Self { inner, log }
    }

    /// What was recorded.
    pub fn log(&self) -> &Arc<OperationLog> {
        &self.log
    }

    async fn record<T: Answer>(
        &self,
        request: Request,
        inner: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let place = self.log.begin(request, None);
        let result = inner.await;
        self.log.end(place, &result);
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
