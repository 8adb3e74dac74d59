//! What a test has asked for.

use std::collections::VecDeque;

use super::kind::Fault;

/// Which calls a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `multi_get`
    Read,
    /// `write`
    Write,
    /// `scan`
    Scan,
    /// `spaces`
    Spaces,
    /// `flush`
    Flush,
    /// `close`
    Close,
}

impl Call {
    /// Whether it may leave something changed, so that repeating it is not the same as doing it
    /// once.
    pub(super) fn has_effect(self) -> bool {
        matches!(self, Self::Write | Self::Close)
    }
}

/// Where a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the adapter is asked.
    Before,
    /// After the adapter has answered, before the caller gets the answer.
    After,
}

/// The faults of calls that are still to come.
#[derive(Debug, Default)]
pub(super) struct Script(VecDeque<(Call, Fault)>);

impl Script {
    pub(super) fn push(&mut self, call: Call, fault: Fault) {
        self.0.push_back((call, fault));
    }

    /// Takes what was first asked for this kind of call.
    pub(super) fn next(&mut self, call: Call) -> Option<Fault> {
        let at = self.0.iter().position(|(other, _)| *other == call)?;
        self.0.remove(at).map(|(_, fault)| fault)
    }
}
