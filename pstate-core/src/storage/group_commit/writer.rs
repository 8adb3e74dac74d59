//! The handle to the thread.

use std::fmt;
use std::sync::mpsc;
use std::thread;

use tokio::sync::watch;

use super::client::WriterClient;
use super::commit::GroupCommit;
use super::config::GroupConfig;
use super::request::{Reply, Response};
use super::thread::run;
use crate::model::{Batch, Error, ErrorKind, Outcome, Result, Space};

/// A thread that commits the batches of all tasks in groups, for stores in which one writes at a
/// time and a commit waits for the disk.
///
/// What queues up while a commit is under way goes into the next one together, so the disk is
/// waited for once for all of them. See [`GroupCommit`] for an example.
///
/// [`close`](Self::close) it when done. If it is dropped instead, the thread does what is queued,
/// closes the store and ends, but nothing waits for that.
///
/// # Cost
/// About 3 µs a call beside the commit itself: the way to the thread and back.
pub struct GroupWriter<C> {
    client: WriterClient<C>,
    /// Its sender lives in the thread, to the very end.
    alive: watch::Receiver<()>,
}

impl<C: Send + 'static> GroupWriter<C> {
    /// Starts a thread of this name, which owns `committer`.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if the operating system refuses the thread.
    pub fn start<G: GroupCommit<Command = C>>(
        name: &str,
        committer: G,
        config: GroupConfig,
    ) -> Result<Self> {
        let (sender, queue) = mpsc::channel();
        let (alive_until_end, alive) = watch::channel(());
        // An operating system's thread, because committing blocks.
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _alive_until_end = alive_until_end;
                run(committer, config, queue);
            })
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the writer thread cannot be started")
                    .caused_by(error)
            })?;
        Ok(Self { client: WriterClient::new(sender), alive })
    }
}

impl<C> GroupWriter<C> {
    /// Another handle to the queue.
    pub fn client(&self) -> WriterClient<C> {
        self.client.clone()
    }

    /// Queues a batch. The response comes when it is committed.
    pub fn write(&self, space: Space, batch: Batch) -> Response<Vec<Outcome>> {
        self.client.write(space, batch)
    }

    /// Queues a command, which `command` makes of the place for its answer.
    pub fn call<T>(&self, command: impl FnOnce(Reply<T>) -> C) -> Response<T> {
        self.client.call(command)
    }

    /// Fails once the writer is closing.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable), as from [`Error::store_closed`].
    pub fn check_open(&self) -> Result<()> {
        self.client.check_open()
    }

    /// Refuses new requests, lets the thread do what is queued and close the store, and waits for
    /// its end. Closing twice is no error.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop it.
    pub async fn close(&self) {
        self.client.close();
        let mut alive = self.alive.clone();
        while alive.changed().await.is_ok() {}
    }
}

impl<C> fmt::Debug for GroupWriter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupWriter").field("client", &self.client).finish_non_exhaustive()
    }
}
