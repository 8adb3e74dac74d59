//! What the writer thread does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pstate_core::{GroupCommit, GroupConfig, GroupWriter, Reply, Result, WriteRequest};
use rusqlite::Connection;

use super::commits::Commits;
use super::foreign_commits::ForeignCommits;
use super::group::Group;
use super::log::Log;
use super::maintenance::{checkpoint, compact, optimize};
use crate::error::Phase;
use crate::store::Store;

/// What else the thread does with its connection.
#[derive(Debug)]
pub(crate) enum Command {
    Checkpoint(Reply<()>),
    Optimize(Reply<()>),
    Compact(Reply<()>),
    /// How often commits of others were found.
    ForeignCommits(Reply<u64>),
}

#[derive(Debug)]
struct Committer {
    store: Arc<Store>,
    connection: Connection,
    commits: Arc<Commits>,
    foreign_commits: ForeignCommits,
    log: Log,
}

/// Starts the thread, which owns the connection.
pub(crate) fn start(
    store: &Arc<Store>,
    connection: Connection,
    commits: &Arc<Commits>,
) -> Result<GroupWriter<Command>> {
    let config = GroupConfig::default().maintenance_interval(store.config.checkpoint_interval);
    let committer = Committer {
        store: Arc::clone(store),
        connection,
        commits: Arc::clone(commits),
        foreign_commits: ForeignCommits::default(),
        log: Log::new(),
    };
    GroupWriter::start("pstate-sqlite", committer, config)
}

impl GroupCommit for Committer {
    type Command = Command;

    fn commit(&mut self, requests: Vec<WriteRequest>) {
        Group::new(&self.store, &self.connection, &self.commits.hub).commit(requests);
        self.log.limit(&self.connection, &self.store);
    }

    fn run(&mut self, command: Command) {
        let Self { store, connection, commits, foreign_commits, log: _ } = self;
        match command {
            Command::Checkpoint(reply) => {
                reply.send(store.file.check().and_then(|()| checkpoint(connection, store)));
            }
            Command::Optimize(reply) => {
                reply.send(store.file.check().and_then(|()| optimize(connection, store)));
            }
            Command::Compact(reply) => {
                reply.send(store.file.check().and_then(|()| compact(connection, store)));
            }
            Command::ForeignCommits(reply) => {
                let count = foreign_commits.count(connection, commits);
                reply.send(count.map_err(|error| store.error(error, Phase::Uncommitted)));
            }
        }
    }

    fn maintain(&mut self) {
        if self.store.file.check().is_err() {
            // Nothing is tried again on a file that is not the store's any more.
            self.log = Log::new();
            return;
        }
        // First, because it writes to the log. It waits for no lock of another process; emptying
        // the log sets the timeout back.
        let done = self
            .connection
            .busy_timeout(Duration::ZERO)
            .map_err(|error| self.store.error(error, Phase::Uncommitted))
            .and_then(|()| optimize(&self.connection, &self.store));
        match done {
            Err(error) if error.is_retryable() => tracing::debug!(%error, "optimizing"),
            Err(error) => tracing::warn!(%error, "optimizing"),
            Ok(()) => {}
        }
        self.log.empty(&self.connection, &self.store);
    }

    fn maintenance_due(&self) -> Option<Instant> {
        self.log.retry_at()
    }

    fn close(mut self) {
        self.maintain();
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, path = %self.store.path.display(), "closing the database");
        }
    }
}
