use super::action::{Cell, Value};
use super::call::Call;

/// What concurrent clients of one store observed.
///
/// Ticks should be distinct. If a return and an invocation share a tick, the calls count as
/// overlapping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The calls, in any order.
    pub calls: Vec<Call>,
    /// The initial values of cells; all other cells are empty at first.
    pub initial: Vec<(Cell, Value)>,
}

impl History {
    /// A history that begins with empty cells.
    pub fn new(calls: Vec<Call>) -> Self {
        Self { calls, initial: Vec::new() }
    }
}
