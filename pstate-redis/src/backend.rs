//! The adapter.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Atomicity, Batch, Capabilities, Durability, Extensions, Key, Outcome, Page, Record,
    Result, Scan, Space,
};

use crate::config::{Placement, RedisConfig};
use crate::opening;
use crate::store::Store;

/// How many keys or writes go in one call.
pub(crate) const MAX_BATCH: usize = 10_000;

/// A store on a Redis server or in a Redis Cluster.
///
/// All calls share one connection to each server, on which any number of them are under way at once. It
/// is made again when it is lost.
pub struct RedisAdapter {
    pub(crate) store: Arc<Store>,
    durability: Durability,
}

impl RedisAdapter {
    /// Connects to the store at an address: see [`RedisConfig::from_url`].
    ///
    /// # Errors
    /// As [`connect_with`](Self::connect_with).
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(
            RedisConfig::from_url(url).map_err(|error| error.in_operation("connect"))?,
        )
        .await
    }

    /// Connects to a store. It has to be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`Config`](pstate_core::ErrorKind::Config) if the configuration is invalid, or the server does not
    /// suit it: user name and password, permissions, its version, its persistence, the placement of what
    /// is stored. [`Unavailable`](pstate_core::ErrorKind::Unavailable) and
    /// [`Timeout`](pstate_core::ErrorKind::Timeout), both retryable, if it cannot be reached.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn connect_with(config: RedisConfig) -> Result<Self> {
        let open = async {
            let (store, durability) = opening::open(config).await?;
            Ok(Self { store: Arc::new(store), durability })
        };
        open.await.map_err(|error: pstate_core::Error| error.in_operation("connect"))
    }
}

impl RedisAdapter {
    /// Puts all records that are stored into the index again, and gives how many there are.
    ///
    /// The index never lacks a record that was written through this crate. It may after somebody has
    /// removed keys by hand or the server has evicted some, or written records by hand, and with
    /// [`Placement::PerKey`] when a server of a Cluster has failed before its replica had everything. It
    /// may run while the store is used, but not while a Cluster moves slots.
    ///
    /// # Errors
    /// Those of a read and of a write; it can be called again.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a part of the work undone.
    ///
    /// # Cost
    /// Walks over all keys of all servers, some hundred at a time.
    pub async fn reindex(&self) -> Result<u64> {
        self.store.reindex().await.map_err(|error| error.in_operation("reindex"))
    }
}

impl fmt::Debug for RedisAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisAdapter").field("config", &self.store.config).finish_non_exhaustive()
    }
}

#[async_trait]
impl Adapter for RedisAdapter {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn capabilities(&self) -> Capabilities {
        let atomicity = match self.store.layout.placement {
            Placement::PerSpace => Atomicity::Batch,
            Placement::PerKey => Atomicity::Key,
        };
        Capabilities::new(atomicity, self.durability)
            .max_batch(const { NonZeroUsize::new(MAX_BATCH).unwrap() })
            .max_value_len(self.store.config.max_value_len)
    }

    fn extensions(&self) -> Extensions<'_> {
        let config = &self.store.config;
        if config.change_feed && !config.read_from_replicas {
            Extensions::none().change_feed(self)
        } else {
            Extensions::none()
        }
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let records = self.store.multi_get(space, keys).await;
        records.map_err(|error| error.in_operation("multi_get").in_space(space))
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let write = async {
            self.store.check_open()?;
            batch.check(&self.capabilities())?;
            self.store.write(space, batch).await
        };
        write.await.map_err(|error| error.in_operation("write").in_space(space))
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let page = self.store.scan(space, scan).await;
        page.map_err(|error| error.in_operation("scan").in_space(space))
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.store.spaces().await.map_err(|error| error.in_operation("spaces"))
    }

    /// Has nothing to wait for: what is acknowledged has got as far as the server's persistence settings
    /// promise.
    async fn flush(&self) -> Result<()> {
        self.store.check_open().map_err(|error| error.in_operation("flush"))
    }

    async fn close(&self) -> Result<()> {
        self.store.close();
        Ok(())
    }
}
