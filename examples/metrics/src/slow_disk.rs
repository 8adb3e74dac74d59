//! A layer that makes each write take its time, as a disk does that somebody else keeps busy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pstate::{
    Adapter, Batch, Capabilities, Extensions, Key, Outcome, Page, Record, Result, Scan, Space,
};
use tokio::time::sleep;

const WRITE: Duration = Duration::from_millis(80);

#[derive(Debug)]
pub(crate) struct SlowDisk(pub(crate) Arc<dyn Adapter>);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Adapter for SlowDisk {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        self.0.extensions()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        self.0.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        sleep(WRITE).await;
        self.0.write(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.0.scan(space, scan).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.0.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.0.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}
