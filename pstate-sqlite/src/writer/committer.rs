//! What the writer thread does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pstate_core::{GroupCommit, GroupConfig, GroupWriter, Reply, Result, WriteRequest};
use rusqlite::Connection;

use super::commits::Commits;
use super::foreign_commits::ForeignCommits;
use super::group::Group;
use super::hold::{Demand, Hold};
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
    /// Reads follow each other: see [`Hold`].
    Hold,
}

#[derive(Debug)]
struct Committer {
    store: Arc<Store>,
    connection: Connection,
    commits: Arc<Commits>,
    foreign_commits: ForeignCommits,
    log: Log,
    hold: Hold,
    /// When the interval of maintenance ends.
    next_maintenance: Option<Instant>,
}

/// Starts the thread, which owns the connection.
pub(crate) fn start(
    store: &Arc<Store>,
    connection: Connection,
    commits: &Arc<Commits>,
    demand: &Arc<Demand>,
) -> Result<GroupWriter<Command>> {
    let mut committer = Committer {
        store: Arc::clone(store),
        connection,
        commits: Arc::clone(commits),
        foreign_commits: ForeignCommits::default(),
        log: Log::new(),
        hold: Hold::new(Arc::clone(demand)),
        next_maintenance: None,
    };
    committer.begin_interval();
    GroupWriter::start("pstate-sqlite", committer, GroupConfig::default())
}

impl Committer {
    /// An interval beyond the end of time is none.
    fn begin_interval(&mut self) {
        let interval = self.store.config.checkpoint_interval;
        self.next_maintenance = interval.and_then(|interval| Instant::now().checked_add(interval));
    }

    /// Keeps the file fast, and the log empty.
    fn tidy(&mut self) {
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
}

impl GroupCommit for Committer {
    type Command = Command;

    fn commit(&mut self, requests: Vec<WriteRequest>) {
        self.hold.suspend(&self.store);
        Group::new(&self.store, &self.connection, &self.commits.hub).commit(requests);
        self.log.limit(&self.connection, &self.store);
        self.hold.resume();
    }

    fn run(&mut self, command: Command) {
        let Self { store, connection, commits, foreign_commits, hold, .. } = self;
        match command {
            Command::Checkpoint(reply) => {
                hold.suspend(store);
                reply.send(store.file.check().and_then(|()| checkpoint(connection, store)));
            }
            Command::Optimize(reply) => {
                hold.suspend(store);
                reply.send(store.file.check().and_then(|()| optimize(connection, store)));
            }
            Command::Compact(reply) => {
                hold.suspend(store);
                reply.send(store.file.check().and_then(|()| compact(connection, store)));
            }
            Command::ForeignCommits(reply) => {
                let count = foreign_commits.count(connection, commits);
                return reply.send(count.map_err(|error| store.error(error, Phase::Uncommitted)));
            }
            Command::Hold => return hold.begin(store),
        }
        hold.resume();
    }

    fn maintain(&mut self) {
        let now = Instant::now();
        self.hold.expire(&self.store, now);
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.next_maintenance) || is_due(self.log.retry_at()) {
            self.hold.suspend(&self.store);
            self.tidy();
            self.hold.resume();
            self.begin_interval();
        }
    }

    fn maintenance_due(&self) -> Option<Instant> {
        let due = [self.next_maintenance, self.log.retry_at(), self.hold.due()];
        due.into_iter().flatten().min()
    }

    fn close(mut self) {
        self.hold.suspend(&self.store);
        self.tidy();
        // Before the connection that writes, which is to be the last one.
        drop(self.hold);
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, path = %self.store.path.display(), "closing the database");
        }
    }
}
