//! The adapter.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Atomicity, Batch, Capabilities, CountVersions, ErrorKind, Extensions, Key, Outcome,
    Page, Record, Result, Scan, Space, VersionCounts,
};
use tokio::task::spawn_blocking;

use crate::changes::{Commits, Feed};
use crate::config::{SqliteConfig, TableLayout};
use crate::connection::Database;
use crate::error::During;
use crate::multi_get::multi_get;
use crate::readers::{Readers, stopped};
use crate::writer::Writer;
use crate::{backup, scan};

/// A store in one SQLite file.
///
/// Reads run on a pool of connections, writes on one thread that commits what is waiting together.
/// Any number of tasks may use it at once, and other processes may use the file at the same time.
///
/// [`close`](Adapter::close) it when done. If it is dropped instead, what was acknowledged is safe
/// all the same, and its thread ends when it has done what is queued; but nobody waits for that.
pub struct SqliteAdapter {
    // Dropped in this order, so that the connection that writes is the last one: it is the one
    // that can tidy up.
    readers: Arc<Readers>,
    pub(crate) feed: Arc<Feed>,
    writer: Writer,
    database: Arc<Database>,
}

impl SqliteAdapter {
    /// Opens or creates the file at `path` with the default configuration.
    ///
    /// See [`open_with`](Self::open_with).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SqliteConfig::default())
    }

    /// Opens or creates the file at `path`, and the table in it.
    ///
    /// It blocks the calling thread for file I/O, usually for about a millisecond, and for up to
    /// [`busy_timeout`](SqliteConfig::busy_timeout) if another process holds a lock. It starts one
    /// thread. The directory has to exist; SQLite keeps two more files beside the database, whose
    /// names end in `-wal` and `-shm`.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if the configuration is invalid, or the path cannot be used:
    /// no database, another program's, of a newer format, not writable, in memory;
    /// [`Unavailable`](ErrorKind::Unavailable) and retryable if it is locked;
    /// [`Corrupt`](ErrorKind::Corrupt) if it is damaged.
    pub fn open_with(path: impl AsRef<Path>, config: SqliteConfig) -> Result<Self> {
        let open = || {
            let (database, connection) = Database::open(path.as_ref(), config)?;
            let database = Arc::new(database);
            let readers = Readers::open(Arc::clone(&database))?;
            let commits = Arc::new(Commits::default());
            let writer = Writer::start(Arc::clone(&database), connection, Arc::clone(&commits))?;
            let feed = Feed::new(Arc::clone(&database), commits, writer.inquiry());
            Ok(Self { readers, feed: Arc::new(feed), writer, database })
        };
        open().map_err(|error: pstate_core::Error| error.in_operation("open"))
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.database.path
    }

    /// How the table's rows lie in the file. What it was created with, whatever the configuration
    /// says now.
    pub fn layout(&self) -> TableLayout {
        self.database.table.layout
    }

    /// Copies everything that is committed now into the new file `target`, while reads and writes
    /// go on.
    ///
    /// The result is a complete database, to be opened as it is or through
    /// [`restore`](Self::restore). It gets its name when it is complete. While it is made, the log
    /// of writes cannot be emptied and grows.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if `target` exists or its directory doesn't.
    ///
    /// # Cancel safety
    /// Dropping the future doesn't stop the copy.
    ///
    /// # Cost
    /// Reads and writes the whole file, on a thread for blocking work.
    pub async fn backup(&self, target: impl AsRef<Path>) -> Result<()> {
        self.readers.check_open()?;
        let database = Arc::clone(&self.database);
        let target = target.as_ref().to_path_buf();
        let done = spawn_blocking(move || backup::back_up(&database, &target)).await;
        done.map_err(stopped).flatten().map_err(|error| error.in_operation("backup"))
    }

    /// Makes the new database file `target` from a file that [`backup`](Self::backup) has written.
    ///
    /// The copy is checked for integrity before it gets its name. `target` must not be there: to
    /// replace a database, close it and move it away first, with its `-wal` and `-shm`.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if `backup` is no database of this crate or is in use, or
    /// `target` exists; [`Corrupt`](ErrorKind::Corrupt) if the backup is damaged.
    ///
    /// # Cancel safety
    /// Dropping the future doesn't stop the copy.
    ///
    /// # Cost
    /// Reads the file twice and writes it once, on a thread for blocking work.
    pub async fn restore(backup: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<()> {
        let backup = backup.as_ref().to_path_buf();
        let target = target.as_ref().to_path_buf();
        let done = spawn_blocking(move || backup::restore(&backup, &target)).await;
        done.map_err(stopped).flatten().map_err(|error| error.in_operation("restore"))
    }

    /// What SQLite finds wrong with the file; empty if it is sound.
    ///
    /// # Cancel safety
    /// Dropping the future doesn't stop the check, which changes nothing.
    ///
    /// # Cost
    /// Reads the whole file, on a thread for blocking work.
    pub async fn integrity_check(&self) -> Result<Vec<String>> {
        self.readers.check_open()?;
        let database = Arc::clone(&self.database);
        let done = spawn_blocking(move || {
            let connection = database.open_reader()?;
            connection
                .busy_timeout(database.config.busy_timeout)
                .and_then(|()| backup::check(&connection))
                .map_err(|error| database.error(error, During::Unchanged))
        });
        match done.await.map_err(stopped).flatten() {
            // So damaged that the check itself could not go on.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(vec![error.to_string()]),
            done => done.map_err(|error| error.in_operation("integrity_check")),
        }
    }

    /// Lets SQLite refresh the statistics that it plans queries with. Done by itself with each
    /// periodic checkpoint.
    ///
    /// # Cancel safety
    /// Dropping the future doesn't stop it; what is stored is not affected.
    pub async fn optimize(&self) -> Result<()> {
        self.readers.check_open()?;
        self.writer.optimize().await.map_err(|error| error.in_operation("optimize"))
    }

    /// Moves the log of writes into the main file and empties it. Done by itself every
    /// [`checkpoint_interval`](SqliteConfig::checkpoint_interval).
    ///
    /// With [`Synchronous::Normal`](crate::Synchronous::Normal), everything acknowledged before
    /// survives a power cut afterwards.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) and retryable if readers were in the way for longer
    /// than the busy timeout. Writes wait meanwhile.
    ///
    /// # Cancel safety
    /// Dropping the future doesn't stop it; what is stored is not affected.
    pub async fn checkpoint(&self) -> Result<()> {
        self.readers.check_open()?;
        self.writer.checkpoint().await.map_err(|error| error.in_operation("checkpoint"))
    }
}

