//! The adapter.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, BatchMode, Capabilities, ChangeFeed, ChangeSubscription, CountVersions,
    ErrorKind, Extensions, GroupWriter, Key, Maintenance, Outcome, Page, Record, Result, Scan,
    Space, VersionCounts, Write,
};

use crate::backup;
use crate::config::{Flush, SledConfig};
use crate::multi_get::multi_get;
use crate::scan;
use crate::store::{Caller, Store};
use crate::writer::{self, Command, Transaction};

/// How many writes, and bytes of values, are stored in place: about 0.1 ms.
const WRITES_IN_PLACE: usize = 16;
const BYTES_IN_PLACE: usize = 64 * 1024;

/// How many writes that stand for themselves are queued at once, and how many bytes of values close
/// such a portion: a few milliseconds.
const WRITES_QUEUED: usize = 1024;
const BYTES_QUEUED: usize = 1 << 20;

/// A store in one directory of sled's.
///
/// Reads run in place. Writes run on one thread, which stores and flushes what is queued together.
/// Any number of tasks may use it at once; it is the only handle to its directory.
///
/// [`close`](Adapter::close) it when done. If it is dropped instead, its thread does what is
/// queued, flushes and ends, but nothing waits for that.
pub struct SledAdapter {
    store: Arc<Store>,
    writer: GroupWriter<Command>,
}

impl SledAdapter {
    /// Opens or creates the directory at `path` with the default configuration.
    ///
    /// See [`open_with`](Self::open_with).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SledConfig::default())
    }

    /// Opens or creates the directory at `path`.
    ///
    /// Blocks the calling thread for file I/O: some milliseconds, more if sled has to read a long
    /// log after a crash, and up to [`busy_timeout`](SledConfig::busy_timeout) if the store is open
    /// already. Starts one thread, and sled starts some for the whole process. The directory above
    /// has to exist.
    ///
    /// # Errors
    /// [`Config`](pstate_core::ErrorKind::Config) if the configuration is invalid, or the path
    /// cannot be used: no directory, not sled's, another program's, of a newer format or another
    /// version of sled, not writable; [`Unavailable`](pstate_core::ErrorKind::Unavailable) and
    /// retryable if it is open already, in this process or another;
    /// [`Corrupt`](pstate_core::ErrorKind::Corrupt) if it is damaged.
    pub fn open_with(path: impl AsRef<Path>, config: SledConfig) -> Result<Self> {
        let open = || {
            let store = Arc::new(Store::open(path.as_ref(), config)?);
            let writer = writer::start(&store)?;
            Ok(Self { store, writer })
        };
        open().map_err(|error: pstate_core::Error| error.in_operation("open"))
    }

    /// Opens the store of a URL, as `sled:app?flush=100ms`, whose options are those of
    /// [`SledConfig::from_url`]. See [`open_with`](Self::open_with).
    ///
    /// # Errors
    /// Also [`Config`](pstate_core::ErrorKind::Config) if the URL is malformed, or has an unknown
    /// option.
    pub fn open_url(url: &str) -> Result<Self> {
        let (path, config) =
            SledConfig::from_url(url).map_err(|error| error.in_operation("open"))?;
        Self::open_with(path, config)
    }

    /// The directory, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.store.path
    }

    /// Stores writes that stand for themselves. Others have their turn between two portions, and
    /// nothing is queued while the caller does not poll.
    async fn write_in_portions(&self, space: &Space, writes: &[Write]) -> Result<Vec<Outcome>> {
        let (mut rest, mut outcomes) = (writes, Vec::with_capacity(writes.len()));
        while !rest.is_empty() {
            let (portion, later) = rest.split_at(first_portion(rest));
            // An error leaves open what is stored, of the portions before as well.
            let written = self.writer.write(space.clone(), Batch::each(portion.to_vec())).await?;
            outcomes.extend(written);
            rest = later;
        }
        Ok(outcomes)
    }

    /// Stores a small batch in place. `None` if that would wait for the disk or for others.
    fn write_in_place(&self, space: &Space, batch: &Batch) -> Option<Result<Vec<Outcome>>> {
        let store = &*self.store;
        let small = batch.writes.len() <= WRITES_IN_PLACE && batch.value_bytes() <= BYTES_IN_PLACE;
        if store.config.flush == Flush::EveryWrite || !small {
            return None;
        }
        store.try_write(|tree| {
            let mut transaction = Transaction::new(store, tree);
            let outcomes = transaction.add(space, batch.mode, &batch.writes)?;
            let stored = transaction.store();
            let known = if stored.is_ok() { &outcomes[..] } else { &[] };
            store.changes.publish(space, &batch.writes, known);
            stored.map(|()| outcomes)
        })
    }
}

