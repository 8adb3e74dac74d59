//! An open sled database, and who may use it when.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use pstate_core::{ChangeHub, Error, ErrorKind, Result};
use sled::{Db, Tree};
use tokio::task::spawn_blocking;

use crate::config::SledConfig;
use crate::ending;
use crate::error::{During, closed, from_sled, guarded, is_locked};
use crate::format::{self, Owner, RECORDS};

/// How long a task waits in place for others: about as long as it may hold up its executor.
const PATIENCE: Duration = Duration::from_micros(100);

/// How often it is looked whether somebody else has closed the database.
const LOCK_POLL: Duration = Duration::from_millis(2);

/// For how long the end of a close is waited for.
const MOST_OF_A_CLOSE: Duration = Duration::from_secs(1);

/// A database with our tree in it.
///
/// sled makes a batch atomic for readers of one key. For readers of several it takes this lock:
/// whoever writes holds it alone. So a task never meets sled's own lock, which it could not stop
/// waiting for.
pub(crate) struct Database {
    pub(crate) path: PathBuf,
    pub(crate) config: SledConfig,
    /// Is told what is stored while the lock is held, so in the order in which it is stored.
    pub(crate) changes: ChangeHub,
    /// From when it is to be closed: what was begun before is still done.
    closing: AtomicBool,
    /// The only reference, so that closing it closes it; `None` afterwards.
    open: RwLock<Option<Open>>,
}

struct Open {
    records: Tree,
    db: Db,
}

impl Database {
    /// Opens the directory, creating what is missing.
    pub(crate) fn open(path: &Path, config: SledConfig) -> Result<Self> {
        config.validate()?;
        let path = std::path::absolute(path).map_err(|error| {
            Error::new(ErrorKind::Config, format!("the path {:?}", path.display().to_string()))
                .caused_by(error)
        })?;
        let owner = format::owner(&path)?;
        let db = start(&path, &config)?;
        format::check_trees(&db, owner, &path)?;
        ending::check(&db, &path)?;
        let records = guarded(&path, During::Open, || db.open_tree(RECORDS))?;
        if owner == Owner::Nobody {
            guarded(&path, During::Open, || records.flush())?;
            format::claim(&path)?;
        }
        let open = RwLock::new(Some(Open { records, db }));
        let closing = AtomicBool::new(false);
        Ok(Self { path, config, changes: ChangeHub::new(), closing, open })
    }

    /// Reads in place. `None` if somebody writes for so long that this has to wait elsewhere.
    pub(crate) fn try_read<T>(
        &self,
        read: impl FnOnce(&Tree) -> sled::Result<T>,
    ) -> Option<Result<T>> {
        let open = self.open.try_read_for(PATIENCE)?;
        Some(self.with(open.as_ref(), During::Read, read))
    }

    /// Reads, after whoever writes.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Tree) -> sled::Result<T>) -> Result<T> {
        self.with(self.open.read().as_ref(), During::Read, read)
    }

    /// Writes in place. `None` if others use the database for so long that this has to wait
    /// elsewhere.
    pub(crate) fn try_write<T>(&self, write: impl FnOnce(&Tree) -> Result<T>) -> Option<Result<T>> {
        let open = self.open.try_write_for(PATIENCE)?;
        Some(open.as_ref().ok_or_else(closed).and_then(|open| write(&open.records)))
    }

    /// Writes, while nobody reads.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&Tree) -> Result<T>) -> Result<T> {
        let open = self.open.write();
        open.as_ref().ok_or_else(closed).and_then(|open| write(&open.records))
    }

    /// Waits until everything that was written has left the process.
    pub(crate) fn flush(&self) -> Result<()> {
        self.with(self.open.read().as_ref(), During::Write, Tree::flush).map(drop)
    }

    /// Refuses writes from now on, so that closing comes to an end.
    pub(crate) fn begin_to_close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closing.load(Ordering::Relaxed) { Err(closed()) } else { Ok(()) }
    }

    fn with<T>(
        &self,
        open: Option<&Open>,
        during: During,
        work: impl FnOnce(&Tree) -> sled::Result<T>,
    ) -> Result<T> {
        let open = open.ok_or_else(closed)?;
        guarded(&self.path, during, || work(&open.records))
    }

    /// Does something on a thread for blocking work.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(self);
        let done = spawn_blocking(move || work(&database)).await;
        done.map_err(|error| {
            // The runtime is ending.
            Error::new(ErrorKind::Unavailable, "the thread for blocking work has stopped")
                .caused_by(error)
                .retryable()
        })?
    }

    /// Flushes, closes, and waits until others can open the directory.
    pub(crate) fn close(&self) {
        let Some(open) = self.open.write().take() else { return };
        let noted = ending::note(&open.db, &self.path);
        // Even if sled panics while it ends, there is nothing to be done.
        let ended = guarded(&self.path, During::Write, || {
            drop(open);
            Ok(())
        });
        if let Err(error) = noted.and(ended) {
            tracing::warn!(%error, path = %self.path.display(), "closing the database");
        }
        self.wait_until_released();
    }

    /// Work that sled has given to its threads may hold the file for a moment longer.
    fn wait_until_released(&self) {
        let Ok(file) = File::options().write(true).open(self.path.join("db")) else { return };
        let begin = Instant::now();
        // If another process was quicker, it holds the lock now and it was released.
        while matches!(file.try_lock(), Err(TryLockError::WouldBlock))
            && begin.elapsed() < MOST_OF_A_CLOSE
        {
            thread::sleep(LOCK_POLL);
        }
    }
}

impl fmt::Debug for Database {
    /// Without what is stored, which sled would print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Waits until nobody else has the database open.
fn start(path: &Path, config: &SledConfig) -> Result<Db> {
    let sled_config = sled::Config::new()
        .path(path)
        .cache_capacity(config.cache_capacity)
        .flush_every_ms(Some(config.flush.interval_in_millis()));
    let begin = Instant::now();
    loop {
        // The inner result, so that being locked is told apart.
        match guarded(path, During::Open, || Ok(sled_config.open()))? {
            Ok(db) => return Ok(db),
            Err(error) if !is_locked(&error) => return Err(from_sled(error, path, During::Open)),
            Err(_) if begin.elapsed() < config.busy_timeout => thread::sleep(LOCK_POLL),
            Err(_) => {
                let message = format!(
                    "{} is open already, in this process or another (waited {:?}); sled lets one \
                     handle at a time use a directory",
                    path.display(),
                    config.busy_timeout
                );
                return Err(Error::new(ErrorKind::Unavailable, message).retryable());
            }
        }
    }
}
