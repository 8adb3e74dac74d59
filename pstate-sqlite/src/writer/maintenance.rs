//! Keeping the file small and fast.

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, Result as SqlResult};

use crate::error::Phase;
use crate::layout::{Header, Owner};
use crate::store::Store;

/// Moves the log into the main file and empties it. Waits for readers up to the busy timeout.
pub(super) fn checkpoint(connection: &Connection, store: &Store) -> Result<()> {
    match truncate_log(connection) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!(
                "{}: readers were in the way of emptying the log (waited {:?})",
                store.path.display(),
                store.config.busy_timeout
            );
            Err(Error::new(ErrorKind::Unavailable, message).retryable())
        }
        Err(error) => Err(store.error(error, Phase::Uncommitted)),
    }
}

/// Lets SQLite refresh the statistics that it plans with, if it deems that worthwhile.
pub(super) fn optimize(connection: &Connection, store: &Store) -> Result<()> {
    connection
        .execute_batch("PRAGMA optimize")
        .map_err(|error| store.error(error, Phase::Uncommitted))
}

/// Rewrites the file without the pages that nothing uses.
pub(super) fn compact(connection: &Connection, store: &Store) -> Result<()> {
    let fail = |error| store.error(error, Phase::Uncommitted);
    let header = Header::read(connection).map_err(fail)?;
    // It may number the rows of tables without an INTEGER PRIMARY KEY differently.
    if header.owner(&store.path, store.config.shared_database)? == Owner::Host {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} belongs to another program, which has to decide itself when to VACUUM",
                store.path.display()
            ),
        ));
    }
    connection.execute_batch("VACUUM").map_err(fail)?;
    optimize(connection, store)?;
    checkpoint(connection, store)
}

/// Whether the log is empty now: not if readers were in the way for the busy timeout.
pub(super) fn truncate_log(connection: &Connection) -> SqlResult<bool> {
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0).map(|busy: bool| !busy))
}
