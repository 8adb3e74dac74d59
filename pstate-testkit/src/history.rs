//! Was there an order? A checker of recorded histories for linearizability.
//!
//! A [`History`] is what clients saw who used one store at the same time: for each [`Call`] when it
//! was invoked, when it returned, and what it did. The history is linearizable if every call can be
//! given one moment between the two at which it took effect, so that what was seen is what a store
//! would have answered that does one call after the other. [`History::check`] finds out whether such
//! moments exist, and if not, which few calls show it.
//!
//! The store is an array of registers, here called cells. One call may read several of them, or
//! change several under expectations (compare-and-swap), at one moment.
//!
//! A call whose outcome is not known has no return: an error that leaves open what happened, a
//! dropped future, a process that was killed. It may have taken effect at any time since it was
//! invoked, or never.

use std::fmt;

use pstate_core::Atomicity;

use crate::conformance::recorded;
use crate::recording::OperationLog;

mod checker;
mod component;
mod minimise;
mod picture;
mod transition;
mod values;

#[cfg(test)]
mod tests;

/// One of the registers; whoever records numbers the keys.
pub type Cell = u32;

/// What a register holds; whoever records numbers the values.
///
/// A check is fastest, and finds most, if no value is written twice.
pub type Value = u32;

/// What a call expects of a cell before it changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expectation {
    /// Nothing; it always holds.
    Any,
    /// The cell is empty.
    Absent,
    /// The cell holds this value.
    Is(Value),
    /// The cell holds something that it cannot hold, such as a revision that nobody was given; it
    /// never holds.
    Never,
}

/// The change of one cell by a [`Change`](Action::Change).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alteration {
    /// What is changed.
    pub cell: Cell,
    /// What was expected of it, and held.
    pub expectation: Expectation,
    /// What it holds from then on; `None` if nothing.
    pub becomes: Option<Value>,
}

/// What a call did, all of it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It saw these cells hold this; `None` is an empty cell.
    Read(Vec<(Cell, Option<Value>)>),
    /// Every expectation held, and all the cells were changed. No cell is in it twice.
    Change(Vec<Alteration>),
    /// It changed nothing, because at that moment each of these expectations held (`true`) or did
    /// not hold (`false`).
    Refuse(Vec<(Cell, Expectation, bool)>),
}

/// One call of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it was invoked: a tick of a clock that all clients share.
    pub invoked: u64,
    /// When it returned; `None` if its outcome is not known. Then a [`Change`](Action::Change) took
    /// effect at any time after `invoked` or never, and anything else says nothing.
    pub returned: Option<u64>,
    /// What it did, or what it would have done.
    pub action: Action,
    /// What people are told about it, like `write card:1 := "b"`.
    pub label: String,
}

/// What clients saw who used one store at the same time.
///
/// Ticks should be distinct. If a return and an invocation share one, the calls count as
/// overlapping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The calls, in any order.
    pub calls: Vec<Call>,
    /// What cells held before; all others were empty.
    pub initial: Vec<(Cell, Value)>,
}

impl History {
    /// A history that begins with empty cells.
    pub fn new(calls: Vec<Call>) -> Self {
        Self { calls, initial: Vec::new() }
    }

    /// What a log tells of stores that began empty. What spans several keys is one call if the adapter
    /// declares [`Atomicity::Batch`], otherwise one for each key; a write that has failed and may be
    /// tried again changed nothing.
    pub fn recorded(log: &OperationLog, atomicity: Atomicity) -> Self {
        Self::new(recorded::calls(&log.operations(), atomicity))
    }

    /// Finds out whether the history is linearizable.
    ///
    /// The problem is NP-complete, so there is a bound on the work. A history that exceeds it is
    /// [`Undecided`](Unaccepted::Undecided); one of some thousand calls with some hundred of
    /// unknown outcome is far from it if values are unique. The outcome depends on the history
    /// only.
    ///
    /// # Errors
    ///
    /// [`Violation`](Unaccepted::Violation) if it is not linearizable, which is then certain;
    /// [`Undecided`](Unaccepted::Undecided) if that was not found out.
    pub fn check(&self) -> Result<(), Unaccepted> {
        self.check_within(checker::WORK)
    }

    /// [`check`](Self::check) with a bound of one's own, for each independent set of cells.
    fn check_within(&self, work: usize) -> Result<(), Unaccepted> {
        let mut undecided = None;
        let mut first: Option<(u64, component::Component)> = None;
        // Linearizability is local: calls that share no cell, not even through others, cannot
        // contradict each other.
        for component in component::split(self) {
            match checker::search(&component, &mut work.clone()) {
                checker::Outcome::Explained => {}
                checker::Outcome::Stuck { at } => {
                    if first.as_ref().is_none_or(|(before, _)| at < *before) {
                        first = Some((at, component));
                    }
                }
                checker::Outcome::Undecided => {
                    undecided.get_or_insert(Undecided { calls: component.steps.len(), work });
                }
            }
        }
        if let Some((at, component)) = first {
            let essential = minimise::minimise(component, at, work);
            return Err(Unaccepted::Violation(self.violation(&essential)));
        }
        undecided.map_or(Ok(()), |undecided| Err(Unaccepted::Undecided(undecided)))
    }

    fn violation(&self, essential: &component::Component) -> Violation {
        let mut indices = Vec::new();
        let mut calls = Vec::new();
        for step in &essential.steps {
            indices.push(step.call);
            // The rest of the history did not matter, so what returned only then had not returned.
            calls.push(Call { returned: step.returned, ..self.calls[step.call].clone() });
        }
        let last = (0..calls.len()).max_by_key(|&i| calls[i].returned);
        Violation {
            unexplained: last.unwrap_or_default(),
            history: Self { calls, initial: self.initial.clone() },
            indices,
            of: self.calls.len(),
        }
    }
}

/// Why a history was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unaccepted {
    /// It is not linearizable.
    Violation(Violation),
    /// It may be linearizable or not.
    Undecided(Undecided),
}

/// A few calls of a history that no order explains.
///
/// They are a violation even without all the others, whatever those did: calls were left out only
/// if they change nothing, or if nobody among the rest could have told whether they had happened.
/// Displayed, it is a picture with one line for each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    history: History,
    indices: Vec<usize>,
    unexplained: usize,
    of: usize,
}

impl Violation {
    /// The calls as a history of their own, in the order in which they were invoked.
    ///
    /// It ends with the return of the [unexplained](Self::unexplained) call: a call that returned
    /// later has no return in it.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Where the calls are in the history that was checked.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The call that no moment explains: without its return, the rest could have happened.
    pub fn unexplained(&self) -> &Call {
        &self.history.calls[self.unexplained]
    }
}

/// A history whose check took too much work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    calls: usize,
    work: usize,
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, work } = self;
        write!(
            f,
            "undecided: after {work} steps, it is open whether an order explains {calls} calls"
        )
    }
}

impl fmt::Display for Unaccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => violation.fmt(f),
            Self::Undecided(undecided) => undecided.fmt(f),
        }
    }
}

impl std::error::Error for Unaccepted {}
