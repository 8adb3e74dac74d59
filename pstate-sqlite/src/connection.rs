//! Opening connections.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, OpenFlags, Result as SqlResult};

use crate::config::SqliteConfig;
use crate::error::{During, from_sqlite, is_busy};
use crate::format::{Header, Owner, check_library};
use crate::table::{self, Table};

/// A file with our table in it, and how connections to it are opened.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) path: PathBuf,
    pub(crate) config: SqliteConfig,
    pub(crate) table: Table,
}

impl Database {
    /// Opens the file, creating what is missing, and returns the connection that may write.
    pub(crate) fn open(path: &Path, config: SqliteConfig) -> Result<(Self, Connection)> {
        check_library(rusqlite::version_number())?;
        config.validate()?;
        let path = checked_path(path)?;
        let fail = |error| from_sqlite(error, &path, config.busy_timeout, During::Open);

        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(fail)?;
        connection.busy_timeout(config.busy_timeout).map_err(fail)?;
        // Before anything is changed, PRAGMAs included: it might be another program's file.
        let owner =
            Header::read(&connection).map_err(fail)?.owner(&path, config.shared_database)?;
        if connection.is_readonly(rusqlite::MAIN_DB).map_err(fail)? {
            let message = format!("{} is read-only; it has to be writable", path.display());
            return Err(Error::new(ErrorKind::Config, message));
        }
        let synchronous = config.synchronous.as_pragma();
        set_pragma(&connection, "synchronous", synchronous).map_err(fail)?;
        tune(&connection, &config, &path)?;
        enter_wal_mode(&connection, &config, &path)?;
        let table = match Table::find(&connection, &config.table).map_err(fail)? {
            Some(table) if owner != Owner::Nobody => table?,
            _ => create(&connection, &config, &path)?,
        };
        Ok((Self { path, config, table }, connection))
    }

    /// Opens a connection that can only read. It does not wait for locks.
    pub(crate) fn open_reader(&self) -> Result<Connection> {
        let fail = |error| self.error(error, During::Unchanged);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(fail)?;
        connection.busy_timeout(self.config.busy_timeout).map_err(fail)?;
        set_pragma(&connection, "query_only", "on").map_err(fail)?;
        tune(&connection, &self.config, &self.path)?;
        // Reads the schema, so that the first read in a task has no more to do than the next.
        connection.prepare_cached(&self.table.get).map_err(fail)?;
        connection.busy_timeout(Duration::ZERO).map_err(fail)?;
        Ok(connection)
    }

    pub(crate) fn error(&self, error: rusqlite::Error, during: During) -> Error {
        from_sqlite(error, &self.path, self.config.busy_timeout, during)
    }
}

/// The path made absolute, so that connections opened later find the same file although the
/// working directory has changed.
pub(crate) fn checked_path(path: &Path) -> Result<PathBuf> {
    let refuse = |why: String| Err(Error::new(ErrorKind::Config, why));
    let text = path.to_string_lossy();
    if text.is_empty() || text.starts_with(":memory:") {
        return refuse(format!(
            "the path {text:?} means a database in memory, of which each connection would have \
             its own; use the memory adapter"
        ));
    }
    if text.starts_with("file:") {
        return refuse(format!("{text} is a URI; give the path of the file"));
    }
    std::path::absolute(path)
        .map_err(|error| Error::new(ErrorKind::Config, format!("the path {text}")).caused_by(error))
}

/// What every connection gets.
fn tune(connection: &Connection, config: &SqliteConfig, path: &Path) -> Result<()> {
    let fail = |error| from_sqlite(error, path, config.busy_timeout, During::Open);
    // A negative number is an amount of KiB, a positive one of pages.
    let cache_size = format!("-{}", config.cache_size.div_ceil(1024));
    set_pragma(connection, "cache_size", &cache_size).map_err(fail)?;
    set_pragma(connection, "mmap_size", &config.mmap_size.to_string()).map_err(fail)?;
    for (name, value) in &config.pragmas {
        let known: bool = connection
            .query_row(
                "SELECT count(*) > 0 FROM pragma_pragma_list WHERE name = lower(?1)",
                [name],
                |row| row.get(0),
            )
            .map_err(fail)?;
        if !known {
            let message = format!("PRAGMA {name}: SQLite does not know it");
            return Err(Error::new(ErrorKind::Config, message));
        }
        set_pragma(connection, name, value).map_err(|error| {
            Error::new(ErrorKind::Config, format!("PRAGMA {name}")).caused_by(error)
        })?;
    }
    Ok(())
}

fn set_pragma(connection: &Connection, name: &str, value: &str) -> SqlResult<()> {
    let quoted = value.replace('\'', "''");
    let mut statement = connection.prepare(&format!("PRAGMA {name} = '{quoted}'"))?;
    // Some answer with rows, and have done their work only when all are read.
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn enter_wal_mode(connection: &Connection, config: &SqliteConfig, path: &Path) -> Result<()> {
    let fail = |error| from_sqlite(error, path, config.busy_timeout, During::Open);
    let mode: String = retry_busy(config.busy_timeout, || {
        connection.query_row("PRAGMA journal_mode = wal", [], |row| row.get(0))
    })
    .map_err(fail)?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "{} cannot be used in WAL mode (journal_mode stayed {mode:?}); it has to be on a local \
             file system",
            path.display()
        ),
    ))
}

/// Where two connections want to turn their read lock into a write lock, SQLite fails one of them
/// at once, whatever the busy timeout is.
fn retry_busy<T>(timeout: Duration, mut step: impl FnMut() -> SqlResult<T>) -> SqlResult<T> {
    let begin = Instant::now();
    loop {
        match step() {
            Err(error) if is_busy(&error) && begin.elapsed() < timeout => {
                thread::sleep(Duration::from_millis(2));
            }
            done => return done,
        }
    }
}

/// Creates the table, unless another process has meanwhile, and claims a file that is nobody's.
fn create(connection: &Connection, config: &SqliteConfig, path: &Path) -> Result<Table> {
    let fail = |error| from_sqlite(error, path, config.busy_timeout, During::Open);
    connection.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
    let created = create_in_transaction(connection, config, path);
    let end = if created.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.execute_batch(end).map_err(fail);
    let table = created?;
    ended.map(|()| table)
}

fn create_in_transaction(
    connection: &Connection,
    config: &SqliteConfig,
    path: &Path,
) -> Result<Table> {
    let fail = |error| from_sqlite(error, path, config.busy_timeout, During::Open);
    let owner = Header::read(connection).map_err(fail)?.owner(path, config.shared_database)?;
    if let Some(table) = Table::find(connection, &config.table).map_err(fail)? {
        return table;
    }
    connection.execute_batch(&table::create(&config.table, config.layout)).map_err(fail)?;
    if owner == Owner::Nobody {
        Header::claim(connection).map_err(fail)?;
    }
    Ok(Table::new(&config.table, config.layout))
}
