//! What stands in the queue.

use super::request::WriteRequest;

#[derive(Debug)]
pub(super) enum Message<C> {
    Write(WriteRequest),
    Command(C),
    /// Do what is queued, then end.
    Close,
}
