//! The open database, and the lock that keeps readers of several keys and writers apart.

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use pstate_core::{Atomicity, Capabilities, ChangeHub, Error, ErrorKind, Result};
use sled::{Db, Tree};
use tokio::task::spawn_blocking;

use super::end_mark;
use crate::config::SledConfig;
use crate::error::{Phase, from_sled, guarded, is_locked};
use crate::layout::{self, Owner, RECORDS, check_trees};

/// How long a task waits in place for the lock: about as long as it may block its executor.
const LOCK_TIMEOUT_IN_PLACE: Duration = Duration::from_micros(100);

/// How often to retry while another handle has the database open.
const LOCK_POLL: Duration = Duration::from_millis(2);

/// How long to wait for sled's threads to release the file.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// A database with our tree in it.
///
/// sled makes a batch atomic for readers of one key. For readers of several this lock does: a
/// writer holds it alone. So a task never meets sled's own lock, on which it could not stop
/// waiting.
pub(crate) struct Store {
    pub(crate) path: PathBuf,
    pub(crate) config: SledConfig,
    /// Writers publish to it under the lock, so in the order in which they store.
    pub(crate) changes: ChangeHub,
    /// The only reference, so that dropping it closes the database. `None` afterwards.
    open: RwLock<Option<Open>>,
}

struct Open {
    records: Tree,
    db: Db,
}

impl Store {
    /// Opens the directory, and creates what is missing.
    pub(crate) fn open(path: &Path, config: SledConfig) -> Result<Self> {
        config.validate()?;
        if path.as_os_str().is_empty() {
            let message = "no path: name a directory, as in `sled:app`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let path = std::path::absolute(path).map_err(|error| {
            Error::new(ErrorKind::Config, format!("the path {:?}", path.display().to_string()))
                .caused_by(error)
        })?;
        let owner = layout::owner(&path)?;
        let db = start(&path, &config)?;
        check_trees(&db, owner, &path)?;
        end_mark::check(&db, &path)?;
        let records = guarded(&path, Phase::Open, || db.open_tree(RECORDS))?;
        if owner == Owner::Unclaimed {
            guarded(&path, Phase::Open, || records.flush())?;
            layout::claim(&path)?;
        }
        let open = RwLock::new(Some(Open { records, db }));
        Ok(Self { path, config, changes: ChangeHub::new(), open })
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        // Gathering reads takes about as long as a look-up.
        Capabilities::new(Atomicity::Batch, self.config.flush.durability())
            .max_value_len(self.config.max_value_len)
            .batch_reads(false)
    }

    /// Reads in place. `None` if a writer holds the lock for too long; then read on a thread for
    /// blocking work.
    pub(crate) fn try_read<T>(
        &self,
        read: impl FnOnce(&Tree) -> sled::Result<T>,
    ) -> Option<Result<T>> {
        let open = self.open.try_read_for(LOCK_TIMEOUT_IN_PLACE)?;
        Some(self.with(open.as_ref(), Phase::Read, read))
    }

    /// Reads, and waits for the lock.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Tree) -> sled::Result<T>) -> Result<T> {
        self.with(self.open.read().as_ref(), Phase::Read, read)
    }

    /// Writes in place. `None` if others hold the lock for too long; then write on the writer
    /// thread.
    pub(crate) fn try_write<T>(&self, write: impl FnOnce(&Tree) -> Result<T>) -> Option<Result<T>> {
        let open = self.open.try_write_for(LOCK_TIMEOUT_IN_PLACE)?;
        Some(open.as_ref().ok_or_else(Error::store_closed).and_then(|open| write(&open.records)))
    }

    /// Writes, and waits for the lock.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&Tree) -> Result<T>) -> Result<T> {
        let open = self.open.write();
        open.as_ref().ok_or_else(Error::store_closed).and_then(|open| write(&open.records))
    }

    /// Waits until all writes have left the process.
    pub(crate) fn flush(&self) -> Result<()> {
        self.with(self.open.read().as_ref(), Phase::Write, Tree::flush).map(drop)
    }

    fn with<T>(
        &self,
        open: Option<&Open>,
        phase: Phase,
        work: impl FnOnce(&Tree) -> sled::Result<T>,
    ) -> Result<T> {
        let open = open.ok_or_else(Error::store_closed)?;
        guarded(&self.path, phase, || work(&open.records))
    }

    /// Runs `work` on a thread for blocking work.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(self);
        let done = spawn_blocking(move || work(&store)).await;
        done.map_err(|error| {
            // The runtime shuts down.
            Error::new(ErrorKind::Unavailable, "the thread for blocking work has stopped")
                .caused_by(error)
                .retryable()
        })?
    }

    /// Flushes, closes, and waits until other handles can open the directory.
    pub(crate) fn close(&self) {
        let Some(open) = self.open.write().take() else { return };
        let marked = end_mark::write(&open.db, &self.path);
        // If sled panics here, there is nothing left to do.
        let ended = guarded(&self.path, Phase::Write, || {
            drop(open);
            Ok(())
        });
        if let Err(error) = marked.and(ended) {
            tracing::warn!(%error, path = %self.path.display(), "closing the database");
        }
        self.wait_until_released();
    }

    /// sled's own threads may hold the file for a moment longer.
    fn wait_until_released(&self) {
        let Ok(file) = File::options().write(true).open(self.path.join("db")) else { return };
        let begin = Instant::now();
        // If another process holds the lock by now, it was released, too.
        while matches!(file.try_lock(), Err(TryLockError::WouldBlock))
            && begin.elapsed() < RELEASE_TIMEOUT
        {
            thread::sleep(LOCK_POLL);
        }
    }
}

impl fmt::Debug for Store {
    /// Without the records, which sled would print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Waits until no other handle has the database open.
fn start(path: &Path, config: &SledConfig) -> Result<Db> {
    let sled_config = sled::Config::new()
        .path(path)
        .cache_capacity(config.cache_capacity)
        .flush_every_ms(Some(config.flush.interval_in_millis()));
    let begin = Instant::now();
    loop {
        // The inner result distinguishes a locked database.
        match guarded(path, Phase::Open, || Ok(sled_config.open()))? {
            Ok(db) => return Ok(db),
            Err(error) if !is_locked(&error) => return Err(from_sled(error, path, Phase::Open)),
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
