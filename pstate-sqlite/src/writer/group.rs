//! Several batches in one transaction.

use pstate_core::{ChangeHub, Error, Outcome, WriteRequest};
use rusqlite::{Connection, Error as SqlError, Result as SqlResult};

use super::transaction::apply;
use crate::error::Phase;
use crate::store::Store;

/// What it takes to commit a group.
#[derive(Debug)]
pub(super) struct Group<'a> {
    store: &'a Store,
    connection: &'a Connection,
    /// Where commits are published before they are acknowledged.
    hub: &'a ChangeHub,
}

/// Where a transaction failed.
#[derive(Debug)]
enum Failure {
    /// At its beginning, whatever the batches contain.
    Begin(SqlError),
    Batch(SqlError),
    Commit(SqlError),
}

impl<'a> Group<'a> {
    pub(super) fn new(store: &'a Store, connection: &'a Connection, hub: &'a ChangeHub) -> Self {
        Self { store, connection, hub }
    }

    /// Commits all requests, and only then answers any. If one of them is to blame for a failure,
    /// commits each alone.
    pub(super) fn commit(&self, requests: Vec<WriteRequest>) {
        let done = self.attempt(&requests);
        if let Err(Failure::Commit(_)) = done {
            // It may have happened.
            for request in &requests {
                self.hub.publish(request.space(), &request.batch().writes, &[]);
            }
        }
        if done.is_ok()
            && let Err(error) = self.store.file.check()
        {
            // It is in a file that no other connection finds by its name.
            for request in requests {
                self.hub.publish(request.space(), &request.batch().writes, &[]);
                request.answer(Err(error.clone()));
            }
            return;
        }
        match done {
            Ok(outcomes) => {
                for (request, outcomes) in requests.into_iter().zip(outcomes) {
                    self.hub.publish(request.space(), &request.batch().writes, &outcomes);
                    request.answer(Ok(outcomes));
                }
            }
            Err(failure @ (Failure::Batch(_) | Failure::Commit(_))) if requests.len() > 1 => {
                let batches = requests.len();
                tracing::debug!(?failure, batches, "a group failed, trying each batch alone");
                for request in requests {
                    // Its caller may have gone away meanwhile.
                    if !request.is_abandoned() {
                        self.commit(vec![request]);
                    }
                }
            }
            Err(failure) => {
                let error = self.translate(failure);
                for request in requests {
                    request.answer(Err(error.clone()));
                }
            }
        }
    }

    fn attempt(&self, requests: &[WriteRequest]) -> Result<Vec<Vec<Outcome>>, Failure> {
        self.begin().map_err(Failure::Begin)?;
        let apply = |request: &WriteRequest| {
            apply(self.connection, self.store, request.space(), request.batch())
        };
        let done = requests.iter().map(apply).collect::<SqlResult<_>>().map_err(Failure::Batch);
        let done = done.and_then(|outcomes| match self.execute("COMMIT") {
            Ok(()) => Ok(outcomes),
            Err(error) => Err(Failure::Commit(error)),
        });
        if done.is_err()
            && let Err(error) = self.roll_back()
        {
            // The next transaction tries again before it begins.
            tracing::warn!(%error, path = %self.store.path.display(), "rolling back");
        }
        done
    }

    fn begin(&self) -> SqlResult<()> {
        self.roll_back()?;
        self.execute("BEGIN IMMEDIATE")
    }

    /// Some errors (a full disk) make SQLite roll back by itself.
    fn roll_back(&self) -> SqlResult<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.execute("ROLLBACK") }
    }

    fn execute(&self, sql: &str) -> SqlResult<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn translate(&self, failure: Failure) -> Error {
        match failure {
            Failure::Begin(error) | Failure::Batch(error) => {
                self.store.error(error, Phase::Uncommitted)
            }
            Failure::Commit(error) => self.store.error(error, Phase::Commit),
        }
    }
}

#[cfg(test)]
mod tests {
    use pstate_core::{
        Batch, ChangedRecord, ChangedTo, Changes, ErrorKind, Key, Response, Revision, Space, Write,
    };
    use tempfile::TempDir;

    use super::*;
    use crate::config::SqliteConfig;

    type Answer = Response<Vec<Outcome>>;

    fn open(directory: &TempDir) -> (Store, Connection) {
        let path = directory.path().join("app.db");
        let (store, connection) = Store::open(&path, SqliteConfig::default()).expect("a new file");
        connection
            .execute_batch(
                "CREATE TRIGGER t BEFORE INSERT ON pstate WHEN NEW.value = 'bad'
                 BEGIN SELECT RAISE(ROLLBACK, 'refused'); END;
                 PRAGMA foreign_keys = on;
                 CREATE TABLE child (
                     id INTEGER PRIMARY KEY,
                     parent REFERENCES child (id) DEFERRABLE INITIALLY DEFERRED
                 );
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
        let (store, connection) = open(&directory);
        connection.busy_timeout(std::time::Duration::ZERO).expect("a timeout");
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
