//! Queueing requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use super::message::Message;
use super::request::{Reply, Response, WriteRequest};
use crate::model::{Batch, Error, Outcome, Result, Space};

/// A handle to the queue of a [`GroupWriter`](crate::GroupWriter), for parts of an adapter that
/// outlive a borrow of it.
///
/// Without [`close`](crate::GroupWriter::close) the thread ends when the writer and all clients are
/// dropped.
pub struct WriterClient<C> {
    queue: Sender<Message<C>>,
    closing: Arc<AtomicBool>,
}

impl<C> WriterClient<C> {
    pub(super) fn new(queue: Sender<Message<C>>) -> Self {
        Self { queue, closing: Arc::new(AtomicBool::new(false)) }
    }

    /// Queues a batch. The response comes when it is committed.
    pub fn write(&self, space: Space, batch: Batch) -> Response<Vec<Outcome>> {
        let (request, response) = WriteRequest::new(space, batch);
        self.send(Message::Write(request));
        response
    }

    /// Queues a command, which `command` makes of the place for its answer.
    pub fn call<T>(&self, command: impl FnOnce(Reply<T>) -> C) -> Response<T> {
        let (reply, response) = Reply::new();
        self.send(Message::Command(command(reply)));
        response
    }

    /// Fails once the writer is closing.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable), as from [`Error::store_closed`].
    pub fn check_open(&self) -> Result<()> {
        if self.closing.load(Ordering::Acquire) { Err(Error::store_closed()) } else { Ok(()) }
    }

    /// Refuses what comes from now on, and ends the thread when it has done what came before.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // It fails if the thread has ended already.
        let _ = self.queue.send(Message::Close);
    }

    /// Queues a message. What comes too late is dropped, and its response fails.
    fn send(&self, message: Message<C>) {
        // Without this, writers that never pause would keep the queue from becoming empty, and
        // `close` from ending.
        if self.check_open().is_ok() {
            let _ = self.queue.send(message);
        }
    }
}

impl<C> Clone for WriterClient<C> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), closing: Arc::clone(&self.closing) }
    }
}

impl<C> fmt::Debug for WriterClient<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriterClient").field("closing", &self.closing).finish_non_exhaustive()
    }
}
