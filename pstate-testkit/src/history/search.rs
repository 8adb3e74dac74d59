//! The search for an order: just-in-time linearization.
//!
//! This is Lowe's refinement of the search by Wing and Gong (*Testing for linearizability*, 2017).
//! It walks the history in the order of time. The past is summarized by a set of
//! [configurations](Configuration): the possible contents of the cells, and the open calls that
//! have already taken effect. A call must have taken effect when it returns. So at each return, the
//! search extends each configuration by every run of open calls that ends with the returning call.
//! If no configuration is left, there is no order.
//!
//! There are too many runs to try them all, above all with calls that never return. The search
//! skips these, because another run leads to an order if they do:
//!
//! - A call that does not affect the rest of the run: it can take effect later.
//! - A call of unknown outcome whose changes are overwritten before any call observes them: it may
//!   as well not have happened.
//! - A run that does not help to pass its tests. Runs grow from the end, so the search knows which
//!   tests remain and whether any open call can make them pass.
//! - A run that overwrites a value for good which some call must still observe.
//! - Delaying a read beyond the first moment at which the cells hold what it read.
//! - A configuration that another one [covers](Search::covers).

use std::collections::{BTreeMap, HashSet};

use super::action::Value;
use super::component::Component;
use super::step::Step;
use super::transition::{State, Transition};
use super::values::Values;

/// The number of runs that a search may try.
pub(super) const WORK: usize = 1_000_000;

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is an order.
    Explained,
    /// There is no order. There was one up to this tick, its return excluded.
    Stuck { at: u64 },
    /// The search exceeded its work.
    Undecided,
}

/// Searches for an order, and subtracts what it did from `work`.
pub(super) fn search(component: &Component, work: &mut usize) -> Outcome {
    let steps = &component.steps;
    let values = Values::of(steps);
    let mut search = Search {
        observed_until: steps.iter().map(|step| values.observed_until(step)).collect(),
        steps,
        values,
        now: 0,
        pending: Vec::new(),
        unreturned: Vec::new(),
        work,
    };
    let mut returns: Vec<(u64, usize)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        returns.extend(step.returned.map(|returned| (returned, number)));
    }
    returns.sort_unstable();

    let mut invoked = 0;
    let mut configurations =
        vec![Configuration { state: component.initial.clone(), applied: vec![] }];
    for (at, number) in returns {
        while steps.get(invoked).is_some_and(|step| step.invoked <= at) {
            search.invoke(invoked);
            invoked += 1;
        }
        match search.return_from(number, at, configurations) {
            None => return Outcome::Undecided,
            Some(next) if next.is_empty() => return Outcome::Stuck { at },
            Some(next) => configurations = next,
        }
    }
    Outcome::Explained
}

/// One possible state of the store at a moment.
struct Configuration {
    state: State,
    /// The calls that have taken effect and not returned, ascending. A call of unknown outcome that
    /// took effect stays forever.
    applied: Vec<usize>,
}

/// Calls that take effect in direct succession.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Run {
    /// Ascending; the order in which they take effect no longer matters.
    members: Vec<usize>,
    /// The composition of their transitions.
    transition: Transition,
}

/// By state, the possible [applied](Configuration::applied) calls.
type Frontier = BTreeMap<State, Vec<Vec<usize>>>;

struct Search<'a> {
    steps: &'a [Step],
    values: Values,
    /// See [`Values::observed_until`].
    observed_until: Vec<u64>,
    now: u64,
    /// The invoked calls that have not returned yet.
    pending: Vec<usize>,
    /// The invoked calls that never return.
    unreturned: Vec<usize>,
    work: &'a mut usize,
}

