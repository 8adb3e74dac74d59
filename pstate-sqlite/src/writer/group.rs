//! Several batches in one transaction.

use std::thread;
use std::time::{Duration, Instant};

use pstate_core::{ChangeHub, Outcome, WriteRequest};
use rusqlite::{Connection, Error as SqlError, Result as SqlResult};

use super::transaction::apply;
use crate::error::{Phase, is_busy};
use crate::store::Store;

/// SQLite counts waiting times in these.
const MILLISECOND: Duration = Duration::from_millis(1);

/// What it takes to commit a group.
#[derive(Debug)]
pub(super) struct Group<'a> {
    store: &'a Store,
    connection: &'a Connection,
    /// Where commits are published before they are acknowledged.
    hub: &'a ChangeHub,
}

/// How batches share a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// All or nothing.
    Plain,
    /// Each in a savepoint, so that the others remain when it fails. Costs a few µs a batch.
    Savepoints,
}

/// Why a transaction failed as a whole.
#[derive(Debug)]
enum Failure {
    /// A batch failed, and with it all others.
    Batch(SqlError),
    Commit(SqlError),
}

/// What became of the batches of a transaction that was committed.
type Applied = Vec<SqlResult<Vec<Outcome>>>;

impl<'a> Group<'a> {
    pub(super) fn new(store: &'a Store, connection: &'a Connection, hub: &'a ChangeHub) -> Self {
        Self { store, connection, hub }
    }

    /// Commits all requests, and only then answers any. A request that is to blame for a failure
    /// fails alone, and the others are committed without it, together.
    pub(super) fn commit(&self, requests: Vec<WriteRequest>) {
        self.commit_sharing(Sharing::Plain, requests);
    }

    fn commit_sharing(&self, sharing: Sharing, requests: Vec<WriteRequest>) {
        let mut requests = self.begin(requests);
        if requests.is_empty() {
            return;
        }
        let failure = match self.attempt(sharing, &requests) {
            Ok(applied) => return self.acknowledge(requests, applied),
            Err(failure) => failure,
        };
        let (phase, error) = match failure {
            Failure::Batch(error) => (Phase::Uncommitted, error),
            Failure::Commit(error) => {
                // It may have happened.
                for request in &requests {
                    self.hub.publish(request.space(), &request.batch().writes, &[]);
                }
                (Phase::Commit, error)
            }
        };
        if requests.len() == 1 {
            let error = self.store.error(error, phase);
            for request in requests {
                request.answer(Err(error.clone()));
            }
            return;
        }
        tracing::debug!(%error, ?phase, batches = requests.len(), "a group failed");
        // Their callers may have gone away meanwhile.
        requests.retain(|request| !request.is_abandoned());
        if phase == Phase::Uncommitted && sharing == Sharing::Plain {
            return self.commit_sharing(Sharing::Savepoints, requests);
        }
        // The error took the whole transaction with it, and doesn't say which batch is to blame.
        // Halving finds one among 256 in 16 transactions.
        let second = requests.split_off(requests.len().div_ceil(2));
        self.commit_sharing(sharing, requests);
        self.commit_sharing(sharing, second);
    }

    fn acknowledge(&self, requests: Vec<WriteRequest>, applied: Applied) {
        let moved = self.store.file.check().err();
        for (request, outcomes) in requests.into_iter().zip(applied) {
            let answer = match (outcomes, &moved) {
                (Err(error), _) => Err(self.store.error(error, Phase::Uncommitted)),
                (Ok(outcomes), None) => Ok(outcomes),
                // It is in a file that no other connection finds by its name.
                (Ok(_), Some(moved)) => Err(moved.clone()),
            };
            if let Ok(outcomes) = &answer {
                self.hub.publish(request.space(), &request.batch().writes, outcomes);
            } else if moved.is_some() {
                self.hub.publish(request.space(), &request.batch().writes, &[]);
            }
            request.answer(answer);
        }
    }

    /// Begins a transaction, and returns the requests that are still to be done: each waits for the
    /// lock of another process up to the busy timeout from when it was queued, behind whatever
    /// group. All are answered if none is left.
    fn begin(&self, mut requests: Vec<WriteRequest>) -> Vec<WriteRequest> {
        while !requests.is_empty() {
            let now = Instant::now();
            let shortest = requests.iter().map(|request| self.time_left(request, now)).min();
            let error = match self.begin_within(shortest.unwrap_or_default()) {
                Ok(()) => break,
                Err(error) => error,
            };
            let now = Instant::now();
            let may_wait = |request: &WriteRequest| {
                is_busy(&error) && self.time_left(request, now) >= MILLISECOND
            };
            let (waiting, failed): (Vec<_>, Vec<_>) = requests.into_iter().partition(may_wait);
            if failed.is_empty() {
                // SQLite has not waited at all, as where it expects a deadlock.
                thread::sleep(MILLISECOND);
            } else {
                let error = self.store.error(error, Phase::Uncommitted);
                for request in failed {
                    request.answer(Err(error.clone()));
                }
            }
            requests = waiting;
        }
        requests
    }

