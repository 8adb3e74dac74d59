use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, Capabilities, ChangeFeed, ChangeSubscription, Changes, CountVersions,
    Extensions, Key, Outcome, Page, Record, Result, Scan, Space, VersionCounts,
};

use super::message::{Answer, Call};
use super::process::PeerProcess;
use super::server::PeerTask;

/// A handle to the store in another process.
#[derive(Debug)]
pub(in crate::conformance) struct PeerAdapter {
    process: Arc<PeerProcess>,
    capabilities: Capabilities,
    counts_versions: bool,
    has_change_feed: bool,
}

impl PeerAdapter {
    /// Starts a process that opens the store, and waits until it has.
    pub(in crate::conformance) async fn start(
        task: &PeerTask,
        capabilities: Capabilities,
    ) -> Result<Self> {
        let (process, opened) = PeerProcess::start(task).await?;
        let (counts_versions, has_change_feed) = match opened {
            Answer::Opened { count_versions, change_feed } => (count_versions, change_feed),
            _ => (false, false),
        };
        Ok(Self { process: Arc::new(process), capabilities, counts_versions, has_change_feed })
    }

    /// Kills the process, as `kill -9` does.
    pub(in crate::conformance) fn kill(&self) {
        self.process.kill();
    }
}

#[async_trait]
impl Adapter for PeerAdapter {
    fn name(&self) -> &'static str {
        "peer"
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn extensions(&self) -> Extensions<'_> {
        let mut extensions = Extensions::none();
        if self.counts_versions {
            extensions = extensions.count_versions(self);
        }
        if self.has_change_feed {
            extensions = extensions.change_feed(self);
        }
        extensions
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let call = Call::MultiGet { space: space.to_string(), keys: keys.to_vec() };
        self.process.call(call).await?.into_records()
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.process.call(Call::write(space, batch)).await?.into_outcomes()
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.process.call(Call::scan(space, scan)).await?.into_page()
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.process.call(Call::Spaces).await?.into_spaces()
    }

    async fn flush(&self) -> Result<()> {
        self.process.call(Call::Flush).await?.into_done()
    }

    async fn close(&self) -> Result<()> {
        self.process.call(Call::Close).await?.into_done()
    }
}

#[async_trait]
impl CountVersions for PeerAdapter {
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        let call = Call::CountVersions { space: space.to_string() };
        self.process.call(call).await?.into_counts()
    }
}

#[async_trait]
impl ChangeFeed for PeerAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        let subscription = self.process.call(Call::Subscribe).await?.into_subscription()?;
        Ok(Box::new(PeerSubscription { process: self.process.clone(), subscription }))
    }
}

#[derive(Debug)]
struct PeerSubscription {
    process: Arc<PeerProcess>,
    subscription: usize,
}

#[async_trait]
impl ChangeSubscription for PeerSubscription {
    async fn changes(&mut self) -> Result<Changes> {
        let call = Call::Changes { subscription: self.subscription };
        self.process.call(call).await?.into_changes()
    }

    async fn wait(&mut self) {
        std::future::pending::<()>().await;
    }
}
