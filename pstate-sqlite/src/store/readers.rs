//! The pool of connections that read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, Result as SqlResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, spawn_blocking};

use super::store::Store;
use crate::error::Phase;
use crate::layout::Table;

/// Connections for reading: as many as configured, opened when needed.
#[derive(Debug)]
pub(crate) struct Readers {
    store: Arc<Store>,
    permits: Arc<Semaphore>,
    /// A stack, because the connection used last has a warm cache.
    idle: Mutex<Vec<Connection>>,
    closed: AtomicBool,
}

impl Readers {
    /// A pool with one connection open, which shows that it can open connections.
    pub(crate) fn open(store: Arc<Store>) -> Result<Arc<Self>> {
        let first = store.open_reader()?;
        Ok(Arc::new(Self {
            permits: Arc::new(Semaphore::new(store.config.readers)),
            store,
            idle: Mutex::new(vec![first]),
            closed: AtomicBool::new(false),
        }))
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::store_closed()) } else { Ok(()) }
    }

    /// Waits for a free connection.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Reader> {
        self.check_open()?;
        let permit =
            Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::store_closed())?;
        self.check_open()?;
        let idle = self.idle().pop();
        let connection = if let Some(connection) = idle {
            connection
        } else {
            let store = Arc::clone(&self.store);
            spawn_blocking(move || store.open_reader()).await.map_err(stopped)??
        };
        Ok(Reader { connection: Some(connection), pool: Arc::clone(self), _permit: permit })
    }

    /// Runs `read` on a thread for blocking work, where it may wait for locks.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection, &Table) -> SqlResult<T> + Send + 'static,
    ) -> Result<T> {
        let mut reader = self.take().await?;
        spawn_blocking(move || reader.run_patiently(read)).await.map_err(stopped)?
    }

    /// Refuses further reads, waits for those that are running, and closes the connections.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let all = u32::try_from(self.store.config.readers).unwrap_or(u32::MAX);
        // The semaphore is never closed, so this cannot fail. A dropped future gives its permits
        // back, and the next `close` starts again.
        let _all = self.permits.acquire_many(all).await;
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection taken from the pool. Dropping this returns it.
#[derive(Debug)]
pub(crate) struct Reader {
    connection: Option<Connection>,
    pool: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
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

    fn run_patiently<T>(
        &mut self,
        read: impl FnOnce(&Connection, &Table) -> SqlResult<T>,
    ) -> Result<T> {
        let timeout = self.pool.store.config.busy_timeout;
        self.run(|connection, table| {
            connection.busy_timeout(timeout)?;
            let result = read(connection, table)?;
            connection.busy_timeout(Duration::ZERO)?;
            Ok(result)
        })
        .map_err(|error| self.pool.store.error(error, Phase::Uncommitted))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        // The future of a batch may have been dropped in the middle of its transaction.
        let clean = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        if clean && !self.pool.closed.load(Ordering::Acquire) {
            self.pool.idle().push(connection);
        }
    }
}

/// The runtime has shut down, or the thread has panicked. A read has changed nothing.
pub(crate) fn stopped(error: JoinError) -> Error {
    Error::new(ErrorKind::Unavailable, "a thread for blocking work has stopped").caused_by(error)
}