    fn time_left(&self, request: &WriteRequest, now: Instant) -> Duration {
        let waited = now.saturating_duration_since(request.queued_at());
        self.store.config.busy_timeout.saturating_sub(waited)
    }

    fn begin_within(&self, timeout: Duration) -> SqlResult<()> {
        self.connection.busy_timeout(timeout)?;
        let begun = self.roll_back().and_then(|()| self.execute("BEGIN IMMEDIATE"));
        self.connection.busy_timeout(self.store.config.busy_timeout)?;
        begun
    }

    /// Applies all requests in the transaction that has begun, and ends it.
    fn attempt(&self, sharing: Sharing, requests: &[WriteRequest]) -> Result<Applied, Failure> {
        let apply = |request: &WriteRequest| {
            apply(self.connection, self.store, request.space(), request.batch())
        };
        let applied: Result<Applied, SqlError> = match sharing {
            Sharing::Plain => requests.iter().map(|request| apply(request).map(Ok)).collect(),
            Sharing::Savepoints => {
                requests.iter().map(|request| self.in_savepoint(|| apply(request))).collect()
            }
        };
        let done = applied
            .map_err(Failure::Batch)
            .and_then(|applied| self.execute("COMMIT").map(|()| applied).map_err(Failure::Commit));
        if done.is_err()
            && let Err(error) = self.roll_back()
        {
            // The next transaction tries again before it begins.
            tracing::warn!(%error, path = %self.store.path.display(), "rolling back");
        }
        done
    }

    /// Undoes what `apply` has done if it fails. Fails itself if that ended the transaction.
    fn in_savepoint<T>(&self, apply: impl FnOnce() -> SqlResult<T>) -> SqlResult<SqlResult<T>> {
        self.execute("SAVEPOINT batch")?;
        let applied = apply();
        if let Err(error) = applied {
            // Some errors (a full disk) make SQLite roll everything back by itself.
            if self.connection.is_autocommit() || self.execute("ROLLBACK TO batch").is_err() {
                return Err(error);
            }
            self.execute("RELEASE batch")?;
            return Ok(Err(error));
        }
        self.execute("RELEASE batch")?;
        Ok(applied)
    }

