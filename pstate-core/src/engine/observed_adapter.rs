//! The adapter, with every call of it observed.

use std::sync::Arc;

use crate::model::{Batch, Error, ErrorKind, Key, Outcome, Record, Result, Space};
use crate::runtime::Instant;
use crate::storage::{Adapter, Capabilities, Extensions, Page, Scan};
use crate::telemetry::{Event, Telemetry, call_span, in_span};

/// What the engine calls instead of the adapter.
pub(crate) struct ObservedAdapter {
    adapter: Arc<dyn Adapter>,
    capabilities: Capabilities,
    telemetry: Arc<Telemetry>,
}

impl ObservedAdapter {
    pub(crate) fn new(adapter: Arc<dyn Adapter>, telemetry: Arc<Telemetry>) -> Self {
        let capabilities = adapter.capabilities();
        Self { adapter, capabilities, telemetry }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.adapter.name()
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    pub(crate) fn extensions(&self) -> Extensions<'_> {
        self.adapter.extensions()
    }

    /// The largest number of keys or writes to send in one call.
    pub(crate) fn chunk_len(&self) -> usize {
        self.capabilities.chunk_len()
    }

    /// Refuses a document that is longer than the adapter takes.
    pub(crate) fn check_len(&self, key: &Key, len: usize) -> Result<()> {
        self.capabilities.check_len(key, len)
    }

    /// Refuses an answer that does not fit the question.
    fn expect_len<T>(&self, answer: Vec<T>, len: usize) -> Result<Vec<T>> {
        if answer.len() == len {
            return Ok(answer);
        }
        let (name, found) = (self.name(), answer.len());
        let why = format!("the {name} adapter answered {found} results for {len} keys");
        Err(Error::new(ErrorKind::Other, why))
    }

    pub(crate) async fn multi_get(
        &self,
        space: &Space,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>> {
        let call = self.adapter.multi_get(space, keys);
        let records = self.observe("multi_get", Some(space), keys.len(), call).await?;
        self.expect_len(records, keys.len())
    }

    pub(crate) async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let (call, len) = (self.adapter.write(space, batch), batch.writes.len());
        let outcomes = self.observe("write", Some(space), len, call).await?;
        self.expect_len(outcomes, len)
    }

    pub(crate) async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.observe("scan", Some(space), 0, self.adapter.scan(space, scan)).await
    }

    pub(crate) async fn spaces(&self) -> Result<Vec<Space>> {
        self.observe("spaces", None, 0, self.adapter.spaces()).await
    }

    pub(crate) async fn flush(&self) -> Result<()> {
        self.observe("flush", None, 0, self.adapter.flush()).await
    }

    pub(crate) async fn close(&self) -> Result<()> {
        self.observe("close", None, 0, self.adapter.close()).await
    }

    async fn observe<T>(
        &self,
        call: &'static str,
        space: Option<&Space>,
        keys: usize,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let adapter = self.adapter.name();
        let started = self.telemetry.is_observed().then(Instant::now);
        let answer = in_span(call_span(adapter, call, space, keys), work).await;
        if let Some(started) = started {
            let (duration, error) = (started.elapsed(), answer.as_ref().err());
            self.telemetry.emit(&Event::Call { adapter, call, space, keys, duration, error });
        }
        answer
    }
}
