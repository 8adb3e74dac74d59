use parking_lot::Mutex;
use pstate_core::Result;

use super::answer::Answer;
use super::formatter::OperationFormatter;
use super::operation::Operation;
use super::request::Request;

/// The operations of one or more adapters, in the order in which they began.
#[derive(Debug, Default)]
pub struct OperationLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    operations: Vec<Operation>,
    clock: u64,
}

/// Identifies an operation in its log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OperationId(usize);

impl OperationLog {
    /// A copy of all operations so far.
    pub fn operations(&self) -> Vec<Operation> {
        self.state.lock().operations.clone()
    }

    /// The operations as numbered lines of text. Revisions are called `r1`, `r2`, in order of
    /// appearance.
    pub fn lines(&self) -> Vec<String> {
        let mut formatter = OperationFormatter::default();
        let state = self.state.lock();
        let operations = state.operations.iter().enumerate();
        operations
            .map(|(n, operation)| format!("{:>3}  {}", n + 1, formatter.format(operation)))
            .collect()
    }

    /// Records that a call begins.
    pub(crate) fn begin(&self, request: Request, fault: Option<&'static str>) -> OperationId {
        let mut state = self.state.lock();
        state.clock += 1;
        let invoked = state.clock;
        state.operations.push(Operation {
            request,
            response: None,
            invoked,
            returned: None,
            fault,
        });
        OperationId(state.operations.len() - 1)
    }

    /// Records a fault that was injected after the call began.
    pub(crate) fn set_fault(&self, id: OperationId, fault: &'static str) {
        self.state.lock().operations[id.0].fault = Some(fault);
    }

    /// Records that a call returns.
    pub(crate) fn end<T: Answer>(&self, id: OperationId, result: &Result<T>) {
        let response = result.clone().map(T::into_response);
        let mut state = self.state.lock();
        state.clock += 1;
        let returned = state.clock;
        let operation = &mut state.operations[id.0];
        operation.response = Some(response);
        operation.returned = Some(returned);
    }
}
