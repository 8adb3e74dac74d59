use super::call::Call;
use super::component::Component;
use super::history::History;
use super::minimize::minimize;
use super::search::{Outcome, WORK, search};
use super::unaccepted::Unaccepted;
use super::undecided::Undecided;
use super::violation::Violation;

impl History {
    /// Checks whether the history is linearizable.
    ///
    /// The problem is NP-complete, so the work is bounded. A history that exceeds the bound is
    /// [`Undecided`](Unaccepted::Undecided); a history of some thousand calls, some hundred of them
    /// of unknown outcome, stays far below it if values are unique. The outcome depends only on the
    /// history.
    ///
    /// # Errors
    ///
    /// [`Violation`](Unaccepted::Violation) if the history is certainly not linearizable;
    /// [`Undecided`](Unaccepted::Undecided) if the check did not find out.
    pub fn check(&self) -> Result<(), Unaccepted> {
        let mut undecided = None;
        let mut first: Option<(u64, Component)> = None;
        // Linearizability is local: calls that share no cell, even indirectly, cannot contradict
        // each other.
        for component in Component::split(self) {
            match search(&component, &mut { WORK }) {
                Outcome::Explained => {}
                Outcome::Stuck { at } => {
                    if first.as_ref().is_none_or(|(before, _)| at < *before) {
                        first = Some((at, component));
                    }
                }
                Outcome::Undecided => {
                    undecided.get_or_insert(Undecided { calls: component.steps.len(), work: WORK });
                }
            }
        }
        if let Some((at, component)) = first {
            let essential = minimize(component, at, WORK);
            return Err(Unaccepted::Violation(self.violation(&essential)));
        }
        undecided.map_or(Ok(()), |undecided| Err(Unaccepted::Undecided(undecided)))
    }

    fn violation(&self, essential: &Component) -> Violation {
        let mut indices = Vec::new();
        let mut calls = Vec::new();
        for step in &essential.steps {
            indices.push(step.call);
            // Minimizing cuts off the end of the history, and with it some returns.
            calls.push(Call { returned: step.returned, ..self.calls[step.call].clone() });
        }
        let history = Self { calls, initial: self.initial.clone() };
        Violation::new(history, indices, self.calls.len())
    }
}
