//! What is sent in one piece, and its answers.

use pstate_core::Result;
use redis::{Cmd, Value};

use crate::error::Failure;
use crate::layout::{Slot, slot};

/// Commands about keys of one slot, sent together and in order on one connection.
///
/// If it writes, it does so wholly or not at all: it is one command, one script or one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(super) slot: Slot,
    pub(super) commands: Vec<Cmd>,
    /// Whether a replica may answer it.
    pub(crate) from_replica: bool,
    /// The connection that it takes.
    pub(crate) lane: Lane,
}

/// A connection to a server: answers come in order, so what is large must not stand before what is
/// small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lane {
    /// Writes, and questions with short answers.
    #[default]
    Commands,
    /// Reads of records.
    Records,
    /// Reads that are expected to have this many bytes.
    LargeRead(usize),
    /// Writes of this many bytes.
    LargeWrite(usize),
}

/// From how many bytes on a call takes a connection of large ones.
const LARGE: usize = 1024 * 1024;

impl Lane {
    /// The lane of a read that is expected to have this many bytes.
    pub(crate) fn of_read(bytes: usize) -> Self {
        if bytes < LARGE { Self::Records } else { Self::LargeRead(bytes) }
    }

    /// The lane of a write of this many bytes.
    pub(crate) fn of_write(bytes: usize) -> Self {
        if bytes < LARGE { Self::Commands } else { Self::LargeWrite(bytes) }
    }
}

/// The answers to a unit, none of them an error; or why there are none.
pub(crate) type Answers = Result<Vec<Value>, Failure>;

impl Unit {
    /// A unit in the slot of `key`.
    pub(crate) fn new(key: &str, commands: Vec<Cmd>) -> Self {
        Self { slot: slot(key.as_bytes()), commands, from_replica: false, lane: Lane::default() }
    }

    /// The same, on another connection.
    pub(crate) fn on(self, lane: Lane) -> Self {
        Self { lane, ..self }
    }

    /// A unit about no key, for a certain server.
    pub(super) fn without_key(commands: Vec<Cmd>) -> Self {
        Self { slot: 0, commands, from_replica: false, lane: Lane::default() }
    }
}

/// Checks the answers to `count` commands of the server at `address`.
///
/// The first error among them is why a unit was not done: of a transaction the one that came when a
/// command was queued. An error that came when the queue was executed is within the last answer,
/// and the commands before and behind it were done.
pub(super) fn checked(address: &str, values: Vec<Value>, count: usize) -> Answers {
    if values.len() != count {
        return Err(Failure::cut_short(address));
    }
    let failed = |value: &Value| match value {
        Value::ServerError(error) => Some(Failure::refused(address, error)),
        Value::Array(items) => items.iter().find_map(|item| match item {
            Value::ServerError(error) => Some(Failure::refused(address, error).with_effect()),
            _ => None,
        }),
        _ => None,
    };
    match values.iter().find_map(failed) {
        Some(failure) => Err(failure),
        None => Ok(values),
    }
}
