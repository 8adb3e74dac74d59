//! Keeping the log of writes short.

use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Result as SqlResult};

use super::maintenance::truncate_log;
use crate::error::is_busy;
use crate::store::Store;

/// The longest wait for readers while writes wait too.
const PATIENCE: Duration = Duration::from_secs(1);
/// After how long a log that readers have kept from being emptied is tried again, at first and at
/// last.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LAST_DELAY: Duration = Duration::from_secs(60);

/// When the log is emptied, apart from the interval.
#[derive(Debug)]
pub(super) struct Log {
    delay: Duration,
    /// Set while readers have been in the way.
    retry_at: Option<Instant>,
    /// How long the log was when a warning was logged.
    warned_at: u64,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { delay: FIRST_DELAY, retry_at: None, warned_at: 0 }
    }

    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Empties the log if it is beyond its limit, and no attempt has just failed. After a commit,
    /// which has checked the file.
    pub(super) fn limit(&mut self, connection: &Connection, store: &Store) {
        let is_early = self.retry_at.is_some_and(|at| Instant::now() < at);
        if store.file.checked_log_len() > store.config.log_limit && !is_early {
            self.empty(connection, store);
        }
    }

    /// Empties the log. Waits for readers only if it is beyond its limit, and tries again later if
    /// they are still in the way.
    pub(super) fn empty(&mut self, connection: &Connection, store: &Store) {
        let is_beyond = store.file.log_len() > store.config.log_limit;
        let patience =
            if is_beyond { PATIENCE.min(store.config.busy_timeout) } else { Duration::ZERO };
        match empty_within(connection, patience) {
            Ok(true) => *self = Self::new(),
            Ok(false) => self.postpone(store),
            Err(error) => {
                let path = store.path.display();
                if is_busy(&error) {
                    tracing::debug!(%error, %path, "emptying the log of writes");
                } else {
                    tracing::warn!(%error, %path, "emptying the log of writes");
                }
                self.postpone(store);
            }
        }
        if let Err(error) = connection.busy_timeout(store.config.busy_timeout) {
            tracing::warn!(%error, path = %store.path.display(), "setting the busy timeout");
        }
    }

    fn postpone(&mut self, store: &Store) {
        self.retry_at = Instant::now().checked_add(self.delay);
        self.delay = (self.delay * 2).min(LAST_DELAY);
        let (bytes, limit) = (store.file.log_len(), store.config.log_limit);
        // Again only when it has doubled: a backup may take an hour.
        if bytes > limit && bytes / 2 >= self.warned_at {
            self.warned_at = bytes;
            tracing::warn!(
                bytes,
                limit,
                path = %store.path.display(),
                "readers keep the log of writes from being emptied: a backup, a long scan, or \
                 another process"
            );
        }
    }
}

/// Whether the log is empty now.
///
/// Waiting in SQLite's own way would starve: it waits until one place in its table of readers is
/// free, while new readers take that very place. But a checkpoint that does not wait moves what no
/// reader's snapshot precedes, and once everything is moved, new readers need no place.
fn empty_within(connection: &Connection, patience: Duration) -> SqlResult<bool> {
    connection.busy_timeout(Duration::ZERO)?;
    let begin = Instant::now();
    loop {
        let is_moved: bool = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            let (pages, moved): (i64, i64) = (row.get(1)?, row.get(2)?);
            Ok(pages == moved)
        })?;
        if is_moved && truncate_log(connection)? {
            return Ok(true);
        }
        if begin.elapsed() >= patience {
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(1));
    }
}
