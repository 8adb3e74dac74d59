use pstate_core::Error;

use super::moment::Moment;
use super::wait::Wait;

/// The fault of one call.
#[derive(Debug)]
pub(super) enum Fault {
    /// The call waits before it reaches the adapter, or before it is answered.
    Wait(Moment, Wait),
    /// The call never reaches the adapter.
    Fail(Error),
    /// The call takes effect, and fails with this error.
    FailAfter(Error),
    /// The call fails with this error, and takes effect after the wait.
    FailEarly(Error, Wait),
    /// The connection breaks: for this call and for this many after it.
    LoseConnection(u32),
    /// There is no connection.
    NoConnection,
    /// The call panics.
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
