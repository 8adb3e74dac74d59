//! The adapter: what PState calls. It decides when work may run, and where.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, Capabilities, Error, Extensions, Key, Outcome, Page, Record, Result, Scan,
    Space,
};
use tokio::sync::{Mutex, RwLock};
use tokio::task::spawn_blocking;

use crate::error::stopped;
use crate::file_name::FileName;
use crate::store::{CAPABILITIES, Store};

/// A store in one directory, with a file for each record.
///
/// Any number of tasks, adapters and processes may use the directory at once. It has to be on a
/// local file system. Dropping the adapter instead of closing it loses nothing.
pub struct DirectoryAdapter {
    store: Arc<Store>,
    /// Whether calls are accepted. Each call holds it for reading until its work has ended, so
    /// nothing runs while it is held for writing.
    open: Arc<RwLock<bool>>,
    /// Held by what takes the directory's lock. While another process has that, one thread of ours
    /// waits for it, and not one for each call, which would leave none for reads.
    turn: Arc<Mutex<()>>,
}

impl DirectoryAdapter {
    /// Opens the store in the directory `path`, or creates it there; the directory that `path` is
    /// in has to exist.
    ///
    /// Blocks the calling thread for file I/O, and while another process writes.
    ///
    /// # Errors
    /// [`Config`](pstate_core::ErrorKind::Config) if the directory cannot be created or written, or
    /// holds something else; [`Unavailable`](pstate_core::ErrorKind::Unavailable) if the disk
    /// fails.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let store = Store::open(path.as_ref()).map_err(|error| error.in_operation("open"))?;
        Ok(Self {
            store: Arc::new(store),
            open: Arc::new(RwLock::new(true)),
            turn: Arc::new(Mutex::new(())),
        })
    }

    /// The file of a record, whether it exists or not. Read it with any program, but do not change
    /// it in place: a read at that moment would see half of the change.
    pub fn path(&self, space: &Space, key: &Key) -> PathBuf {
        self.store.path(space, &FileName::of(key))
    }

    /// Runs `work` on a thread that may block; if a turn is given, when it is this call's turn.
    ///
    /// A task of its own waits. So a future that is dropped, or not polled for a while, keeps no
    /// other call waiting: its work gets its turn, runs to its end and makes room.
    async fn run<T: Send + 'static>(
        &self,
        turn: Option<&Arc<Mutex<()>>>,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (store, open, turn) = (Arc::clone(&self.store), Arc::clone(&self.open), turn.cloned());
        let task = tokio::spawn(async move {
            let open = open.read_owned().await;
            if !*open {
                return Err(Error::store_closed());
            }
            let turn = match turn {
                Some(turn) => Some(turn.lock_owned().await),
                None => None,
            };
            let working = spawn_blocking(move || {
                let result = work(&store);
                drop((turn, open));
                result
            });
            working.await.map_err(stopped)?
        });
        task.await.map_err(stopped)?
    }
}

#[async_trait]
impl Adapter for DirectoryAdapter {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let (owned_space, keys) = (space.clone(), keys.to_vec());
        let records = self.run(None, move |store| store.multi_get(&owned_space, &keys)).await;
        records.map_err(|error| error.in_operation("multi_get").in_space(space))
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let (owned_space, batch) = (space.clone(), batch.clone());
        let turn = Some(&self.turn);
        let outcomes = self.run(turn, move |store| store.write(&owned_space, &batch)).await;
        outcomes.map_err(|error| error.in_operation("write").in_space(space))
    }

    /// Only the names are read in turn, so that a long page keeps no writer waiting.
    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let located = |error: Error| error.in_operation("scan").in_space(space);
        let (owned_space, scan) = (space.clone(), scan.clone());
        let turn = Some(&self.turn);
        let listing = self.run(turn, move |store| store.list(&owned_space, &scan)).await;
        let listing = listing.map_err(located)?;
        let owned_space = space.clone();
        let page = self.run(None, move |store| store.page(&owned_space, listing)).await;
        page.map_err(located)
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        let spaces = self.run(Some(&self.turn), Store::spaces).await;
        spaces.map_err(|error| error.in_operation("spaces"))
    }

    /// Waits for nothing: acknowledged writes are on the disk.
    async fn flush(&self) -> Result<()> {
        self.run(None, |_| Ok(())).await.map_err(|error| error.in_operation("flush"))
    }

    /// Waits for running calls. It releases nothing: files are open only during a call.
    async fn close(&self) -> Result<()> {
        let open = Arc::clone(&self.open);
        // A task, because a future that waits here unpolled would keep all later calls waiting.
        let closing = tokio::spawn(async move { *open.write().await = false });
        closing.await.map_err(stopped).map_err(|error| error.in_operation("close"))
    }
}

impl fmt::Debug for DirectoryAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryAdapter").field("path", &self.store.root).finish_non_exhaustive()
    }
}