/// The first writes that are queued together.
fn first_portion(writes: &[Write]) -> usize {
    let mut bytes = 0_usize;
    let full = writes.iter().take(WRITES_QUEUED).position(|write| {
        bytes += write.value_len();
        bytes >= BYTES_QUEUED
    });
    full.map_or(writes.len().min(WRITES_QUEUED), |last| last + 1)
}

impl fmt::Debug for SledAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledAdapter").field("path", &self.store.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Adapter for SledAdapter {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().count_versions(self).change_feed(self).maintenance(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let records = multi_get(&self.store, space, keys).await;
        records.map_err(|error| error.in_operation("multi_get").in_space(space))
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let located = |error: pstate_core::Error| error.in_operation("write").in_space(space);
        self.writer.check_open().map_err(located)?;
        batch.check(&self.capabilities()).map_err(located)?;
        if batch.writes.is_empty() {
            return Ok(Vec::new());
        }
        let written = match self.write_in_place(space, batch) {
            Some(written) => written,
            None if batch.mode == BatchMode::Atomic => {
                self.writer.write(space.clone(), batch.clone()).await
            }
            None => self.write_in_portions(space, &batch.writes).await,
        };
        written.map_err(located)
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let (owned_space, owned_scan) = (space.clone(), scan.clone());
        let page = self
            .store
            .run_blocking(move |store, caller| scan::page(store, caller, &owned_space, &owned_scan))
            .await;
        page.map_err(|error| error.in_operation("scan").in_space(space))
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        let spaces = self.store.run_blocking(scan::spaces).await;
        spaces.map_err(|error| error.in_operation("spaces"))
    }

    /// Waits until acknowledged writes have left the process, whatever [`Flush`] says.
    async fn flush(&self) -> Result<()> {
        self.writer.call(Command::Flush).await.map_err(|error| error.in_operation("flush"))
    }

    /// Fails if the last writes could not be flushed, or the end of the log not be marked. Then the
    /// store is closed, too.
    async fn close(&self) -> Result<()> {
        self.writer.close().await;
        let failed = self.store.take_close_error();
        failed.map_or(Ok(()), |error| Err(error.in_operation("close")))
    }
}

/// Reads the values where they are, on a thread for blocking work.
/// No other handle can write, so the hub has all changes.
#[async_trait]
impl ChangeFeed for SledAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        self.writer.check_open().map_err(|error| error.in_operation("subscribe"))?;
        Ok(Box::new(self.store.changes.subscribe()))
    }
}

#[async_trait]
impl CountVersions for SledAdapter {
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        let owned = space.clone();
        let count =
            move |store: &Store, caller: &Caller| scan::count_versions(store, caller, &owned);
        let counts = self.store.run_blocking(count).await;
        counts.map_err(|error| error.in_operation("count_versions").in_space(space))
    }
}

/// Writes wait while a backup is made. A check reads every record, and finds what sled cannot read.
/// A checkpoint is a flush. Compaction is not supported: sled reclaims space by itself.
#[async_trait]
impl Maintenance for SledAdapter {
    async fn backup(&self, target: &Path) -> Result<()> {
        let target = target.to_path_buf();
        let done = self.store.run_blocking(move |store, _| backup::back_up(store, &target)).await;
        done.map_err(|error| error.in_operation("backup"))
    }

    async fn verify(&self) -> Result<Vec<String>> {
        match self.store.run_blocking(|store, _| backup::check(store)).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(vec![error.to_string()]),
            checked => checked.map(|()| Vec::new()).map_err(|error| error.in_operation("verify")),
        }
    }

    async fn checkpoint(&self) -> Result<()> {
        self.writer.call(Command::Flush).await.map_err(|error| error.in_operation("checkpoint"))
    }
}
