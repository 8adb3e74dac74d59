//! The adapter.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, Capabilities, ChangeFeed, ChangeSubscription, CountVersions, ErrorKind,
    Extensions, GroupWriter, Key, Maintenance, Outcome, Page, ReadMode, Record, Reply, Result,
    Scan, Space, VersionCounts,
};
use tokio::task::spawn_blocking;

use crate::changes::Feed;
use crate::config::{SqliteConfig, TableLayout};
use crate::error::Phase;
use crate::multi_get::multi_get;
use crate::store::{Readers, Store, stopped};
use crate::writer::{self, Command, Commits, Demand};
use crate::{backup, scan};

/// A store in one SQLite file.
///
/// Reads run on a pool of connections. Writes run on one thread, which commits what is queued
/// together. Any number of tasks may use it at once, and other processes may use the file
/// meanwhile.
///
/// The file has to keep its path while it is open. Once the path leads elsewhere, because the file
/// or its log was moved, deleted or replaced, or a symbolic link on the way was changed, nothing
/// more is acknowledged, and every call fails as [`Unavailable`](ErrorKind::Unavailable): writes
/// from the next one on, reads within 100 ms. A write that meets the change is not retryable, its
/// effect unknown. The store stays like that until it is closed.
///
/// [`close`](Adapter::close) it when done. If it is dropped instead, acknowledged writes are safe
/// all the same, and its thread ends when it has done what is queued, but nothing waits for that.
pub struct SqliteAdapter {
    // Dropped in this order, so that the connection that writes closes last: only that one can
    // empty the log.
    readers: Arc<Readers>,
    feed: Arc<Feed>,
    writer: GroupWriter<Command>,
    demand: Arc<Demand>,
    store: Arc<Store>,
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
    /// Blocks the calling thread for file I/O, usually for about a millisecond, and for up to
    /// [`busy_timeout`](SqliteConfig::busy_timeout) if another process holds a lock. Starts one
    /// thread. The directory has to exist. SQLite keeps two more files beside the database, whose
    /// names end in `-wal` and `-shm`.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if the configuration is invalid, or the path cannot be used:
    /// empty, no database, another program's, of a newer format, not writable, in memory, a file
    /// with hard links; [`Unavailable`](ErrorKind::Unavailable) and retryable if it is locked;
    /// [`Corrupt`](ErrorKind::Corrupt) if it is damaged.
    pub fn open_with(path: impl AsRef<Path>, config: SqliteConfig) -> Result<Self> {
        let open = || {
            let (store, connection) = Store::open(path.as_ref(), config)?;
            let store = Arc::new(store);
            let readers = Readers::open(Arc::clone(&store))?;
            let commits = Arc::new(Commits::default());
            let demand = Arc::new(Demand::default());
            let writer = writer::start(&store, connection, &commits, &demand)?;
            let feed = Feed::new(Arc::clone(&store), commits, writer.client());
            Ok(Self { readers, feed: Arc::new(feed), writer, demand, store })
        };
        open().map_err(|error: pstate_core::Error| error.in_operation("open"))
    }

    /// Opens the store of a URL, as `sqlite:app.db?synchronous=normal`, whose options are those of
    /// [`SqliteConfig::from_url`]. See [`open_with`](Self::open_with).
    ///
    /// # Errors
    /// Also [`Config`](ErrorKind::Config) if the URL is malformed, or has an unknown option.
    pub fn open_url(url: &str) -> Result<Self> {
        let (path, config) =
            SqliteConfig::from_url(url).map_err(|error| error.in_operation("open"))?;
        Self::open_with(path, config)
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.store.path
    }

    /// How the table's rows lie in the file: as it was created, whatever the configuration says
    /// now.
    pub fn layout(&self) -> TableLayout {
        self.store.table.layout
    }

