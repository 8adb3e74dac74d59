//! Group commit: several batches in one transaction.

use pstate_core::{Error, Outcome};
use rusqlite::{Connection, Error as SqlError, Result as SqlResult};

use crate::connection::Database;
use crate::error::During;
use crate::transaction::apply;
use crate::writer::Request;

#[derive(Debug)]
pub(crate) struct GroupCommit<'a> {
    database: &'a Database,
    connection: &'a Connection,
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
    pub(crate) fn new(database: &'a Database, connection: &'a Connection) -> Self {
        Self { database, connection }
    }

    /// Commits all of them, and only then answers any.
    pub(crate) fn run(&mut self, mut group: Vec<Request>) {
        // Whoever has stopped waiting does not want it done any more.
        group.retain(|request| !request.reply.is_closed());
        if group.is_empty() {
            return;
        }
        match self.attempt(&group) {
            Ok(outcomes) => {
                for (request, outcomes) in group.into_iter().zip(outcomes) {
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
