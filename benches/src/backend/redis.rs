//! A new Redis server on the loopback interface, all in memory.

use std::sync::Arc;

use pstate::Adapter;
use pstate::redis::RedisAdapter;
use pstate_testkit::redis::Server;
use redis::aio::MultiplexedConnection;

use crate::Result;
use crate::baseline;

use super::contract::Backend;

/// A server that PState and the baseline use under different keys. It saves nothing on a disk.
#[derive(Debug)]
pub struct Redis {
    adapter: Arc<RedisAdapter>,
    /// Asks the server about itself.
    connection: MultiplexedConnection,
    /// How much memory the empty server used.
    empty_bytes: u64,
    server: Server,
}

impl Redis {
    fn url(server: &Server) -> String {
        format!("redis://127.0.0.1:{}", server.port())
    }
}

impl Backend for Redis {
    type Baseline = baseline::Redis;

    async fn create() -> Result<Self> {
        let server = Server::start();
        let mut connection = baseline::redis_connection(&Self::url(&server)).await?;
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

    async fn baseline(&self) -> Result<baseline::Redis> {
        baseline::Redis::connect(&Self::url(&self.server)).await
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        let used: u64 = info(&mut self.connection.clone(), "used_memory").await?.parse()?;
        Ok(Some(used.saturating_sub(self.empty_bytes)))
    }

    async fn version(&self) -> Result<String> {
        Ok(format!("Redis {}", info(&mut self.connection.clone(), "redis_version").await?))
    }
}

/// What the server says about itself under a name.
async fn info(connection: &mut MultiplexedConnection, name: &str) -> Result<String> {
    let text: String = redis::cmd("INFO").query_async(connection).await?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(value.ok_or("the server does not say it")?.trim().to_owned())
}
