//! Finding commits of other connections.

use rusqlite::{Connection, Result as SqlResult};

use super::commits::Commits;

/// Finds commits of others with the connection that makes all of ours: `PRAGMA data_version` on a
/// connection does not count what it has committed itself.
#[derive(Debug, Default)]
pub(super) struct ForeignCommits {
    last: Option<i64>,
}

impl ForeignCommits {
    /// Counts what others have committed since the last call.
    pub(super) fn count(&mut self, connection: &Connection, commits: &Commits) -> SqlResult<u64> {
        let version = data_version(connection)?;
        if self.last.replace(version) != Some(version) {
            commits.count_foreign();
        }
        Ok(commits.foreign())
    }
}

pub(crate) fn data_version(connection: &Connection) -> SqlResult<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pstate_core::{Batch, ChangeHub, Key, Space, Write, WriteRequest};
    use tempfile::TempDir;

    use super::*;
    use crate::config::SqliteConfig;
    use crate::store::Store;
    use crate::writer::group::Group;
    use crate::writer::log::Log;
    use crate::writer::maintenance::{checkpoint, optimize};

    struct Fixture {
        store: Store,
        connection: Connection,
        other: Connection,
        commits: Commits,
        foreign: ForeignCommits,
        _directory: TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let path: &Path = &directory.path().join("app.db");
            let (store, connection) =
                Store::open(path, SqliteConfig::default()).expect("a new file");
            Self {
                store,
                connection,
                other: Connection::open(path).expect("another connection"),
                commits: Commits::default(),
                foreign: ForeignCommits::default(),
                _directory: directory,
            }
        }

        fn put(&self, value: &str) {
            let key = Key::new("card", "1").expect("a key");
            let batch = Batch::each(vec![Write::put(key, value.as_bytes())]);
            let (request, _response) = WriteRequest::new(Space::default(), batch);
            Group::new(&self.store, &self.connection, &ChangeHub::new()).commit(vec![request]);
            let stored =
                self.connection.query_row("SELECT value FROM pstate", [], |row| row.get(0));
            assert_eq!(stored, Ok(value.to_owned()));
        }

        fn commit_of_another(&self) {
            let committed = self.other.execute_batch("UPDATE pstate SET value = 'theirs'");
            committed.expect("a foreign commit");
        }

        fn checkpoint(&self) {
            checkpoint(&self.connection, &self.store).expect("an empty log");
        }

        fn count(&mut self) -> u64 {
            self.foreign.count(&self.connection, &self.commits).expect("a count")
        }
    }

    #[test]
    fn commits_of_the_connection_itself_are_not_foreign() {
        let mut fixture = Fixture::new();
        let begin = fixture.count();
        for round in 0..5 {
            // More than the 1,000 pages after which SQLite moves the log by itself.
            fixture.put(&round.to_string().repeat(5 << 20));
            fixture.put("small");
            assert_eq!(fixture.count(), begin + round);
            fixture.checkpoint();
            Log::new().empty(&fixture.connection, &fixture.store);
            optimize(&fixture.connection, &fixture.store).expect("statistics");
            fixture.put("first of the log");
            assert_eq!(fixture.count(), begin + round);

            fixture.commit_of_another();
            fixture.put("on top");
            fixture.checkpoint();
            assert_eq!(fixture.count(), begin + round + 1);
            assert_eq!(fixture.count(), begin + round + 1);
        }
    }

    #[test]
    fn a_commit_of_another_that_a_checkpoint_has_met_first_is_foreign() {
        let mut fixture = Fixture::new();
        fixture.put("ours");
        let begin = fixture.count();
        fixture.commit_of_another();
        fixture.checkpoint();
        Log::new().empty(&fixture.connection, &fixture.store);
        optimize(&fixture.connection, &fixture.store).expect("statistics");
        assert_eq!(fixture.count(), begin + 1);
    }
}
