//! The open database, and the lock that keeps readers of several keys and writers apart.

use std::collections::HashSet;
use std::fmt;
use std::fs::{File, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use pstate_core::{Atomicity, Capabilities, ChangeHub, Error, ErrorKind, Result};
use sled::{Db, Tree};
use tokio::task::spawn_blocking;

use super::caller::Caller;
use super::end_mark;
use super::snapshot::{Snapshot, Snapshots};
use super::snapshot_files;
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
    close_error: Mutex<Option<Error>>,
    snapshots: Snapshots,
    /// Whether a write or a flush has failed, so that its effect is unknown.
    has_failed: AtomicBool,
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
        Ok(Self {
            path,
            config,
            changes: ChangeHub::new(),
            open,
            close_error: Mutex::new(None),
            snapshots: Snapshots::default(),
            has_failed: AtomicBool::new(false),
        })
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

    /// Calls sled to change or flush something, unless such a call has failed before.
    ///
    /// After some failures sled's next flush never returns, and holds a lock of the whole process
    /// meanwhile.
    pub(crate) fn change<T>(&self, change: impl FnOnce() -> sled::Result<T>) -> Result<T> {
        if self.has_failed.load(Ordering::Acquire) {
            let message = format!(
                "{}: an earlier write failed, so the store takes no more; close it and open it \
                 again, or restart the program if it stays locked",
                self.path.display()
            );
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let changed = guarded(&self.path, Phase::Write, change);
        self.has_failed.fetch_or(changed.is_err(), Ordering::AcqRel);
        changed
    }

    /// Begins a read of these keys in portions.
    pub(crate) fn snapshot(&self, wanted: HashSet<Vec<u8>>) -> Result<Arc<Snapshot>> {
        self.read(|_| Ok(self.snapshots.begin(wanted)))
    }

    /// Keeps what is about to be overwritten for the reads under way. Only a writer calls it. It
    /// fails like the write, because batches before this one may be stored.
    pub(crate) fn preserve<'a>(
        &self,
        tree: &Tree,
        keys: &(impl Iterator<Item = &'a Vec<u8>> + Clone),
    ) -> Result<()> {
        guarded(&self.path, Phase::Write, || self.snapshots.preserve(tree, keys))
    }

    /// Waits until all writes have left the process.
    ///
    /// Without the lock, so that writes in place need not wait for the disk. The thread that calls
    /// it is the one that closes, so the tree does not outlive the store.
    pub(crate) fn flush(&self) -> Result<()> {
        let tree = self.read(|tree| Ok(tree.clone()))?;
        self.change(|| tree.flush()).map(drop)
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

    /// Runs `work` on a thread for blocking work. When the future is dropped, the caller is gone.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, &Caller) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(self);
        let (_waiting, caller) = Caller::new();
        let done = spawn_blocking(move || work(&store, &caller)).await;
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
        let marked = self.change(|| Ok(())).and_then(|()| end_mark::write(&open.db, &self.path));
        let ended = match &marked {
            Ok(()) => guarded(&self.path, Phase::Write, || {
                drop(open);
                Ok(())
            }),
            Err(_) => self.abandon(open),
        };
        if let Err(error) = marked.and(ended) {
            tracing::warn!(%error, path = %self.path.display(), "closing the database");
            *self.close_error.lock() = Some(error);
        }
        self.wait_until_released();
    }

    /// Closes a database in which a write has failed. That may never end, so another thread does
    /// it, and is waited for only as long as for a release.
    fn abandon(&self, open: Open) -> Result<()> {
        let (done, ended) = mpsc::channel::<()>();
        let close = move || {
            // The thread has no caller to which to report a panic of sled's.
            drop(catch_unwind(AssertUnwindSafe(|| drop(open))));
            drop(done);
        };
        thread::Builder::new().name("pstate-sled-close".to_owned()).spawn(close).map_err(
            |error| {
                let message =
                    format!("{}: the closing thread cannot be started", self.path.display());
                Error::new(ErrorKind::Unavailable, message).caused_by(error)
            },
        )?;
        // Either the thread has dropped its end, or the time is over.
        let _ = ended.recv_timeout(RELEASE_TIMEOUT);
        Ok(())
    }

    /// Why closing has failed, once: closing again succeeds.
    pub(crate) fn take_close_error(&self) -> Option<Error> {
        self.close_error.lock().take()
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
        snapshot_files::remove_unusable(path)?;
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
