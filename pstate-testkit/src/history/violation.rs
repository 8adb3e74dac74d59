use super::call::Call;
use super::history::History;

/// A few calls of a history that no order explains.
///
/// They are a violation even without the other calls, whatever those did: the checker leaves out a
/// call only if it changes nothing, or if no remaining call could have observed its effect.
/// `Display` draws a diagram with one line for each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    history: History,
    indices: Vec<usize>,
    unexplained: usize,
    /// The number of calls in the checked history.
    total: usize,
}

impl Violation {
    /// A violation by these calls of a history of `total` calls, at these indices of it.
    pub(super) fn new(history: History, indices: Vec<usize>, total: usize) -> Self {
        let last = (0..history.calls.len()).max_by_key(|&i| history.calls[i].returned);
        Self { unexplained: last.unwrap_or_default(), history, indices, total }
    }

    /// The calls as a history of their own, in the order of their invocations.
    ///
    /// The history ends with the return of the [unexplained](Self::unexplained) call: a call that
    /// returned later has no return.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The indices of the calls in the checked history.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The call that no order explains: without its return, there is an order.
    pub fn unexplained(&self) -> &Call {
        &self.history.calls[self.unexplained]
    }

    /// The index of the unexplained call in the checked history.
    pub(super) fn unexplained_index(&self) -> usize {
        self.indices[self.unexplained]
    }

    /// The number of calls in the checked history.
    pub(super) fn total(&self) -> usize {
        self.total
    }
}
