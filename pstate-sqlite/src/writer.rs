//! The thread that writes.
//!
//! One thread owns the only connection that writes, so no two transactions of this process ever
//! meet. What has been queued while a transaction was on its way goes into the next one together:
//! the disk is waited for once for all of them.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::Instant;

use pstate_core::{Batch, Change, Error, ErrorKind, Outcome, Result, Space};
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::changes::{Commits, ForeignCommits};
use crate::connection::Database;
use crate::error::{During, closed};
use crate::group::GroupCommit;
use crate::maintenance;

/// How many batches share a transaction at most.
const GROUP_LEN: usize = 256;
/// How many bytes of values share a transaction at most; the last batch may go beyond.
const GROUP_BYTES: usize = 8 << 20;

/// A batch on its way to the file.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) space: Space,
    pub(crate) batch: Batch,
    pub(crate) reply: oneshot::Sender<Result<Vec<Outcome>>>,
}

impl Request {
    fn size(&self) -> usize {
        let size = |change: &Change| match change {
            Change::Put(bytes) => bytes.len(),
            Change::Delete => 0,
        };
        self.batch.writes.iter().map(|write| size(&write.change)).sum()
    }
}

#[derive(Debug)]
enum Command {
    Write(Request),
    Checkpoint(oneshot::Sender<Result<()>>),
    Optimize(oneshot::Sender<Result<()>>),
    ForeignCommits(oneshot::Sender<Result<u64>>),
    Close,
}

/// A handle to the thread. When it is dropped, the thread does what is queued and ends.
#[derive(Debug)]
pub(crate) struct Writer {
    commands: Sender<Command>,
    /// Its sender lives in the thread, to the very end.
    alive: watch::Receiver<()>,
}

/// What the thread can be asked besides. The thread does not end before this is dropped, either.
#[derive(Debug)]
pub(crate) struct Inquiry {
    commands: Sender<Command>,
}

impl Inquiry {
    /// Queues the question how often others were found to have committed; see [`ForeignCommits`].
    pub(crate) fn foreign_commits(&self) -> Result<oneshot::Receiver<Result<u64>>> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::ForeignCommits(reply)).map_err(|_| gone())?;
        Ok(answer)
    }
}

impl Writer {
    pub(crate) fn start(
        database: Arc<Database>,
        connection: Connection,
        commits: Arc<Commits>,
    ) -> Result<Self> {
        let (commands, receiver) = mpsc::channel();
        let (alive_until_end, alive) = watch::channel(());
        thread::Builder::new()
            .name("pstate-sqlite".to_owned())
            .spawn(move || {
                let _alive_until_end = alive_until_end;
                run(&database, connection, &commits, &receiver);
            })
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the writer thread cannot be started")
                    .caused_by(error)
            })?;
        Ok(Self { commands, alive })
    }

    pub(crate) fn inquiry(&self) -> Inquiry {
        Inquiry { commands: self.commands.clone() }
    }

    /// Queues the batch, and returns when it is committed.
    pub(crate) async fn write(&self, space: Space, batch: Batch) -> Result<Vec<Outcome>> {
        self.call(|reply| Command::Write(Request { space, batch, reply })).await
    }

    pub(crate) async fn checkpoint(&self) -> Result<()> {
        self.call(Command::Checkpoint).await
    }

    pub(crate) async fn optimize(&self) -> Result<()> {
        self.call(Command::Optimize).await
    }

    /// Lets the thread do what is queued, and waits for its end.
    pub(crate) async fn close(&self) {
        // If the thread has ended already, there is nobody to tell.
        let _ = self.commands.send(Command::Close);
        let mut alive = self.alive.clone();
        while alive.changed().await.is_ok() {}
    }

    async fn call<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T>>) -> Command,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| gone())?;
        // A command that the thread did not begin before it ended is dropped unanswered.
        answer.await.map_err(|_| gone())?
    }
}

/// The thread ends when it is told to, or by a panic; then the effect of what it was doing is
/// unknown.
pub(crate) fn gone() -> Error {
    closed().caused_by("the thread that writes has ended")
}

fn run(
    database: &Database,
    connection: Connection,
    commits: &Commits,
    commands: &Receiver<Command>,
) {
    let interval = database.config.checkpoint_interval;
    let mut group_commit = GroupCommit::new(database, &connection, &commits.hub);
    let mut foreign_commits = ForeignCommits::new(commits, &connection);
    // An interval beyond the end of time is none.
    let next = || Instant::now().checked_add(interval?);
    let mut next_checkpoint = next();
    // What ended the last group without belonging to it.
    let mut leftover = None;
    loop {
        let command = match leftover.take() {
            Some(command) => Ok(command),
            None => receive(commands, next_checkpoint),
        };
        match command {
            Ok(Command::Write(first)) => {
                let (group, rest) = collect(first, commands);
                leftover = rest;
                group_commit.run(group);
            }
            Ok(Command::Checkpoint(reply)) => {
                let _ = reply.send(maintenance::checkpoint(&connection, database));
            }
            Ok(Command::Optimize(reply)) => {
                let _ = reply.send(maintenance::optimize(&connection, database));
            }
            Ok(Command::ForeignCommits(reply)) => {
                let count = foreign_commits.count();
                let _ = reply.send(count.map_err(|error| database.error(error, During::Unchanged)));
            }
            Ok(Command::Close) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if next_checkpoint.is_some_and(|at| at <= Instant::now()) {
            maintenance::tidy_up(&connection, database);
            next_checkpoint = next();
        }
    }
    // Calls that were already on their way when the store was closed.
    while let Ok(command) = commands.try_recv() {
        if let Command::Write(request) = command {
            group_commit.run(vec![request]);
        }
    }
    maintenance::tidy_up(&connection, database);
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, path = %database.path.display(), "closing the database");
    }
}

fn receive(
    commands: &Receiver<Command>,
    deadline: Option<Instant>,
) -> Result<Command, RecvTimeoutError> {
    match deadline {
        Some(at) => commands.recv_timeout(at.saturating_duration_since(Instant::now())),
        None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// Takes what is queued, up to the bounds of a group, without waiting for more.
fn collect(first: Request, commands: &Receiver<Command>) -> (Vec<Request>, Option<Command>) {
    let mut size = first.size();
    let mut group = vec![first];
    while group.len() < GROUP_LEN && size < GROUP_BYTES {
        match commands.try_recv() {
            Ok(Command::Write(request)) => {
                size += request.size();
                group.push(request);
            }
            Ok(other) => return (group, Some(other)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    (group, None)
}
