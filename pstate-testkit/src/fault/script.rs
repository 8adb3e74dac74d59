use std::collections::VecDeque;

use super::call::Call;
use super::fault::Fault;

/// The faults that a test has scheduled, in order.
#[derive(Debug, Default)]
pub(super) struct Script(VecDeque<(Call, Fault)>);

impl Script {
    pub(super) fn push(&mut self, call: Call, fault: Fault) {
        self.0.push_back((call, fault));
    }

    /// Takes the first fault that is scheduled for this kind of call.
    pub(super) fn next(&mut self, call: Call) -> Option<Fault> {
        let at = self.0.iter().position(|(other, _)| *other == call)?;
        self.0.remove(at).map(|(_, fault)| fault)
    }
}
