//! The faults that a call may have.

use std::sync::Arc;
use std::time::Duration;

use pstate_core::{Error, ErrorKind};

use super::gate::Gate;
use super::script::{Call, Moment};

/// How long a call waits for the next one to overtake it.
const PATIENCE: Duration = Duration::from_millis(10);

/// What is wrong with one call.
#[derive(Debug)]
pub(super) enum Fault {
    /// It waits before it reaches the adapter, or before it is answered.
    Wait(Moment, Wait),
    /// It never reaches the adapter.
    Fail(Error),
    /// It takes effect, but this is the answer.
    FailAfter(Error),
    /// This is the answer, and it takes effect after it has waited.
    FailEarly(Error, Wait),
    /// The connection breaks, for this call and so many after it.
    LoseConnection(u32),
    /// There is no connection.
    NoConnection,
    Panic,
}

impl Fault {
    /// What the log calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Wait(Moment::Before, Wait::Held(_)) => "held before its effect",
            Self::Wait(Moment::After, Wait::Held(_)) => "held after its effect",
            Self::Wait(Moment::Before, Wait::Delayed(_)) => "delayed before its effect",
            Self::Wait(Moment::After, Wait::Delayed(_)) => "delayed after its effect",
            Self::Wait(_, Wait::Overtaken(_)) => "overtaken by the next call",
            Self::Fail(_) => "fails before its effect",
            Self::FailAfter(_) => "fails after its effect",
            Self::FailEarly(..) => "fails, its effect comes later",
            Self::LoseConnection(_) | Self::NoConnection => "no connection",
            Self::Panic => "panics",
        }
    }
}

/// What a call waits for.
#[derive(Debug)]
pub(super) enum Wait {
    /// That the test lets it go on.
    Held(Arc<Gate>),
    /// That time passes.
    Delayed(Duration),
    /// That the next call has been answered, for as long as its patience lasts.
    Overtaken(Arc<Gate>),
}

impl Wait {
    pub(super) async fn over(&self) {
        match self {
            Self::Held(gate) => gate.pass().await,
            Self::Delayed(delay) => tokio::time::sleep(*delay).await,
            Self::Overtaken(gate) => {
                // Whether somebody came by or not, it goes on.
                let _ = tokio::time::timeout(PATIENCE, gate.pass()).await;
            }
        }
    }
}

/// The error of a call that did not reach the adapter.
pub(super) fn not_reached(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, message).retryable()
}

/// The error of a call that did, or may yet: retryable only if it could not change anything.
pub(super) fn uncertain(call: Call, kind: ErrorKind, message: &'static str) -> Error {
    let error = Error::new(kind, message);
    if call.has_effect() { error } else { error.retryable() }
}
