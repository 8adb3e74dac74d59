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
    AsyncConnectionConfig, Client, Cmd, Pipeline, ProtocolVersion, PushInfo, PushKind, RedisError,
    Value,
};

use tokio::sync::Semaphore;

use super::client::{client, no_connection};
use super::unit::{Answers, Lane, Unit, checked};
use crate::config::RedisConfig;
use crate::error::Failure;

/// How many requests may wait to be sent. It is far more than are in flight at a time, so that no
/// call waits behind a future that waits here and is not polled.
const QUEUE: usize = 1 << 14;

/// How many bytes of large calls may be under way on one connection. One that is larger has it to
/// itself.
const LARGE_IN_FLIGHT: usize = 64 * 1024 * 1024;
/// What such a call takes of a semaphore, which counts in 32 bits.
const BYTES_PER_PERMIT: usize = 1024;
const PERMITS: usize = LARGE_IN_FLIGHT / BYTES_PER_PERMIT;

/// A server, and the connections to it that all calls share: one for each kind of [`Lane`].
///
/// A task of its own makes a connection when it is first needed, so that it does not depend on
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
    /// Counts what may have taken something from this server or others: also broken connections.
    changes: Arc<AtomicU64>,
    /// Counts how often connections broke.
    breaks: Arc<AtomicU64>,
    lines: [Line; 4],
}

/// A connection, and whose turn it is.
#[derive(Debug)]
struct Line {
    state: Mutex<Option<Attempt>>,
    turns: Arc<Semaphore>,
}

impl Default for Line {
    fn default() -> Self {
        Self { state: Mutex::new(None), turns: Arc::new(Semaphore::new(PERMITS)) }
    }
}

type Attempt = Shared<BoxFuture<'static, Result<Live, Failure>>>;

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// Whether an answer took too long.
    timed_out: Arc<AtomicBool>,
    age: Age,
}

/// How often connections had broken when this one was begun.
///
/// When one breaks or is refused, the server may be gone, and with it the others, which do not show
/// that while nothing is sent: so all that are as old or older are lost.
#[derive(Debug, Clone)]
struct Age {
    breaks: Arc<AtomicU64>,
    seen: u64,
    changes: Arc<AtomicU64>,
}

impl Age {
    fn new(breaks: &Arc<AtomicU64>, changes: &Arc<AtomicU64>) -> Self {
        let seen = breaks.load(Ordering::Acquire);
        Self { breaks: Arc::clone(breaks), seen, changes: Arc::clone(changes) }
    }

    fn is_over(&self) -> bool {
        self.breaks.load(Ordering::Acquire) != self.seen
    }

    /// Does nothing if it is over: the connections that were begun since may hold.
    fn end(&self) {
        let (seen, next) = (self.seen, self.seen + 1);
        let ended = self.breaks.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire);
        if ended.is_ok() {
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Live {
    fn is_lost(&self) -> bool {
        self.timed_out.load(Ordering::Acquire) || self.age.is_over()
    }

    fn lose(&self, error: &RedisError) {
        if error.is_timeout() {
            self.timed_out.store(true, Ordering::Release);
        } else {
            self.age.end();
        }
    }

    /// Sends commands together, and returns as many answers. What fails loses the connection:
    /// errors of the server are answers.
    async fn send(mut self, mut commands: Vec<Cmd>) -> redis::RedisResult<Vec<Value>> {
        let answers = if commands.len() == 1 {
            let command = commands.swap_remove(0);
            self.connection.send_packed_command(&command).await.map(|answer| vec![answer])
        } else {
            let count = commands.len();
            let mut pipeline = Pipeline::with_capacity(count);
            for command in commands {
                pipeline.add_command(command);
            }
            self.connection.send_packed_commands(&pipeline, 0, count).await
        };
        answers.inspect_err(|error| self.lose(error))
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("is_lost", &self.is_lost()).finish_non_exhaustive()
    }
}

impl Node {
    pub(super) fn new(
        config: &RedisConfig,
        host: &str,
        port: u16,
        read_only: bool,
        changes: Arc<AtomicU64>,
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
            changes,
            breaks: Arc::default(),
            lines: Default::default(),
        })
    }

