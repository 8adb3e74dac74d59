//! Keeping SQLite's lock of readers while reads follow each other.
//!
//! In WAL mode every read transaction takes a lock of the operating system and gives it back: two
//! system calls, a third of a short read. SQLite asks the system only for the first connection of a
//! process, and counts the others in memory. So while reads follow each other, the writer thread
//! keeps a read transaction open, on a connection that reads nothing else.
//!
//! # Reads are as current as without it
//!
//! A read still begins a transaction of its own, and SQLite compares the header of the log's index,
//! in memory that all processes share, with what the connection knows. It sees each commit of any
//! process that was made before. If that commit is newer than the transaction held here, the read
//! takes another lock, by system calls, as all reads did before.
//!
//! # The log still shrinks
//!
//! The transaction would keep the log from beginning again at its start. So it ends before the
//! thread writes or empties the log, and after [`LIFETIME`] in any case. If another process has
//! committed meanwhile, none is held for [`PAUSE`], so that this process can empty the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pstate_core::{Error, Result};
use rusqlite::{Connection, Result as SqlResult};

use super::foreign_commits::data_version;
use crate::error::Phase;
use crate::store::Store;

/// How long a transaction is held, also if nothing is read any more.
const LIFETIME: Duration = Duration::from_millis(10);
/// How long none is held after a commit of another process.
const PAUSE: Duration = Duration::from_secs(1);
/// After how many reads one is held. Beginning it costs about as much as it saves ten of them.
const READS: u32 = 64;

/// Counts reads, to tell when holding a transaction is worthwhile.
#[derive(Debug, Default)]
pub(crate) struct Demand(AtomicU32);

impl Demand {
    /// Counts a read. True, once, if the writer thread is to hold a transaction from now on.
    pub(crate) fn count(&self) -> bool {
        // Reads without a hold are rare, so they alone pay for a write to memory that all share.
        self.0.load(Ordering::Relaxed) < READS
            && self.0.fetch_add(1, Ordering::Relaxed) + 1 == READS
    }

    fn start(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn stop(&self) {
        self.0.store(READS, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(super) struct Hold {
    demand: Arc<Demand>,
    /// Opened when it is first needed.
    connection: Option<Connection>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Reads are counted.
    Off,
    /// Held, from a snapshot with this data version.
    Open { until: Instant, version: i64 },
    /// Reads are not counted.
    Paused { until: Instant },
}

impl Hold {
    pub(super) fn new(demand: Arc<Demand>) -> Self {
        Self { demand, connection: None, state: State::Off }
    }

    /// Begins, unless it has begun, or pauses.
    pub(super) fn begin(&mut self, store: &Store) {
        if !matches!(self.state, State::Off) {
            return;
        }
        self.state = match self.try_begin(store) {
            Ok(version) => State::Open { until: Instant::now() + LIFETIME, version },
            Err(error) => State::failed(&error),
        };
    }

    fn try_begin(&mut self, store: &Store) -> Result<i64> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => store.open_reader()?,
        };
        let version = execute(&connection, "BEGIN DEFERRED")
            // What reads takes the lock.
            .and_then(|()| data_version(&connection))
            .map_err(|error| store.error(error, Phase::Uncommitted))?;
        self.connection = Some(connection);
        Ok(version)
    }

    /// Ends, before something that a reader would be in the way of. Until [`resume`](Self::resume)
    /// reads are not counted: what they ask for would stand between the writes in the queue, and
    /// split their group.
    pub(super) fn suspend(&mut self, store: &Store) {
        self.demand.stop();
        if matches!(self.state, State::Open { .. }) {
            self.state = match self.release(store) {
                Ok(()) => State::Off,
                Err(error) => State::failed(&error),
            };
        }
    }

    pub(super) fn resume(&self) {
        if matches!(self.state, State::Off) {
            self.demand.start();
        }
    }

    /// Ends what is due to end at `now`.
    pub(super) fn expire(&mut self, store: &Store, now: Instant) {
        match self.state {
            State::Open { until, version } if until <= now => {
                self.suspend(store);
                if !self.is_current(version) {
                    self.state = State::paused();
                }
            }
            State::Paused { until } if until <= now => self.state = State::Off,
            _ => return,
        }
        self.resume();
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Off => None,
            State::Open { until, .. } | State::Paused { until } => Some(until),
        }
    }

    /// Whether there was no commit since. Only others can have made one, because the thread ends
    /// the hold before it commits.
    fn is_current(&self, version: i64) -> bool {
        self.connection.as_ref().is_some_and(|connection| data_version(connection) == Ok(version))
    }

    fn release(&mut self, store: &Store) -> Result<()> {
        let Some(connection) = self.connection.take() else { return Ok(()) };
        // Closed if it fails, and with it the lock is gone.
        execute(&connection, "COMMIT").map_err(|error| store.error(error, Phase::Uncommitted))?;
        self.connection = Some(connection);
        Ok(())
    }
}

impl State {
    fn paused() -> Self {
        Self::Paused { until: Instant::now() + PAUSE }
    }

