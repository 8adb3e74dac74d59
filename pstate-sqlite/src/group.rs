//! Group commit: several batches in one transaction.

use pstate_core::{ChangeHub, Error, Outcome};
use rusqlite::{Connection, Error as SqlError, Result as SqlResult};

use crate::connection::Database;
use crate::error::During;
use crate::transaction::apply;
use crate::writer::Request;

#[derive(Debug)]
pub(crate) struct GroupCommit<'a> {
    database: &'a Database,
    connection: &'a Connection,
    /// Is told what is committed before anybody is answered.
    hub: &'a ChangeHub,
}

/// Where a transaction failed.
#[derive(Debug)]
enum Failure {
    /// There was none: nothing that the batches contain is to blame.
    Begin(SqlError),
    Batch(SqlError),
    Commit(SqlError),
}

impl<'a> GroupCommit<'a> {
    pub(crate) fn new(
        database: &'a Database,
        connection: &'a Connection,
        hub: &'a ChangeHub,
    ) -> Self {
        Self { database, connection, hub }
    }

    /// Commits all of them, and only then answers any.
    pub(crate) fn run(&mut self, mut group: Vec<Request>) {
        // Whoever has stopped waiting does not want it done any more.
        group.retain(|request| !request.reply.is_closed());
        if group.is_empty() {
            return;
        }
        let done = self.attempt(&group);
        if let Err(Failure::Commit(_)) = done {
            // It may have happened.
            for request in &group {
                self.hub.publish(&request.space, &request.batch.writes, &[]);
            }
        }
        match done {
            Ok(outcomes) => {
                for (request, outcomes) in group.into_iter().zip(outcomes) {
                    self.hub.publish(&request.space, &request.batch.writes, &outcomes);
                    let _ = request.reply.send(Ok(outcomes));
                }
            }
            Err(failure @ (Failure::Batch(_) | Failure::Commit(_))) if group.len() > 1 => {
                tracing::debug!(
                    ?failure,
                    batches = group.len(),
                    "a group failed, trying each alone"
                );
                for request in group {
                    self.run(vec![request]);
                }
            }
            Err(failure) => {
                let error = self.translate(failure);
                for request in group {
                    let error = error.clone().in_operation("write").in_space(&request.space);
                    let _ = request.reply.send(Err(error));
                }
            }
        }
    }

    fn attempt(&self, group: &[Request]) -> Result<Vec<Vec<Outcome>>, Failure> {
        self.begin().map_err(Failure::Begin)?;
        let apply = |request: &Request| {
            apply(self.connection, self.database, &request.space, &request.batch)
        };
        let done = group.iter().map(apply).collect::<SqlResult<_>>().map_err(Failure::Batch);
        let done = done.and_then(|outcomes| match self.execute("COMMIT") {
            Ok(()) => Ok(outcomes),
            Err(error) => Err(Failure::Commit(error)),
        });
        if done.is_err()
            && let Err(error) = self.roll_back()
        {
            // The next transaction tries again before it begins.
            tracing::warn!(%error, path = %self.database.path.display(), "rolling back");
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
                self.database.error(error, During::Unchanged)
            }
            Failure::Commit(error) => self.database.error(error, During::Commit),
        }
    }
}

#[cfg(test)]
mod tests {
    use pstate_core::{
        Batch, ChangedRecord, ChangedTo, Changes, ErrorKind, Key, Revision, Space, Write,
    };
    use tempfile::TempDir;
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::SqliteConfig;

    type Answer = oneshot::Receiver<pstate_core::Result<Vec<Outcome>>>;

    fn open(directory: &TempDir) -> (Database, Connection) {
        let path = directory.path().join("app.db");
        let (database, connection) =
            Database::open(&path, SqliteConfig::default()).expect("a new file");
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
        (database, connection)
    }

    fn request(id: &str, value: &str) -> (Request, Answer) {
        let (reply, answer) = oneshot::channel();
        let key = Key::new("card", id).expect("a key");
        let batch = Batch::atomic(vec![Write::put(key, value.as_bytes())]);
        (Request { space: Space::default(), batch, reply }, answer)
    }

    fn stored(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT key FROM pstate ORDER BY key").expect("a statement");
        let keys = statement.query_map([], |row| row.get(0)).expect("a query");
        keys.collect::<SqlResult<_>>().expect("keys")
    }

    #[test]
    fn a_bad_batch_does_not_fail_those_beside_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let (database, connection) = open(&directory);
        let (requests, mut answers): (Vec<_>, Vec<_>) =
            [request("1", "good"), request("2", "bad"), request("3", "good")].into_iter().unzip();
        GroupCommit::new(&database, &connection, &ChangeHub::new()).run(requests);
        assert_eq!(stored(&connection), ["card:1", "card:3"]);
        for (answer, good) in answers.iter_mut().zip([true, false, true]) {
            assert_eq!(answer.try_recv().expect("an answer").is_ok(), good);
        }
    }

    #[test]
    fn what_is_committed_is_told_and_what_may_be() {
        let directory = tempfile::tempdir().expect("a directory");
        let (database, connection) = open(&directory);
        let hub = ChangeHub::new();
        let mut subscription = hub.subscribe();
        let mut group_commit = GroupCommit::new(&database, &connection, &hub);
        let changed = |id, revision| {
            ChangedRecord::new(Space::default(), Key::new("card", id).expect("a key"), revision)
        };
        let good = changed("1", ChangedTo::Revision(Revision::of_content(b"good")));

        let (requests, _answers): (Vec<_>, Vec<_>) =
            [request("1", "good"), request("2", "bad")].into_iter().unzip();
        group_commit.run(requests);
        assert_eq!(subscription.take(), Changes::Records(vec![good.clone()]));

        let (requests, mut answers): (Vec<_>, Vec<_>) =
            [request("1", "good"), request("2", "bad at the end")].into_iter().unzip();
        group_commit.run(requests);
        let error = answers[1].try_recv().expect("an answer").expect_err("no commit");
        assert!(!error.is_retryable(), "{error}");
        let [one, two] = ["1", "2"].map(|id| changed(id, ChangedTo::Unknown));
        assert_eq!(subscription.take(), Changes::Records(vec![one, two.clone(), good, two]));
    }

    #[test]
    fn a_batch_that_nobody_waits_for_is_not_begun() {
        let directory = tempfile::tempdir().expect("a directory");
        let (database, connection) = open(&directory);
        let (kept, _answer) = request("1", "good");
        let (abandoned, answer) = request("2", "good");
        drop(answer);
        GroupCommit::new(&database, &connection, &ChangeHub::new()).run(vec![kept, abandoned]);
        assert_eq!(stored(&connection), ["card:1"]);
    }

    #[test]
    fn a_lock_fails_the_whole_group_with_nothing_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let (database, connection) = open(&directory);
        connection.busy_timeout(std::time::Duration::ZERO).expect("a timeout");
        let other = Connection::open(&database.path).expect("another connection");
        other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        let (requests, mut answers): (Vec<_>, Vec<_>) =
            [request("1", "good"), request("2", "good")].into_iter().unzip();
        GroupCommit::new(&database, &connection, &ChangeHub::new()).run(requests);
        for answer in &mut answers {
            let error = answer.try_recv().expect("an answer").expect_err("locked");
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.is_retryable());
        }
        assert_eq!(stored(&connection), Vec::<String>::new());
    }
}