    /// Copies everything that is committed now into the new file `target`. Reads and writes
    /// continue meanwhile.
    ///
    /// The result is a complete database, which can be opened as it is or through
    /// [`restore`](Self::restore). It gets its name when it is complete. During the copy, the log
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
        let store = Arc::clone(&self.store);
        let target = target.as_ref().to_path_buf();
        let done = spawn_blocking(move || backup::back_up(&store, &target)).await;
        done.map_err(stopped).flatten().map_err(|error| error.in_operation("backup"))
    }

    /// Makes the new database file `target` from a file that [`backup`](Self::backup) has written,
    /// or from any other database of this crate, with everything that is committed in it. `backup`
    /// may be a symbolic link, and in use.
    ///
    /// Checks the copy's integrity before it gets its name. `target` must not exist: to replace a
    /// database, close it and move it away first, with its `-wal` and `-shm`.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if `backup` is no database of this crate or has hard links, or
    /// `target` exists; [`Corrupt`](ErrorKind::Corrupt) if the backup is damaged;
    /// [`Unavailable`](ErrorKind::Unavailable) and retryable if another program has locked it for
    /// 5 s.
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

    /// What SQLite finds wrong with the file. Empty if it is sound.
    ///
    /// # Cancel safety
    /// Dropping the future doesn't stop the check, which changes nothing.
    ///
    /// # Cost
    /// Reads the whole file, on a thread for blocking work.
    pub async fn integrity_check(&self) -> Result<Vec<String>> {
        self.readers.check_open()?;
        let store = Arc::clone(&self.store);
        let done = spawn_blocking(move || {
            let connection = store.open_reader()?;
            connection
                .busy_timeout(store.config.busy_timeout)
                .and_then(|()| backup::check(&connection))
                .map_err(|error| store.error(error, Phase::Uncommitted))
        });
        match done.await.map_err(stopped).flatten() {
            // So damaged that the check itself fails.
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(vec![error.to_string()]),
            done => done.map_err(|error| error.in_operation("integrity_check")),
        }
    }

    /// Lets SQLite refresh the statistics that it plans queries with. Each periodic checkpoint does
    /// so by itself.
    ///
    /// # Cancel safety
    /// Dropping the future doesn't stop it; what is stored is not affected.
    pub async fn optimize(&self) -> Result<()> {
        self.readers.check_open()?;
        self.writer.call(Command::Optimize).await.map_err(|error| error.in_operation("optimize"))
    }

    /// Makes the file as small as its records allow, refreshes the statistics that SQLite plans
    /// with, and empties the log of writes.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) in a database that belongs to another program, whose
    /// rows it might number differently; [`Unavailable`](ErrorKind::Unavailable) and retryable if
    /// the disk is full, or another process or a reader was in the way for longer than the busy
    /// timeout.
    ///
    /// # Cancel safety
    /// Dropping the future doesn't stop it; what is stored is not affected.
    ///
    /// # Cost
    /// Reads and writes the whole file, and needs as much space again meanwhile. Writes wait.
    pub async fn compact(&self) -> Result<()> {
        self.readers.check_open()?;
        self.writer.call(Command::Compact).await.map_err(|error| error.in_operation("compact"))
    }

    /// Moves the log of writes into the main file and empties it. It happens by itself every
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
        self.writer
            .call(Command::Checkpoint)
            .await
            .map_err(|error| error.in_operation("checkpoint"))
    }
}

impl fmt::Debug for SqliteAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteAdapter")
            .field("path", &self.store.path)
            .field("table", &self.store.config.table)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Adapter for SqliteAdapter {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().count_versions(self).change_feed(self).maintenance(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        if self.store.config.read_mode == ReadMode::InPlace && self.demand.count() {
            // Nothing waits for it.
            drop(self.writer.call(|_: Reply<()>| Command::Hold));
        }
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

    /// Waits for nothing: acknowledged writes are as durable as [`Synchronous`](crate::Synchronous)
    /// promises.
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

/// Commits of this adapter are reported by key; those of others in the file as
/// [`Changes::Everything`](pstate_core::Changes::Everything).
///
/// With [`ReadMode::InPlace`](crate::ReadMode::InPlace), `changes` looks in the task that asks: at
/// shared memory, and after a commit at one page. That takes 2 µs if there was no commit, a little
/// less than a read, and 30 to 45 µs if there was: it then waits for its turn in the writer thread,
/// behind the queued writes. [`ReadMode::Blocking`](crate::ReadMode::Blocking) adds 25 µs. `wait`
/// waits for ever. All subscriptions together cost one more connection.
#[async_trait]
impl ChangeFeed for SqliteAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        self.feed.subscribe().await.map_err(|error| error.in_operation("subscribe"))
    }
}

/// Reads the values where they are, on a thread for blocking work.
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

/// Each method is the one of that name here; [`verify`](Maintenance::verify) is
/// [`integrity_check`](SqliteAdapter::integrity_check).
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Maintenance for SqliteAdapter {
    async fn backup(&self, target: &Path) -> Result<()> {
        SqliteAdapter::backup(self, target).await
    }

    async fn verify(&self) -> Result<Vec<String>> {
        self.integrity_check().await
    }

    async fn compact(&self) -> Result<()> {
        SqliteAdapter::compact(self).await
    }

    async fn checkpoint(&self) -> Result<()> {
        SqliteAdapter::checkpoint(self).await
    }
}
