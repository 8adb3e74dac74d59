use super::transition::{Test, Transition};

/// A call, as the search sees it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The index of the call in the history.
    pub(super) call: usize,
    pub(super) invoked: u64,
    /// `None`: the call may take effect at any time, or never.
    pub(super) returned: Option<u64>,
    pub(super) transition: Transition,
}

impl Step {
    /// Whether the step constrains an order. A step without a return does so only if it may have
    /// changed something.
    pub(super) fn matters(&self) -> bool {
        let is_possible = self.transition.tests.iter().all(|(_, test)| *test != Test::Never);
        self.returned.is_some() || is_possible && !self.transition.writes.is_empty()
    }
}
