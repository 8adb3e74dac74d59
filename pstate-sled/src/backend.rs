//! The adapter.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Atomicity, Batch, Capabilities, CountVersions, Extensions, Key, Outcome, Page, Record,
    Result, Scan, Space, VersionCounts,
};

use crate::config::{Flush, SledConfig};
use crate::database::Database;
use crate::multi_get::multi_get;
use crate::scan;
use crate::transaction::Transaction;
use crate::writer::{Writer, size};

/// How many writes, and bytes of values, are stored in place: about 0.1 ms.
const PORTION: usize = 16;
const PORTION_BYTES: usize = 64 * 1024;

/// A store in one directory of sled's.
///
/// Reads run in place, writes on one thread that stores and flushes what is waiting together. Any
/// number of tasks may use it at once; it is the only handle to its directory.
///
/// [`close`](Adapter::close) it when done. If it is dropped instead, its thread does what is queued,
/// flushes and ends; but nobody waits for that.
pub struct SledAdapter {
    database: Arc<Database>,
    writer: Writer,
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
    /// It blocks the calling thread for file I/O: some milliseconds, and more if sled has to read a
    /// long log after a crash; and for up to [`busy_timeout`](SledConfig::busy_timeout) if the
    /// store is open already. It starts one thread, and sled starts some for the whole process. The
    /// directory above has to exist.
    ///
    /// # Errors
    /// [`Config`](pstate_core::ErrorKind::Config) if the configuration is invalid, or the path cannot be used: no
    /// directory, not sled's, another program's, of a newer format or another version of sled, not
    /// writable; [`Unavailable`](pstate_core::ErrorKind::Unavailable) and retryable if it is open already, in
    /// this process or another; [`Corrupt`](pstate_core::ErrorKind::Corrupt) if it is damaged.
    pub fn open_with(path: impl AsRef<Path>, config: SledConfig) -> Result<Self> {
        let open = || {
            let database = Arc::new(Database::open(path.as_ref(), config)?);
            let writer = Writer::start(Arc::clone(&database))?;
            Ok(Self { database, writer })
        };
        open().map_err(|error: pstate_core::Error| error.in_operation("open"))
    }

    /// The directory, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.database.path
    }

    /// Stores a small batch here and now, if nothing has to be waited for: `None` if it has.
    fn write_in_place(&self, space: &Space, batch: &Batch) -> Option<Result<Vec<Outcome>>> {
        let database = &*self.database;
        let small = batch.writes.len() <= PORTION && size(batch) <= PORTION_BYTES;
        if database.config.flush == Flush::EveryWrite || !small {
            return None;
        }
        database.try_write(|tree| {
            let mut transaction = Transaction::new(database, tree);
            let outcomes = transaction.add(space, batch)?;
            let stored = transaction.store();
            let known = if stored.is_ok() { &outcomes[..] } else { &[] };
            database.changes.publish(space, &batch.writes, known);
            stored.map(|()| outcomes)
        })
    }
}

impl fmt::Debug for SledAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledAdapter").field("path", &self.database.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Adapter for SledAdapter {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn capabilities(&self) -> Capabilities {
        let config = &self.database.config;
        // Gathering reads takes about as long as a look-up.
        Capabilities::new(Atomicity::Batch, config.flush.durability())
            .max_value_len(config.max_value_len)
            .batch_reads(false)
    }

    fn extensions(&self) -> Extensions<'_> {
        // Nobody else can write.
        Extensions::none().count_versions(self).change_feed(&self.database.changes)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let records = multi_get(&self.database, space, keys).await;
        records.map_err(|error| error.in_operation("multi_get").in_space(space))
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let located = |error: pstate_core::Error| error.in_operation("write").in_space(space);
        self.database.check_open().map_err(located)?;
        batch.check(&self.capabilities()).map_err(located)?;
        if batch.writes.is_empty() {
            return Ok(Vec::new());
        }
        let written = match self.write_in_place(space, batch) {
            Some(written) => written,
            None => self.writer.write(space.clone(), batch.clone()).await,
        };
        written.map_err(located)
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let (owned_space, owned_scan) = (space.clone(), scan.clone());
        let page = self
            .database
            .run_blocking(move |database| scan::page(database, &owned_space, &owned_scan))
            .await;
        page.map_err(|error| error.in_operation("scan").in_space(space))
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        let spaces = self.database.run_blocking(scan::spaces).await;
        spaces.map_err(|error| error.in_operation("spaces"))
    }

    /// Waits until what was acknowledged has left the process, whatever [`Flush`] says.
    async fn flush(&self) -> Result<()> {
        let flushed = match self.database.check_open() {
            Ok(()) => self.writer.flush().await,
            closed => closed,
        };
        flushed.map_err(|error| error.in_operation("flush"))
    }

    async fn close(&self) -> Result<()> {
        self.database.begin_to_close();
        self.writer.close().await;
        Ok(())
    }
}

/// Reads the beginnings of the values, on a thread for blocking work; hands nothing out.
#[async_trait]
impl CountVersions for SledAdapter {
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        let owned = space.clone();
        let counts = self
            .database
            .run_blocking(move |database| scan::count_versions(database, &owned))
            .await;
        counts.map_err(|error| error.in_operation("count_versions").in_space(space))
    }
}
