//! The adapter, with every call of it told.

use std::sync::Arc;

use super::span::{call_span, within};
use super::{Event, Telemetry};
use crate::adapter::{Adapter, Extensions, Page, Scan};
use crate::error::Result;
use crate::key::Key;
use crate::record::{Batch, Outcome, Record};
use crate::runtime::Instant;
use crate::space::Space;

/// What the engine calls instead of the adapter.
pub(crate) struct ObservedAdapter {
    adapter: Arc<dyn Adapter>,
    telemetry: Arc<Telemetry>,
}

impl ObservedAdapter {
    pub(crate) fn new(adapter: Arc<dyn Adapter>, telemetry: Arc<Telemetry>) -> Self {
        Self { adapter, telemetry }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.adapter.name()
    }

    pub(crate) fn extensions(&self) -> Extensions<'_> {
        self.adapter.extensions()
    }

    pub(crate) async fn multi_get(
        &self,
        space: &Space,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>> {
        let call = self.adapter.multi_get(space, keys);
        self.tell("multi_get", Some(space), keys.len(), call).await
    }

    pub(crate) async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let call = self.adapter.write(space, batch);
        self.tell("write", Some(space), batch.writes.len(), call).await
    }

    pub(crate) async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.tell("scan", Some(space), 0, self.adapter.scan(space, scan)).await
    }

    pub(crate) async fn spaces(&self) -> Result<Vec<Space>> {
        self.tell("spaces", None, 0, self.adapter.spaces()).await
    }

    pub(crate) async fn flush(&self) -> Result<()> {
        self.tell("flush", None, 0, self.adapter.flush()).await
    }

    pub(crate) async fn close(&self) -> Result<()> {
        self.tell("close", None, 0, self.adapter.close()).await
    }

    async fn tell<T>(
        &self,
        call: &'static str,
        space: Option<&Space>,
        keys: usize,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let adapter = self.adapter.name();
        let started = self.telemetry.is_observed().then(Instant::now);
        let answer = within(call_span(adapter, call, space, keys), work).await;
        if let Some(started) = started {
            let (duration, error) = (started.elapsed(), answer.as_ref().err());
            self.telemetry.emit(&Event::Call { adapter, call, space, keys, duration, error });
        }
        answer
    }
}
