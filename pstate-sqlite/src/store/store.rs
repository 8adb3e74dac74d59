//! Opening the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pstate_core::{Atomicity, Capabilities, Error, ErrorKind, Result};
use rusqlite::{Connection, OpenFlags};

use super::connection::{checked_path, enter_wal_mode, set_pragma, tune};
use super::opened_file::{FileId, OpenedFile, refuse_hard_links};
use crate::config::SqliteConfig;
use crate::error::{Phase, from_sqlite};
use crate::layout::{Header, Owner, Table, add_has_revision, check_library, create_table};

/// A file with our table in it, and how connections to it are opened.
#[derive(Debug)]
pub(crate) struct Store {
    /// What the program gave, made absolute.
    pub(crate) path: PathBuf,
    pub(crate) file: OpenedFile,
    pub(crate) config: SqliteConfig,
    pub(crate) table: Table,
}

impl Store {
    /// Opens the file, creates what is missing, and returns the connection that may write.
    pub(crate) fn open(path: &Path, config: SqliteConfig) -> Result<(Self, Connection)> {
        check_library(rusqlite::version_number())?;
        config.validate()?;
        let path = checked_path(path)?;
        let fail = |error| from_sqlite(error, &path, config.busy_timeout, Phase::Open);

        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, config.create);
        refuse_hard_links(&path)?;
        let before = FileId::at(&path);
        let connection = Connection::open_with_flags(&path, flags).map_err(fail)?;
        let mut file = OpenedFile::new(&path, before)?;
        connection.busy_timeout(config.busy_timeout).map_err(fail)?;
        // Before anything changes, PRAGMAs included: the file might be another program's.
        let owner =
            Header::read(&connection).map_err(fail)?.owner(&path, config.shared_database)?;
        if connection.is_readonly(rusqlite::MAIN_DB).map_err(fail)? {
            let message = format!(
                "{} is read-only for this user; change its permissions, or choose another path",
                path.display()
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let synchronous = config.synchronous.as_pragma();
        set_pragma(&connection, "synchronous", synchronous).map_err(fail)?;
        tune(&connection, &config, &path, true)?;
        enter_wal_mode(&connection, &config, &path)?;
        let table = match Table::find(&connection, &config.table).map_err(fail)? {
            Some(table) if owner != Owner::Unclaimed => table?,
            _ => create(&connection, &config, &path)?,
        };
        file.note_log();
        add_has_revision(&connection).map_err(fail)?;
        Ok((Self { path, file, config, table }, connection))
    }

    /// Opens a connection that can only read. It does not wait for locks.
    ///
    /// Fails if the path does not lead to the store's file any more.
    pub(crate) fn open_reader(&self) -> Result<Connection> {
        let fail = |error| self.error(error, Phase::Uncommitted);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.file.real_path(), flags);
        // Afterwards, because the file may be replaced in between. It also explains a failure.
        self.file.check()?;
        let connection = connection.map_err(fail)?;
        connection.busy_timeout(self.config.busy_timeout).map_err(fail)?;
        set_pragma(&connection, "query_only", "on").map_err(fail)?;
        tune(&connection, &self.config, &self.path, false)?;
        // Reads the schema, so that the first read in a task has no more to do than the next.
        connection.prepare_cached(&self.table.get).map_err(fail)?;
        connection.busy_timeout(Duration::ZERO).map_err(fail)?;
        Ok(connection)
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        Capabilities::new(Atomicity::Batch, self.config.synchronous.durability())
            .max_value_len(self.config.max_value_len)
    }

    pub(crate) fn error(&self, error: rusqlite::Error, phase: Phase) -> Error {
        from_sqlite(error, &self.path, self.config.busy_timeout, phase)
    }
}

/// Creates the table, unless another process has meanwhile, and claims a file that is empty.
fn create(connection: &Connection, config: &SqliteConfig, path: &Path) -> Result<Table> {
    let fail = |error| from_sqlite(error, path, config.busy_timeout, Phase::Open);
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
    let fail = |error| from_sqlite(error, path, config.busy_timeout, Phase::Open);
    let owner = Header::read(connection).map_err(fail)?.owner(path, config.shared_database)?;
    if let Some(table) = Table::find(connection, &config.table).map_err(fail)? {
        return table;
    }
    connection.execute_batch(&create_table(&config.table, config.layout)).map_err(fail)?;
    if owner == Owner::Unclaimed {
        Header::claim(connection).map_err(fail)?;
    }
    Ok(Table::new(&config.table, config.layout))
}