    /// Without a hold reads are slower, and nothing else.
    fn failed(error: &Error) -> Self {
        tracing::debug!(%error, "holding the lock of readers");
        Self::paused()
    }
}

fn execute(connection: &Connection, sql: &str) -> SqlResult<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::config::SqliteConfig;

    struct Fixture {
        store: Store,
        writer: Connection,
        other: Connection,
        demand: Arc<Demand>,
        hold: Hold,
        _directory: TempDir,
    }

    impl Fixture {
        /// A store with one row in its log.
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let path: &Path = &directory.path().join("app.db");
            let (store, writer) = Store::open(path, SqliteConfig::default()).expect("a new file");
            let other = Connection::open(path).expect("another connection");
            other.busy_timeout(Duration::ZERO).expect("a timeout");
            let demand = Arc::new(Demand::default());
            let hold = Hold::new(Arc::clone(&demand));
            commit(&writer, "ours");
            Self { store, writer, other, demand, hold, _directory: directory }
        }

        fn begin(&mut self) {
            self.hold.begin(&self.store);
            assert!(matches!(self.hold.state, State::Open { .. }), "{:?}", self.hold.state);
        }

        /// As the thread does when it is due.
        fn expire(&mut self) {
            let due = self.hold.due().expect("something that ends");
            self.hold.expire(&self.store, due);
        }

        /// Whether another connection can empty the log.
        fn can_empty_log(&self) -> bool {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy: bool = self.other.query_row(sql, [], |row| row.get(0)).expect("an answer");
            !busy
        }

        /// How many reads it takes until a hold is asked for, if at all.
        fn reads_until_asked(&self) -> Option<u32> {
            (1..=2 * READS).find(|_| self.demand.count())
        }
    }

    fn commit(connection: &Connection, value: &str) {
        connection
            .execute("INSERT OR REPLACE INTO pstate VALUES ('default', 'card:1', ?1)", [value])
            .expect("a commit");
    }

    #[test]
    fn it_is_asked_for_once() {
        let fixture = Fixture::new();
        assert_eq!(fixture.reads_until_asked(), Some(READS));
        assert_eq!(fixture.reads_until_asked(), None);
    }

    #[test]
    fn the_log_can_be_emptied_when_it_ends() {
        let mut fixture = Fixture::new();
        fixture.begin();
        assert!(!fixture.can_empty_log(), "nothing is held");
        fixture.hold.suspend(&fixture.store);
        assert!(fixture.can_empty_log());
        assert_eq!(fixture.reads_until_asked(), None, "suspended");
        fixture.hold.resume();
        assert_eq!(fixture.reads_until_asked(), Some(READS));
        commit(&fixture.writer, "more");
        fixture.begin();
        fixture.expire();
        assert!(fixture.can_empty_log());
        assert_eq!(fixture.reads_until_asked(), Some(READS));
        assert_eq!(fixture.hold.due(), None);
    }

    #[test]
    fn reads_beside_it_see_what_others_commit() {
        let mut fixture = Fixture::new();
        let reader = fixture.store.open_reader().expect("a reader");
        fixture.begin();
        for value in ["one", "two"] {
            commit(&fixture.other, value);
            let read = reader.query_row("SELECT value FROM pstate", [], |row| row.get(0));
            assert_eq!(read, Ok(value.to_owned()));
        }
    }

    #[test]
    fn a_commit_of_another_pauses_it() {
        let mut fixture = Fixture::new();
        fixture.begin();
        commit(&fixture.other, "theirs");
        fixture.expire();
        assert!(matches!(fixture.hold.state, State::Paused { .. }));
        fixture.hold.suspend(&fixture.store);
        fixture.hold.resume();
        assert_eq!(fixture.reads_until_asked(), None);
        fixture.hold.begin(&fixture.store);
        assert!(fixture.can_empty_log(), "held in the pause");
        fixture.expire();
        assert_eq!(fixture.reads_until_asked(), Some(READS));
        fixture.begin();
    }
}
