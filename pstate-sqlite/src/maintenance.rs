//! What keeps the file small and fast.

use std::time::Duration;

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, Result as SqlResult};

use crate::connection::Database;
use crate::error::During;

/// Moves the log into the main file and empties it; waits for readers up to the busy timeout.
pub(crate) fn checkpoint(connection: &Connection, database: &Database) -> Result<()> {
    match truncate_log(connection) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!(
                "{}: readers were in the way of emptying the log (waited {:?})",
                database.path.display(),
                database.config.busy_timeout
            );
            Err(Error::new(ErrorKind::Unavailable, message).retryable())
        }
        Err(error) => Err(database.error(error, During::Unchanged)),
    }
}

/// Lets SQLite refresh the statistics that it plans with, if it thinks that worthwhile.
pub(crate) fn optimize(connection: &Connection, database: &Database) -> Result<()> {
    connection
        .execute_batch("PRAGMA optimize")
        .map_err(|error| database.error(error, During::Unchanged))
}

/// Both of the above, without waiting for anybody: if readers are in the way, the next time will
/// do.
pub(crate) fn tidy_up(connection: &Connection, database: &Database) {
    let tidy = || -> SqlResult<()> {
        connection.busy_timeout(Duration::ZERO)?;
        truncate_log(connection)?;
        connection.execute_batch("PRAGMA optimize")
    };
    let tidied = tidy();
    let restored = connection.busy_timeout(database.config.busy_timeout);
    if let Err(error) = tidied.and(restored) {
        let path = database.path.display();
        if crate::error::is_busy(&error) {
            tracing::debug!(%error, %path, "tidying up the database");
        } else {
            tracing::warn!(%error, %path, "tidying up the database");
        }
    }
}

/// Whether nobody was in the way.
fn truncate_log(connection: &Connection) -> SqlResult<bool> {
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0).map(|busy: bool| !busy))
}
