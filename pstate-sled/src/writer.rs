//! The thread that writes.
//!
//! What has been queued while a flush was on its way is stored together and flushed together: the
//! disk is waited for once for all of them.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;

use pstate_core::{Batch, Change, Error, ErrorKind, Outcome, Result, Space};
use tokio::sync::{oneshot, watch};

use crate::config::Flush;
use crate::database::Database;
use crate::error::closed;
use crate::group::commit;

/// How many batches are stored together at most.
const GROUP_LEN: usize = 256;
/// How many bytes of values are stored together at most; the last batch may go beyond.
const GROUP_BYTES: usize = 8 << 20;

/// A batch on its way to the database.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) space: Space,
    pub(crate) batch: Batch,
    pub(crate) reply: oneshot::Sender<Result<Vec<Outcome>>>,
}

/// How many bytes of values a batch holds.
pub(crate) fn size(batch: &Batch) -> usize {
    let size = |change: &Change| match change {
        Change::Put(bytes) => bytes.len(),
        Change::Delete => 0,
    };
    batch.writes.iter().map(|write| size(&write.change)).sum()
}

#[derive(Debug)]
enum Command {
    Write(Request),
    Flush(oneshot::Sender<Result<()>>),
    Close,
}

/// A handle to the thread. When it is dropped, the thread does what is queued, closes the database
/// and ends.
#[derive(Debug)]
pub(crate) struct Writer {
    commands: Sender<Command>,
    /// Its sender lives in the thread, to the very end.
    alive: watch::Receiver<()>,
}

impl Writer {
    pub(crate) fn start(database: Arc<Database>) -> Result<Self> {
        let (commands, receiver) = mpsc::channel();
        let (alive_until_end, alive) = watch::channel(());
        thread::Builder::new()
            .name("pstate-sled".to_owned())
            .spawn(move || {
                let _alive_until_end = alive_until_end;
                run(&database, &receiver);
            })
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the writer thread cannot be started")
                    .caused_by(error)
            })?;
        Ok(Self { commands, alive })
    }

    /// Queues the batch, and returns when it is stored, and flushed if that is to be waited for.
    pub(crate) async fn write(&self, space: Space, batch: Batch) -> Result<Vec<Outcome>> {
        self.call(|reply| Command::Write(Request { space, batch, reply })).await
    }

    /// Returns when everything that is queued before has left the process.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.call(Command::Flush).await
    }

    /// Lets the thread do what is queued and close the database, and waits for its end.
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
        let gone = || closed().caused_by("the thread that writes has ended");
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| gone())?;
        // A command that the thread did not begin before it ended is dropped unanswered.
        answer.await.map_err(|_| gone())?
    }
}

fn run(database: &Database, commands: &Receiver<Command>) {
    let flush = database.config.flush == Flush::EveryWrite;
    let mut closing = false;
    // What ended the last group without belonging to it.
    let mut leftover = None;
    // Once it is closing, only calls come that were already on their way.
    let next = |closing| if closing { commands.try_recv().ok() } else { commands.recv().ok() };
    while let Some(command) = leftover.take().or_else(|| next(closing)) {
        match command {
            Command::Write(first) => {
                let (group, rest) = collect(first, commands);
                leftover = rest;
                commit(database, group, flush);
            }
            Command::Flush(reply) => {
                let _ = reply.send(database.flush());
            }
            Command::Close => closing = true,
        }
    }
    database.close();
}

/// Takes what is queued, up to the bounds of a group, without waiting for more.
fn collect(first: Request, commands: &Receiver<Command>) -> (Vec<Request>, Option<Command>) {
    let mut bytes = size(&first.batch);
    let mut group = vec![first];
    while group.len() < GROUP_LEN && bytes < GROUP_BYTES {
        match commands.try_recv() {
            Ok(Command::Write(request)) => {
                bytes += size(&request.batch);
                group.push(request);
            }
            Ok(other) => return (group, Some(other)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    (group, None)
}
