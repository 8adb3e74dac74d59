//! One server, and the connection to it, made again when it is lost.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, PushInfo, PushKind, Value,
};

use super::client::{client, no_connection};
use super::unit::{Answers, Unit, checked};
use crate::config::RedisConfig;
use crate::error::Failure;

/// How many requests may wait to be sent. It is far more than are in flight at a time, so that no
/// call waits behind a future that waits here and is not polled.
const QUEUE: usize = 1 << 14;

/// A server, and the connection to it that all calls share.
///
/// A task of its own makes the connection when it is first needed, so that it does not depend on
/// the call that needs it. When it breaks, all calls in flight on it fail, because their effect is
/// unknown, and the next call makes a new one. When an answer takes too long, the node gives the
/// connection up: nothing shows whether there is a server at its other end.
#[derive(Debug)]
pub(crate) struct Node {
    /// `host:port`, for messages.
    pub(super) address: String,
    pub(super) place: (String, u16),
    client: Client,
    database: u32,
    connect_timeout: Duration,
    response_timeout: Duration,
    /// Whether it is a replica, which answers reads only after `READONLY`.
    read_only: bool,
    /// Counts the connections that were made.
    connections: Arc<AtomicU64>,
    state: Mutex<Option<Attempt>>,
}

type Attempt = Shared<BoxFuture<'static, Result<Live, Failure>>>;

#[derive(Clone)]
struct Live {
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
    pub(super) fn new(
        config: &RedisConfig,
        host: &str,
        port: u16,
        read_only: bool,
        connections: Arc<AtomicU64>,
    ) -> Result<Self, Failure> {
        let address = format!("{host}:{port}");
        let client = client(config, host, port, ProtocolVersion::RESP3)
            .map_err(|error| Failure::connecting(&address, &error))?;
        Ok(Self {
            address,
            place: (host.to_owned(), port),
            client,
            database: config.database,
            connect_timeout: config.connect_timeout,
            response_timeout: config.response_timeout,
            read_only,
            connections,
            state: Mutex::new(None),
        })
    }

    /// Sends one unit.
    pub(super) async fn send_one(&self, unit: Unit) -> Answers {
        let count = unit.commands.len();
        let answers = checked(&self.address, self.send(unit.commands).await?, count);
        self.reconnect_if_replaced(std::slice::from_ref(&answers));
        answers
    }

    /// Sends units in one go.
    pub(super) async fn send_all(&self, units: Vec<Unit>) -> Vec<Answers> {
        let counts: Vec<usize> = units.iter().map(|unit| unit.commands.len()).collect();
        let commands = units.into_iter().flat_map(|unit| unit.commands).collect();
        let mut values = match self.send(commands).await {
            Ok(values) => values.into_iter(),
            Err(failure) => return counts.into_iter().map(|_| Err(failure.clone())).collect(),
        };
        let mut next = |count| checked(&self.address, values.by_ref().take(count).collect(), count);
        let answers: Vec<Answers> = counts.into_iter().map(&mut next).collect();
        self.reconnect_if_replaced(&answers);
        answers
    }

    /// A server that refuses writes may have been replaced by another of the same name: the next
    /// call connects again.
    fn reconnect_if_replaced(&self, answers: &[Answers]) {
        let replaced =
            |answer: &Answers| answer.as_ref().is_err_and(|failure| failure.is("READONLY"));
        if answers.iter().any(replaced) {
            self.disconnect();
        }
    }

    /// Sends the commands together, and returns as many answers. An error of the server is an
    /// answer, too.
    async fn send(&self, mut commands: Vec<Cmd>) -> Result<Vec<Value>, Failure> {
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
            // Errors of the server do not come here.
            live.lose();
            Failure::answering(&self.address, &error)
        })
    }

    /// The connection, made if need be. All calls that need it wait for the same attempt.
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
        let (address, database) = (self.address.clone(), self.database);
        let connections = Arc::clone(&self.connections);
        let attempt = async move {
            let connection = client.get_multiplexed_async_connection_with_config(&config).await;
            let failed = |error| no_connection(&address, database, &error);
            let mut connection = connection.map_err(failed)?;
            if read_only {
                redis::cmd("READONLY").exec_async(&mut connection).await.map_err(failed)?;
            }
            connections.fetch_add(1, Ordering::AcqRel);
            Ok(Live { connection, lost })
        };
        let attempt = attempt.boxed().shared();
        // It runs to its end whether a call waits for it or not.
        tokio::spawn(attempt.clone());
        attempt
    }

    /// How many connections were made.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    /// Lets go of the connection. Calls in flight on it still end.
    pub(super) fn disconnect(&self) {
        *self.state.lock() = None;
    }
}
