//! The adapter.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, Capabilities, ChangeFeed, ChangeSubscription, Extensions, Key, Outcome, Page,
    Record, Result, Scan, Space,
};

use crate::changes::subscribe;
use crate::config::RedisConfig;
use crate::store::{self, Store};

/// A store on a Redis server or in a Redis Cluster.
///
/// All calls share up to four connections to each server, with any number of them in flight at
/// once: one for writes and short answers, one for reads of records, and one each for reads and
/// writes of 1 MiB and more, of which at most 64 MiB are under way at a time. When they are lost,
/// the next call makes them again.
pub struct RedisAdapter {
    store: Arc<Store>,
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

    /// Connects to a store. Call it within a Tokio runtime.
    ///
    /// # Errors
    /// [`Config`](pstate_core::ErrorKind::Config) if the configuration is invalid, or the server
    /// does not suit it: user name and password, permissions, its version, its persistence, the
    /// placement of what is stored. [`Unavailable`](pstate_core::ErrorKind::Unavailable) and
    /// [`Timeout`](pstate_core::ErrorKind::Timeout), both retryable, if it cannot be reached.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn connect_with(config: RedisConfig) -> Result<Self> {
        let store = store::open(config).await.map_err(|error| error.in_operation("connect"))?;
        Ok(Self { store: Arc::new(store) })
    }

    /// Adds all stored records to the index again, and returns how many there are.
    ///
    /// The index never lacks a record that was written through this crate, and an index that was
    /// deleted or evicted is rebuilt by the next scan. It may lack some records after another
    /// program has written them, and with [`Placement::PerKey`](crate::Placement::PerKey) after a
    /// server of a Cluster has failed before its replica had everything. You can call it while the
    /// store is used, but not while a Cluster moves slots.
    ///
    /// # Errors
    /// Those of a read and of a write. Call it again then.
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
        self.store.capabilities
    }

    fn extensions(&self) -> Extensions<'_> {
        if self.store.config.follows_changes() {
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
        let outcomes = self.store.write(space, batch).await;
        outcomes.map_err(|error| error.in_operation("write").in_space(space))
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let page = self.store.scan(space, scan).await;
        page.map_err(|error| error.in_operation("scan").in_space(space))
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.store.spaces().await.map_err(|error| error.in_operation("spaces"))
    }

    /// Asks each server that is written to for an answer, so that one that is gone is reported.
    /// Acknowledged writes are as durable as the server's persistence settings promise, which a
    /// flush does not change.
    async fn flush(&self) -> Result<()> {
        self.store.reach_primaries().await.map_err(|error| error.in_operation("flush"))
    }

    async fn close(&self) -> Result<()> {
        self.store.close();
        Ok(())
    }
}

/// Each write is reported by key, over one more connection to each primary (client-side caching in
/// broadcasting mode). What this adapter has written itself is reported with what is stored now, so
/// that it stays cached.
///
/// `changes` takes one round trip, and another if this adapter has written. `wait` ends when a
/// notification has arrived. Redis 8 with `io-threads` may send an acknowledgement before the
/// notification, which the next call but one reports then.
#[async_trait]
impl ChangeFeed for RedisAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        subscribe(&self.store).await.map_err(|error| error.in_operation("subscribe"))
    }
}