impl fmt::Debug for SqliteAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteAdapter")
            .field("path", &self.database.path)
            .field("table", &self.database.config.table)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Adapter for SqliteAdapter {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn capabilities(&self) -> Capabilities {
        let config = &self.database.config;
        Capabilities::new(Atomicity::Batch, config.synchronous.durability())
            .max_value_len(config.max_value_len)
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().count_versions(self).change_feed(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let records = multi_get(&self.readers, space, keys).await;
        records.map_err(|error| error.in_operation("multi_get").in_space(space))
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let located = |error: pstate_core::Error| error.in_operation("write").in_space(space);
        self.readers.check_open().map_err(located)?;
        batch.check(&self.capabilities()).map_err(located)?;
        if batch.writes.is_empty() {
            return Ok(Vec::new());
        }
        self.writer.write(space.clone(), batch.clone()).await.map_err(located)
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let (owned_space, owned_scan) = (space.clone(), scan.clone());
        let page = self
            .readers
            .run_blocking(move |connection, table| {
                scan::page(connection, table, &owned_space, &owned_scan)
            })
            .await;
        page.map_err(|error| error.in_operation("scan").in_space(space))
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        let spaces = self.readers.run_blocking(scan::spaces).await;
        spaces.map_err(|error| error.in_operation("spaces"))
    }

    /// Has nothing to wait for: what is acknowledged has got as far as
    /// [`Synchronous`](crate::Synchronous) promises.
    async fn flush(&self) -> Result<()> {
        self.readers.check_open().map_err(|error| error.in_operation("flush"))
    }

    async fn close(&self) -> Result<()> {
        self.readers.close().await;
        self.feed.close().await;
        self.writer.close().await;
        Ok(())
    }
}

/// Reads the beginnings of the values, on a thread for blocking work; hands nothing out.
#[async_trait]
impl CountVersions for SqliteAdapter {
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        let owned = space.clone();
        let counts = self
            .readers
            .run_blocking(move |connection, table| scan::count_versions(connection, table, &owned))
            .await;
        counts.map_err(|error| error.in_operation("count_versions").in_space(space))
    }
}