    /// Sends one unit.
    pub(super) async fn send_one(&self, unit: Unit) -> Answers {
        let count = unit.commands.len();
        let answers = checked(&self.address, self.send(unit.commands, unit.lane).await?, count);
        self.reconnect_if_replaced(std::slice::from_ref(&answers));
        answers
    }

    /// Sends units in one go, on the connection of the first.
    pub(super) async fn send_all(&self, units: Vec<Unit>) -> Vec<Answers> {
        let counts: Vec<usize> = units.iter().map(|unit| unit.commands.len()).collect();
        let lane = units.first().map(|unit| unit.lane).unwrap_or_default();
        let commands = units.into_iter().flat_map(|unit| unit.commands).collect();
        let mut values = match self.send(commands, lane).await {
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
    async fn send(&self, commands: Vec<Cmd>, lane: Lane) -> Result<Vec<Value>, Failure> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let live = self.live(lane).await?;
        let sent = match lane {
            Lane::Commands | Lane::Records => live.send(commands).await,
            Lane::LargeRead(bytes) | Lane::LargeWrite(bytes) => {
                let permits = (bytes / BYTES_PER_PERMIT).clamp(1, PERMITS);
                let permits = u32::try_from(permits).unwrap_or(u32::MAX);
                let turns = Arc::clone(&self.line(lane).turns);
                // A task waits for the turn and sends, so that no call waits behind a future that
                // is not polled. The time to answer begins with the turn.
                let sending = tokio::spawn(async move {
                    let _turn = turns.acquire_many_owned(permits).await;
                    live.send(commands).await
                });
                let Ok(sent) = sending.await else {
                    let why = format!("{}: the runtime of the store ends", self.address);
                    return Err(Failure::unavailable(why).with_effect());
                };
                sent
            }
        };
        sent.map_err(|error| Failure::answering(&self.address, &error))
    }

    fn line(&self, lane: Lane) -> &Line {
        let [commands, records, reads, writes] = &self.lines;
        match lane {
            Lane::Commands => commands,
            Lane::Records => records,
            Lane::LargeRead(_) => reads,
            Lane::LargeWrite(_) => writes,
        }
    }

    /// The connection, made if need be. All calls that need it wait for the same attempt.
    async fn live(&self, lane: Lane) -> Result<Live, Failure> {
        let attempt = {
            let mut state = self.line(lane).state.lock();
            match state.as_ref().map(|attempt| (attempt, attempt.peek())) {
                Some((_, Some(Ok(live)))) if !live.is_lost() => return Ok(live.clone()),
                Some((attempt, None)) => attempt.clone(),
                _ => state.insert(self.attempt()).clone(),
            }
        };
        attempt.await
    }

    /// Begins to connect.
    fn attempt(&self) -> Attempt {
        let (client, read_only) = (self.client.clone(), self.read_only);
        let age = Age::new(&self.breaks, &self.changes);
        let ends = age.clone();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
            .set_pipeline_buffer_size(QUEUE)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    ends.end();
                }
                Ok::<_, redis::aio::SendError>(())
            });
        let (address, database) = (self.address.clone(), self.database);
        let attempt = async move {
            let connection = client.get_multiplexed_async_connection_with_config(&config).await;
            let failed = |error: RedisError| {
                if error.is_connection_refusal() {
                    age.end();
                }
                no_connection(&address, database, &error)
            };
            let mut connection = connection.map_err(failed)?;
            if read_only {
                redis::cmd("READONLY").exec_async(&mut connection).await.map_err(failed)?;
            }
            Ok(Live { connection, timed_out: Arc::default(), age })
        };
        let attempt = attempt.boxed().shared();
        // It runs to its end whether a call waits for it or not.
        tokio::spawn(attempt.clone());
        attempt
    }

    /// How often connections broke.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Lets go of the connections. Calls in flight on them still end.
    pub(super) fn disconnect(&self) {
        for line in &self.lines {
            *line.state.lock() = None;
        }
    }
}
