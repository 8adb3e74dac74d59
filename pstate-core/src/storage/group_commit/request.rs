//! What is asked of the thread, and how it answers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::model::{Batch, Error, Outcome, Result, Space};

/// A batch on its way to the store.
#[derive(Debug)]
pub struct WriteRequest {
    space: Space,
    batch: Batch,
    queued_at: Instant,
    reply: Reply<Vec<Outcome>>,
}

impl WriteRequest {
    /// A request, and the response that its caller waits for. For tests of a
    /// [`GroupCommit`](crate::GroupCommit); [`GroupWriter::write`](crate::GroupWriter::write) makes
    /// all others.
    pub fn new(space: Space, batch: Batch) -> (Self, Response<Vec<Outcome>>) {
        let (reply, response) = Reply::new();
        (Self { space, batch, queued_at: Instant::now(), reply }, response)
    }

    /// The same request, as if it were queued at that time. For tests, like [`new`](Self::new).
    pub fn with_queued_at(self, queued_at: Instant) -> Self {
        Self { queued_at, ..self }
    }

    /// When the caller queued it. A bound on how long a write may wait begins here, not when its
    /// group does.
    pub fn queued_at(&self) -> Instant {
        self.queued_at
    }

    /// The space to write to.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// What to write.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Whether the caller has dropped its future. A request that has not begun then is skipped.
    pub fn is_abandoned(&self) -> bool {
        self.reply.is_abandoned()
    }

    /// Answers the caller.
    pub fn answer(self, outcomes: Result<Vec<Outcome>>) {
        self.reply.send(outcomes);
    }
}

/// Where the thread sends the answer to a command. Dropped without an answer, it makes the call
/// fail as if the thread had terminated.
#[derive(Debug)]
pub struct Reply<T> {
    sender: oneshot::Sender<Result<T>>,
}

impl<T> Reply<T> {
    pub(super) fn new() -> (Self, Response<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self { sender }, Response { receiver })
    }

    /// Whether the caller has dropped its future.
    pub fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    /// Answers the caller.
    pub fn send(self, answer: Result<T>) {
        // A caller that has gone away does not need it.
        let _ = self.sender.send(answer);
    }
}

/// The answer to a request or a command that is queued already.
///
/// # Cancel safety
/// A write that is dropped before its group begins is not done. Everything else runs to its end.
#[derive(Debug)]
#[must_use = "dropping it abandons the request"]
pub struct Response<T> {
    receiver: oneshot::Receiver<Result<T>>,
}

impl<T> Future for Response<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.receiver).poll(context);
        answer.map(|answer| answer.unwrap_or_else(|_| Err(writer_terminated())))
    }
}

/// The thread has ended: `close` has ended it, or a panic. After a panic the effect of the group
/// that it was committing is unknown, so this is not retryable.
fn writer_terminated() -> Error {
    Error::store_closed().caused_by("the writer thread has terminated")
}
