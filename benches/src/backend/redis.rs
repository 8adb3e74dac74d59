//! A Redis server of its own, on the loopback interface, that keeps everything in memory.

use std::sync::Arc;

use pstate::Adapter;
use pstate::redis::RedisAdapter;
use pstate_testkit::redis::Server;
use redis::aio::MultiplexedConnection;

use crate::Result;
use crate::backend::Backend;
use crate::by_hand;

/// A server that both sides use, under different keys, and that saves nothing on a disk.
#[derive(Debug)]
pub struct Redis {
    adapter: Arc<RedisAdapter>,
    /// To ask the server about itself.
    connection: MultiplexedConnection,
    /// How much memory it used while it was empty.
    empty_bytes: u64,
    server: Server,
}

impl Redis {
    fn url(server: &Server) -> String {
        format!("redis://127.0.0.1:{}", server.port())
    }
}

impl Backend for Redis {
    type ByHand = by_hand::Redis;

    const IS_SHARED: bool = false;

    async fn create() -> Result<Self> {
        let server = Server::start();
        let mut connection = by_hand::redis_connection(&Self::url(&server)).await?;
        let empty_bytes = info(&mut connection, "used_memory").await?.parse()?;
        let adapter = Arc::new(RedisAdapter::connect(&Self::url(&server)).await?);
        Ok(Self { adapter, connection, empty_bytes, server })
    }

    async fn reopen(&mut self) -> Result<bool> {
        self.adapter = Arc::new(RedisAdapter::connect(&Self::url(&self.server)).await?);
        Ok(true)
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        self.adapter.clone()
    }

    async fn by_hand(&self) -> Result<by_hand::Redis> {
        by_hand::Redis::connect(&Self::url(&self.server)).await
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        let used: u64 = info(&mut self.connection.clone(), "used_memory").await?.parse()?;
        Ok(Some(used.saturating_sub(self.empty_bytes)))
    }

    async fn version(&self) -> Result<String> {
        Ok(format!("Redis {}", info(&mut self.connection.clone(), "redis_version").await?))
    }
}

/// What the server says about one thing.
async fn info(connection: &mut MultiplexedConnection, name: &str) -> Result<String> {
    let text: String = redis::cmd("INFO").query_async(connection).await?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(value.ok_or("the server does not say it")?.trim().to_owned())
}
