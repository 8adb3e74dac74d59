//! Keeping the file small and fast.

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, Result as SqlResult};

use crate::error::Phase;
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

/// Whether the log is empty now: not if readers were in the way for the busy timeout.
pub(super) fn truncate_log(connection: &Connection) -> SqlResult<bool> {
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0).map(|busy: bool| !busy))
}
