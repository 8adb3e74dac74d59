//! The pool of connections that read.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, Result as SqlResult};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinError;

use super::store::Store;
use crate::error::Phase;
use crate::layout::Table;

/// Connections for reading: as many as configured, opened when needed.
///
/// No future holds a connection, or the right to one: its owner may never poll it again. A read
/// either runs wholly within one poll, or is a [`Job`], which runs to its end on a thread for
/// blocking work whether its future is polled or not. So the right to a connection cannot be a
/// permit of a semaphore, which belongs to a waiting future before that is polled.
pub(crate) struct Readers {
    store: Arc<Store>,
    state: Mutex<State>,
    /// Changed only while `state` is locked.
    closed: AtomicBool,
    /// Notified when a connection has come back to the closed pool.
    returned: Notify,
}

struct State {
    /// A stack, because the connection used last has a warm cache.
    idle: Vec<Connection>,
    /// How many more may be in use.
    free: usize,
    waiting: VecDeque<Job>,
    /// Whether a thread is handing connections to jobs. It sees what comes back meanwhile.
    dispatching: bool,
}

/// A read that runs by itself as soon as a connection is free.
struct Job {
    runtime: Handle,
    run: Box<dyn FnOnce(Reader) + Send>,
}

impl Readers {
    /// A pool with one connection open, which shows that it can open connections.
    pub(crate) fn open(store: Arc<Store>) -> Result<Arc<Self>> {
        let state = State {
            idle: vec![store.open_reader()?],
            free: store.config.readers,
            waiting: VecDeque::new(),
            dispatching: false,
        };
        Ok(Arc::new(Self {
            store,
            state: Mutex::new(state),
            closed: AtomicBool::new(false),
            returned: Notify::new(),
        }))
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Fails if the store is closed, or its file has been moved.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            Err(Error::store_closed())
        } else {
            self.store.file.check_sometimes()
        }
    }

    /// A connection that is open and free, unless others have waited for longer. Only for work that
    /// ends before the task yields.
    pub(crate) fn try_take(self: &Arc<Self>) -> Option<Reader> {
        let mut state = self.state();
        if self.is_closed() || !state.waiting.is_empty() || state.free == 0 {
            return None;
        }
        let connection = state.idle.pop()?;
        state.free -= 1;
        Some(Reader { connection: Some(connection), pool: Arc::clone(self) })
    }

    /// Runs `read` on a thread for blocking work, where it may wait for locks.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection, &Table) -> SqlResult<T> + Send + 'static,
    ) -> Result<T> {
        self.run_job(|reader| reader.run_patiently(read)).await
    }

    /// Runs `work` on a thread for blocking work as soon as a connection is free.
    pub(crate) async fn run_job<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check_open()?;
        let (reply, response) = oneshot::channel();
        let run = move |mut reader: Reader| {
            if reply.is_closed() {
                return;
            }
            let result = work(&mut reader);
            // Before the answer, so that the caller's next read finds it free.
            drop(reader);
            // A caller that has gone away does not need it.
            let _ = reply.send(result);
        };
        self.submit(Job { runtime: Handle::current(), run: Box::new(run) })?;
        match response.await {
            Ok(result) => result,
            Err(_) if self.is_closed() => Err(Error::store_closed()),
            Err(error) => Err(Error::new(ErrorKind::Unavailable, STOPPED).caused_by(error)),
        }
    }

    fn submit(self: &Arc<Self>, job: Job) -> Result<()> {
        {
            let mut state = self.state();
            if self.is_closed() {
                return Err(Error::store_closed());
            }
            state.waiting.push_back(job);
        }
        self.dispatch();
        Ok(())
    }

    /// Starts waiting jobs while connections are free.
    ///
    /// A runtime that has shut down drops the job that it is given, which returns the connection
    /// and comes here again. The flag makes that a turn of the loop instead of a recursion.
    fn dispatch(self: &Arc<Self>) {
        {
            let mut state = self.state();
            if mem::replace(&mut state.dispatching, true) {
                return;
            }
        }
        while let Some((job, reader)) = self.next_job() {
            job.runtime.spawn_blocking(move || (job.run)(reader));
        }
    }

    /// The next job with a connection. `None` ends the dispatching.
    fn next_job(self: &Arc<Self>) -> Option<(Job, Reader)> {
        let mut state = self.state();
        let job = if state.free > 0 { state.waiting.pop_front() } else { None };
        let Some(job) = job else {
            state.dispatching = false;
            return None;
        };
        state.free -= 1;
        Some((job, Reader { connection: state.idle.pop(), pool: Arc::clone(self) }))
    }

    /// Refuses further reads, waits for those that are running, and closes the connections.
    pub(crate) async fn close(&self) {
        let waiting = {
            let mut state = self.state();
            self.closed.store(true, Ordering::Release);
            mem::take(&mut state.waiting)
        };
        // Their callers get an error.
        drop(waiting);
        loop {
            // Before looking, so that what comes back after that is not missed.
            let returned = self.returned.notified();
            if let Some(idle) = self.take_idle() {
                drop(idle);
                return;
            }
            returned.await;
        }
    }

    /// The idle connections, if none is in use.
    fn take_idle(&self) -> Option<Vec<Connection>> {
        let mut state = self.state();
        (state.free == self.store.config.readers).then(|| mem::take(&mut state.idle))
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("store", &self.store).finish_non_exhaustive()
    }
}

/// The right to use one connection, opened when it is first needed. Dropping this returns both.
pub(crate) struct Reader {
    connection: Option<Connection>,
    pool: Arc<Readers>,
}

impl Reader {
    /// Runs `read` now, without waiting for locks. A connection that fails is not used again.
    pub(crate) fn run<T>(
        &mut self,
        read: impl FnOnce(&Connection, &Table) -> SqlResult<T>,
    ) -> SqlResult<T> {
        let connection = self.connection.as_ref().ok_or(rusqlite::Error::InvalidQuery)?;
        let result = read(connection, &self.pool.store.table);
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    /// Runs `read`, waiting for locks up to the busy timeout. Opens the connection if need be.
    pub(crate) fn run_patiently<T>(
        &mut self,
        read: impl FnOnce(&Connection, &Table) -> SqlResult<T>,
    ) -> Result<T> {
        let store = Arc::clone(&self.pool.store);
        if self.connection.is_none() {
            self.connection = Some(store.open_reader()?);
        }
        self.run(|connection, table| {
            connection.busy_timeout(store.config.busy_timeout)?;
            let result = read(connection, table)?;
            connection.busy_timeout(Duration::ZERO)?;
            Ok(result)
        })
        .map_err(|error| store.error(error, Phase::Uncommitted))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(|connection| {
            // A read that failed half-way leaves its transaction open.
            connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok()
        });
        let mut state = self.pool.state();
        if self.pool.is_closed() {
            drop(state);
            // Closed before it counts as returned: then `close` may end.
            drop(connection);
            self.pool.state().free += 1;
            self.pool.returned.notify_waiters();
            return;
        }
        state.idle.extend(connection);
        state.free += 1;
        let is_awaited = !state.waiting.is_empty();
        drop(state);
        if is_awaited {
            self.pool.dispatch();
        }
    }
}

const STOPPED: &str = "a thread for blocking work has stopped";

/// The runtime has shut down, or the thread has panicked. A read has changed nothing.
pub(crate) fn stopped(error: JoinError) -> Error {
    Error::new(ErrorKind::Unavailable, STOPPED).caused_by(error)
}
