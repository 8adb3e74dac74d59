//! One connection to one server, made again when it is lost.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, Pipeline,
    ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, Value,
};

use crate::config::RedisConfig;
use crate::error::Failure;

/// How many requests may wait for being sent. It is far more than are under way at a time, so that
/// nobody waits for one who waits here and is not polled.
const QUEUE: usize = 1 << 14;

/// A server, and the connection to it that all calls share.
///
/// The connection is made when it is first needed, by a task of its own, so that it does not depend
/// on who asked for it. When it breaks, whatever was under way on it fails, since nobody knows what
/// became of it; the next call makes a new one. When an answer takes too long, the connection is given
/// up: nothing tells whether there is anybody at its other end.
#[derive(Debug)]
pub(crate) struct Node {
    /// `host:port`, for messages.
    pub(crate) address: String,
    pub(crate) place: (String, u16),
    client: Client,
    connect_timeout: Duration,
    response_timeout: Duration,
    /// Reads are sent to a replica: it has to be told that this is meant.
    read_only: bool,
    state: Mutex<Option<Attempt>>,
}

type Attempt = Shared<BoxFuture<'static, Result<Live, Failure>>>;

#[derive(Clone)]
pub(crate) struct Live {
    connection: MultiplexedConnection,
    lost: Arc<AtomicBool>,
}

impl Live {
    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("lost", &self.lost).finish_non_exhaustive()
    }
}

impl Node {
    pub(crate) fn new(
        config: &RedisConfig,
        host: &str,
        port: u16,
        read_only: bool,
    ) -> Result<Self, Failure> {
        let address = format!("{host}:{port}");
        let client = client(config, host, port, ProtocolVersion::RESP3)
            .map_err(|error| Failure::connecting(&address, &error))?;
        Ok(Self {
            address,
            place: (host.to_owned(), port),
            client,
            connect_timeout: config.connect_timeout,
            response_timeout: config.response_timeout,
            read_only,
            state: Mutex::new(None),
        })
    }

    /// Sends the commands together, and gives as many answers. What the server refuses is an answer,
    /// too.
    pub(crate) async fn send(&self, mut commands: Vec<Cmd>) -> Result<Vec<Value>, Failure> {
        let mut live = self.live().await?;
        let answers = match commands.len() {
            0 => return Ok(Vec::new()),
            1 => {
                let command = commands.swap_remove(0);
                live.connection.send_packed_command(&command).await.map(|answer| vec![answer])
            }
            count => {
                let mut pipeline = Pipeline::with_capacity(count);
                for command in commands {
                    pipeline.add_command(command);
                }
                live.connection.send_packed_commands(&pipeline, 0, count).await
            }
        };
        answers.map_err(|error| {
            // What the server refuses does not come here.
            live.lose();
            Failure::answering(&self.address, &error)
        })
    }

    /// The connection, made if need be. All who need it wait for the same attempt.
    async fn live(&self) -> Result<Live, Failure> {
        let attempt = {
            let mut state = self.state.lock();
            match state.as_ref().map(|attempt| (attempt, attempt.peek())) {
                Some((_, Some(Ok(live)))) if !live.is_lost() => return Ok(live.clone()),
                Some((attempt, None)) => attempt.clone(),
                _ => state.insert(self.attempt()).clone(),
            }
        };
        attempt.await
    }

    fn attempt(&self) -> Attempt {
        let (client, read_only) = (self.client.clone(), self.read_only);
        let lost = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&lost);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
            .set_pipeline_buffer_size(QUEUE)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    seen.store(true, Ordering::Release);
                }
                Ok::<_, redis::aio::SendError>(())
            });
        let address = self.address.clone();
        let attempt = async move {
            let connection = client.get_multiplexed_async_connection_with_config(&config).await;
            let mut connection =
                connection.map_err(|error| Failure::connecting(&address, &error))?;
            if read_only {
                let told = redis::cmd("READONLY").exec_async(&mut connection).await;
                told.map_err(|error| Failure::connecting(&address, &error))?;
            }
            Ok(Live { connection, lost })
        };
        let attempt = attempt.boxed().shared();
        // It goes on whoever waits for it.
        tokio::spawn(attempt.clone());
        attempt
    }

    /// Lets go of the connection. What is under way on it goes on.
    pub(crate) fn disconnect(&self) {
        *self.state.lock() = None;
    }
}

/// A connection over which a server tells which keys change.
pub(crate) struct Tracking {
    pub(crate) address: String,
    pub(crate) connection: MultiplexedConnection,
}

impl Tracking {
    /// Connects, and asks to be told of keys that begin so.
    pub(crate) async fn new(
        config: &RedisConfig,
        host: &str,
        port: u16,
        beginning: &str,
        tell: impl Fn(PushInfo) -> Result<(), redis::aio::SendError> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let address = format!("{host}:{port}");
        let failed = |error| Failure::connecting(&address, &error);
        let client = client(config, host, port, ProtocolVersion::RESP3).map_err(failed)?;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.response_timeout))
            .set_push_sender(tell);
        let connecting = client.get_multiplexed_async_connection_with_config(&settings);
        let mut connection = connecting.await.map_err(failed)?;
        let mut command = redis::cmd("CLIENT");
        command.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(beginning);
        command.exec_async(&mut connection).await.map_err(failed)?;
        Ok(Self { address, connection })
    }
}

/// How to reach a server.
pub(crate) fn client(
    config: &RedisConfig,
    host: &str,
    port: u16,
    protocol: ProtocolVersion,
) -> redis::RedisResult<Client> {
    let address = if config.tls {
        ConnectionAddr::TcpTls { host: host.to_owned(), port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host.to_owned(), port)
    };
    let mut settings = RedisConnectionInfo::default()
        .set_protocol(protocol)
        .set_db(i64::from(config.database))
        // It is one permission more, and says nothing that is needed.
        .set_skip_set_lib_name();
    if let Some(username) = &config.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &config.password {
        settings = settings.set_password(password);
    }
    let info = address.into_connection_info()?.set_redis_settings(settings);
    #[cfg(feature = "tls")]
    if config.tls {
        choose_ciphers();
    }
    #[cfg(feature = "tls")]
    if let Some(root_cert) = &config.root_certificates {
        let root_cert = Some(root_cert.clone());
        return Client::build_with_tls(
            info,
            redis::TlsCertificates { client_tls: None, root_cert },
        );
    }
    Client::open(info)
}

/// Rustls wants one implementation of its ciphers to be chosen for the whole program. If the program has
/// not chosen, or more than one is compiled in, it would panic.
#[cfg(feature = "tls")]
fn choose_ciphers() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may just have chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
