//! What scripts take and what becomes of a write.

use pstate_core::{Change, Expect, Outcome, Result, Write};

use crate::error::Failure;
use crate::layout::{in_hex, revision};
use crate::server::Lane;

/// The outcome of one write, or why there is none.
pub(super) type WriteResult = Result<Outcome, Failure>;

/// An expectation, as scripts take it.
pub(super) fn expectation(expect: Expect) -> String {
    match expect {
        Expect::Any => "*".to_owned(),
        Expect::Absent => "-".to_owned(),
        Expect::Revision(revision) => in_hex(revision),
    }
}

/// The outcome of a write that was done.
pub(super) fn outcome(write: &Write) -> Outcome {
    match &write.change {
        Change::Put(bytes) => Outcome::Stored(revision(bytes)),
        Change::Delete => Outcome::Deleted,
    }
}

/// The connection that writes take.
pub(super) fn lane(writes: &[&Write]) -> Lane {
    Lane::of_write(writes.iter().map(|write| write.value_len()).sum())
}
