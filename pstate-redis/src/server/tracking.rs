//! A connection over which a server notifies of changed keys.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo};

use super::client::{client, no_connection};
use crate::config::RedisConfig;
use crate::error::Failure;

/// A connection over which a server notifies of changed keys.
pub(crate) struct Tracking {
    pub(crate) address: String,
    pub(crate) connection: MultiplexedConnection,
}

impl Tracking {
    /// Connects, and subscribes to keys that begin with `prefix`.
    pub(crate) async fn new(
        config: &RedisConfig,
        host: &str,
        port: u16,
        prefix: &str,
        notify: impl Fn(PushInfo) -> Result<(), redis::aio::SendError> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let address = format!("{host}:{port}");
        let failed = |error| no_connection(&address, config.database, &error);
        let client = client(config, host, port, ProtocolVersion::RESP3).map_err(failed)?;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.response_timeout))
            .set_push_sender(notify);
        let connecting = client.get_multiplexed_async_connection_with_config(&settings);
        let mut connection = connecting.await.map_err(failed)?;
        let mut command = redis::cmd("CLIENT");
        command.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(prefix);
        command.exec_async(&mut connection).await.map_err(failed)?;
        Ok(Self { address, connection })
    }
}