    fn roll_back(&self) -> SqlResult<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.execute("ROLLBACK") }
    }

    fn execute(&self, sql: &str) -> SqlResult<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use pstate_core::{
        Batch, ChangedRecord, ChangedTo, Changes, ErrorKind, Key, Response, Revision, Space, Write,
    };
    use rusqlite::StatementStatus;
    use tempfile::TempDir;

    use super::*;
    use crate::config::SqliteConfig;

    type Answer = Response<Vec<Outcome>>;

    fn open(directory: &TempDir) -> (Store, Connection) {
        open_with(directory, SqliteConfig::default())
    }

    fn open_with(directory: &TempDir, config: SqliteConfig) -> (Store, Connection) {
        let path = directory.path().join("app.db");
        let (store, connection) = Store::open(&path, config).expect("a new file");
        connection
            .execute_batch(
                "CREATE TRIGGER t BEFORE INSERT ON pstate WHEN NEW.value = 'bad'
                 BEGIN SELECT RAISE(ROLLBACK, 'refused'); END;
                 PRAGMA foreign_keys = on;
                 CREATE TABLE child (
                     id INTEGER PRIMARY KEY,
                     parent REFERENCES child (id) DEFERRABLE INITIALLY DEFERRED
                 );
                 CREATE TRIGGER a BEFORE INSERT ON pstate WHEN NEW.value = 'bad alone'
                 BEGIN SELECT RAISE(ABORT, 'refused'); END;
                 CREATE TRIGGER u BEFORE INSERT ON pstate WHEN NEW.value = 'bad at the end'
                 BEGIN INSERT INTO child VALUES (1, 2); END",
            )
            .expect("a trigger");
        (store, connection)
    }

    fn request(id: &str, value: &str) -> (WriteRequest, Answer) {
        let key = Key::new("card", id).expect("a key");
        let batch = Batch::atomic(vec![Write::put(key, value.as_bytes())]);
        WriteRequest::new(Space::default(), batch)
    }

    fn stored(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT key FROM pstate ORDER BY key").expect("a statement");
        let keys = statement.query_map([], |row| row.get(0)).expect("a query");
        keys.collect::<SqlResult<_>>().expect("keys")
    }

    #[tokio::test]
    async fn a_bad_batch_does_not_fail_those_beside_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let (store, connection) = open(&directory);
        let (requests, answers): (Vec<_>, Vec<_>) =
            [request("1", "good"), request("2", "bad"), request("3", "good")].into_iter().unzip();
        Group::new(&store, &connection, &ChangeHub::new()).commit(requests);
        assert_eq!(stored(&connection), ["card:1", "card:3"]);
        for (answer, good) in answers.into_iter().zip([true, false, true]) {
            assert_eq!(answer.await.is_ok(), good);
        }
    }

    /// Commits a group, and says how many commits it took.
    async fn count_commits(store: &Store, connection: &Connection, values: &[&str]) -> i32 {
        let (requests, answers): (Vec<_>, Vec<_>) =
            values.iter().enumerate().map(|(n, value)| request(&format!("{n:03}"), value)).unzip();
        Group::new(store, connection, &ChangeHub::new()).commit(requests);
        for (answer, value) in answers.into_iter().zip(values) {
            let answer = answer.await;
            assert_eq!(answer.is_ok(), !value.starts_with("bad"), "{value}: {answer:?}");
        }
        let commit = connection.prepare_cached("COMMIT").expect("a statement");
        commit.get_status(StatementStatus::Run)
    }

    #[tokio::test]
    async fn those_beside_a_bad_batch_are_committed_together() {
        for (bad, most) in [("bad alone", 1), ("bad", 8), ("bad at the end", 17)] {
            let directory = tempfile::tempdir().expect("a directory");
            let (store, connection) = open(&directory);
            let mut values = ["good"; 256];
            values[100] = bad;
            let commits = count_commits(&store, &connection, &values).await;
            assert!(commits <= most, "{bad}: {commits}");
            assert_eq!(stored(&connection).len(), 255);
        }
    }

    #[tokio::test]
    async fn many_bad_batches_take_one_transaction() {
        let directory = tempfile::tempdir().expect("a directory");
        let (store, connection) = open(&directory);
        let values: Vec<_> = ["good", "bad alone"].into_iter().cycle().take(100).collect();
        assert_eq!(count_commits(&store, &connection, &values).await, 1);
        assert_eq!(stored(&connection).len(), 50);
    }

    /// The first has waited for an hour behind another group, the second has not.
    #[tokio::test]
    async fn a_batch_waits_for_a_lock_from_when_it_was_queued() {
        let directory = tempfile::tempdir().expect("a directory");
        let hour = Duration::from_secs(3600);
        let config = SqliteConfig::default().busy_timeout(hour);
        let (store, connection) = open_with(&directory, config);
        let other = Connection::open(&store.path).expect("another connection");
        other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        let (old, old_answer) = request("1", "good");
        let (new, new_answer) = request("2", "good");
        let long_ago = Instant::now().checked_sub(hour).expect("a machine that is not new");
        let requests = vec![new, old.with_queued_at(long_ago)];
        let writer = thread::spawn(move || {
            Group::new(&store, &connection, &ChangeHub::new()).commit(requests);
            stored(&connection)
        });
        let error = old_answer.await.expect_err("locked");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.is_retryable());
        other.execute_batch("ROLLBACK").expect("no lock");
        assert!(new_answer.await.expect("a commit")[0].is_done());
        assert_eq!(writer.join().expect("an end"), ["card:2"]);
    }

    #[tokio::test]
    async fn commits_are_published_and_so_are_those_that_may_have_happened() {
        let directory = tempfile::tempdir().expect("a directory");
        let (store, connection) = open(&directory);
        let hub = ChangeHub::new();
        let mut subscription = hub.subscribe();
        let group = Group::new(&store, &connection, &hub);
        let changed = |id, revision| {
            ChangedRecord::new(Space::default(), Key::new("card", id).expect("a key"), revision)
        };
        let good = changed("1", ChangedTo::Revision(Revision::of_content(b"good")));

        let (requests, _answers): (Vec<_>, Vec<_>) =
            [request("1", "good"), request("2", "bad")].into_iter().unzip();
        group.commit(requests);
        assert_eq!(subscription.take(), Changes::Records(vec![good.clone()]));

        let (requests, answers): (Vec<_>, Vec<_>) =
            [request("1", "good"), request("2", "bad at the end")].into_iter().unzip();
        group.commit(requests);
        let bad = answers.into_iter().nth(1).expect("two answers");
        let error = bad.await.expect_err("no commit");
        assert!(!error.is_retryable(), "{error}");
        let [one, two] = ["1", "2"].map(|id| changed(id, ChangedTo::Unknown));
        assert_eq!(subscription.take(), Changes::Records(vec![one, two.clone(), good, two]));
    }

    #[test]
    fn a_batch_whose_caller_has_gone_away_is_not_tried_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let (store, connection) = open(&directory);
        let (kept, _answer) = request("1", "good");
        let (bad, _bad_answer) = request("2", "bad");
        let (abandoned, answer) = request("3", "good");
        drop(answer);
        Group::new(&store, &connection, &ChangeHub::new()).commit(vec![kept, bad, abandoned]);
        assert_eq!(stored(&connection), ["card:1"]);
    }

    #[tokio::test]
    async fn a_lock_fails_the_whole_group_with_nothing_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = SqliteConfig::default().busy_timeout(Duration::ZERO);
        let (store, connection) = open_with(&directory, config);
        let other = Connection::open(&store.path).expect("another connection");
        other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        let (requests, answers): (Vec<_>, Vec<_>) =
            [request("1", "good"), request("2", "good")].into_iter().unzip();
        Group::new(&store, &connection, &ChangeHub::new()).commit(requests);
        for answer in answers {
            let error = answer.await.expect_err("locked");
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.is_retryable());
        }
        assert_eq!(stored(&connection), Vec::<String>::new());
    }
}
