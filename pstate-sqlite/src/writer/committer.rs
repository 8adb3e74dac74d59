//! What the writer thread does.

use std::sync::Arc;

use pstate_core::{GroupCommit, GroupConfig, GroupWriter, Reply, Result, WriteRequest};
use rusqlite::Connection;

use super::commits::Commits;
use super::foreign_commits::ForeignCommits;
use super::group::Group;
use super::maintenance::{checkpoint, checkpoint_and_optimize, compact, optimize};
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
    };
    GroupWriter::start("pstate-sqlite", committer, config)
}

impl GroupCommit for Committer {
    type Command = Command;

    fn commit(&mut self, requests: Vec<WriteRequest>) {
        Group::new(&self.store, &self.connection, &self.commits.hub).commit(requests);
    }

    fn run(&mut self, command: Command) {
        let Self { store, connection, commits, foreign_commits } = self;
        match command {
            Command::Checkpoint(reply) => reply.send(checkpoint(connection, store)),
            Command::Optimize(reply) => reply.send(optimize(connection, store)),
            Command::Compact(reply) => reply.send(compact(connection, store)),
            Command::ForeignCommits(reply) => {
                let count = foreign_commits.count(connection, commits);
                reply.send(count.map_err(|error| store.error(error, Phase::Uncommitted)));
            }
        }
    }

    fn maintain(&mut self) {
        checkpoint_and_optimize(&self.connection, &self.store);
    }

    fn close(self) {
        checkpoint_and_optimize(&self.connection, &self.store);
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, path = %self.store.path.display(), "closing the database");
        }
    }
}