impl Search<'_> {
    fn invoke(&mut self, number: usize) {
        match self.steps[number].returned {
            Some(_) => self.pending.push(number),
            None => self.unreturned.push(number),
        }
    }

    /// Extends the configurations by the return of a call; `None` if that takes too much work.
    fn return_from(
        &mut self,
        number: usize,
        at: u64,
        configurations: Vec<Configuration>,
    ) -> Option<Vec<Configuration>> {
        self.now = at;
        let mut next = Frontier::new();
        for mut configuration in configurations {
            self.apply_reads(&mut configuration);
            if let Ok(place) = configuration.applied.binary_search(&number) {
                configuration.applied.remove(place);
                self.add(&mut next, configuration);
            } else {
                self.extend(number, &configuration, &mut next)?;
            }
        }
        self.pending.retain(|&pending| pending != number);
        let flatten = |(state, many): (State, Vec<_>)| {
            many.into_iter().map(move |applied| Configuration { state: state.clone(), applied })
        };
        Some(next.into_iter().flat_map(flatten).collect())
    }

    /// Lets all pending reads take effect that can.
    fn apply_reads(&self, configuration: &mut Configuration) {
        for &number in &self.pending {
            let transition = &self.steps[number].transition;
            if transition.writes.is_empty() && transition.is_possible_in(&configuration.state) {
                insert(&mut configuration.applied, number);
            }
        }
    }

    /// Extends a configuration by all runs that end with this call.
    fn extend(&mut self, last: usize, from: &Configuration, next: &mut Frontier) -> Option<()> {
        let unreturned =
            self.unreturned.iter().filter(|&&number| self.observed_until[number] >= self.now);
        let mut others: Vec<usize> = self.pending.iter().chain(unreturned).copied().collect();
        others.retain(|number| *number != last && from.applied.binary_search(number).is_err());

        let transition = self.steps[last].transition.clone();
        let run = Run { members: vec![last], transition };
        let mut seen = HashSet::new();
        let mut runs = Vec::new();
        if self.is_promising(&run, from, &others) {
            runs.push(run);
        }
        while let Some(run) = runs.pop() {
            *self.work = self.work.checked_sub(1)?;
            if run.transition.is_possible_in(&from.state) && !self.overwrites_for_good(&run, from) {
                let mut to =
                    Configuration { state: from.state.clone(), applied: from.applied.clone() };
                run.transition.apply_to(&mut to.state);
                for &member in run.members.iter().filter(|member| **member != last) {
                    insert(&mut to.applied, member);
                }
                self.add(next, to);
            }
            for &other in &others {
                if let Some(longer) = self.prepend(&run, other, from)
                    && self.is_promising(&longer, from, &others)
                    && seen.insert(longer.clone())
                {
                    runs.push(longer);
                }
            }
        }
        Some(())
    }

    /// The run with a call in front of it, unless the search can skip that run.
    fn prepend(&self, run: &Run, first: usize, from: &Configuration) -> Option<Run> {
        if run.members.binary_search(&first).is_ok() {
            return None;
        }
        let step = &self.steps[first];
        let Transition { tests, writes } = &step.transition;
        let rest = &run.transition;
        let is_written = |cell| rest.written(cell).is_some();
        let affects_the_rest =
            writes.iter().any(|&(cell, _)| is_written(cell) || rest.tests_cell(cell))
                || tests.iter().any(|&(cell, _)| is_written(cell));
        if !affects_the_rest {
            return None;
        }
        let overwritten =
            || writes.iter().all(|&(cell, _)| is_written(cell) && !rest.tests_cell(cell));
        if step.returned.is_none() && overwritten() {
            return None;
        }
        let transition = rest.after(&step.transition)?;
        let mut members = run.members.clone();
        insert(&mut members, first);
        // A call that must observe what the first call writes does so right after it or, if the
        // cell holds that content already, before the run.
        let lost = |&(cell, content): &(usize, _)| {
            from.state[cell] != content && self.is_lost(cell, content, &members, rest, from)
        };
        if writes.iter().any(lost) {
            return None;
        }
        Some(Run { members, transition })
    }

    /// Whether each test of the run passes, or some other call can make it pass.
    fn is_promising(&self, run: &Run, from: &Configuration, others: &[usize]) -> bool {
        run.transition.tests.iter().all(|&(cell, test)| {
            test.holds(from.state[cell])
                || others.iter().any(|&other| {
                    let written = self.steps[other].transition.written(cell);
                    written.is_some_and(|content| test.holds(content))
                        && run.members.binary_search(&other).is_err()
                })
        })
    }

    /// Whether the run overwrites content that a later call must observe, and no call restores.
    fn overwrites_for_good(&self, run: &Run, from: &Configuration) -> bool {
        run.transition.writes.iter().any(|&(cell, _)| {
            self.is_lost(cell, from.state[cell], &run.members, &run.transition, from)
        })
    }

    /// Whether a call that takes effect neither before nor among `members` must observe this
    /// content of a cell, although `end` overwrites it for good.
    fn is_lost(
        &self,
        cell: usize,
        content: Option<Value>,
        members: &[usize],
        end: &Transition,
        from: &Configuration,
    ) -> bool {
        let is_past = |number: usize| {
            members.binary_search(&number).is_ok() || from.applied.binary_search(&number).is_ok()
        };
        end.written(cell).is_some_and(|last| last != content)
            && self.values.is_missing(cell, content, self.now, is_past)
    }

    /// Adds a configuration, unless another one covers it.
    fn add(&self, frontier: &mut Frontier, configuration: Configuration) {
        let many = frontier.entry(configuration.state).or_default();
        let applied = configuration.applied;
        if !many.iter().any(|other| self.covers(other, &applied)) {
            many.retain(|other| !self.covers(&applied, other));
            many.push(applied);
        }
    }

    /// Whether everything that can follow in a state if the calls `b` have taken effect can also
    /// follow if the calls `a` have.
    ///
    /// A call of unknown outcome need not take effect, so leaving more of them open does no harm.
    /// Any other call must take effect; having that behind it does no harm if no call can observe
    /// it.
    fn covers(&self, a: &[usize], b: &[usize]) -> bool {
        let only = |a: &[usize], b: &[usize], allowed: &dyn Fn(usize) -> bool| {
            a.iter().all(|&number| b.binary_search(&number).is_ok() || allowed(number))
        };
        only(b, a, &|number| self.steps[number].returned.is_none())
            && only(a, b, &|number| {
                self.steps[number].returned.is_some() && self.observed_until[number] <= self.now
            })
    }
}

/// Adds a number to an ascending list, unless the list contains it.
fn insert(numbers: &mut Vec<usize>, number: usize) {
    if let Err(place) = numbers.binary_search(&number) {
        numbers.insert(place, number);
    }
}
