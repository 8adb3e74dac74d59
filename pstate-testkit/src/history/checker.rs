//! The search for an order: just-in-time linearization.
//!
//! It is Lowe's refinement of the search by Wing and Gong (*Testing for linearizability*, 2017).
//! The history is walked in the order of time. What is remembered of the past is a set of
//! [configurations](Configuration): all that the cells may hold now, and which of the open calls
//! have already taken effect then. A call must have taken effect when it returns; so at a return,
//! each configuration is continued in all ways in which a few of the open calls take effect one after
//! the other, that call last. If no configuration is left, there is no order.
//!
//! There are too many ways to try them all, above all with calls that never return. These are left
//! out, because another way leads to an order too if they do:
//!
//! - A call that the rest of the run has nothing to do with: it can take effect later.
//! - A call of unknown outcome whose changes are overwritten before anyone looks: it may as well not
//!   have happened.
//! - Any run that is not a help yet for what it tests: runs are made from the end, so that what
//!   remains to be tested is known, and whether any open call may bring it about.
//! - A run that overwrites a value for good which some call still has to see.
//! - Not to let a read take effect at the first moment at which the cells hold what it saw.
//! - A configuration that another one [covers](Search::covers).

use std::collections::{BTreeMap, HashSet};

use super::component::{Component, Step};
use super::transition::{State, Transition};
use super::values::Values;

/// How many runs are looked at before a search is given up.
pub(super) const WORK: usize = 1_000_000;

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// There is an order.
    Explained,
    /// There is none. Up to this tick, its return excluded, there was.
    Stuck { at: u64 },
    /// The work that was allowed did not suffice.
    Undecided,
}

/// Searches for an order; takes what it did from `work`.
pub(super) fn search(component: &Component, work: &mut usize) -> Outcome {
    let steps = &component.steps;
    let values = Values::of(steps);
    let mut search = Search {
        seen_until: steps.iter().map(|step| values.seen_until(step)).collect(),
        steps,
        values,
        now: 0,
        pending: Vec::new(),
        adrift: Vec::new(),
        work,
    };
    let mut returns: Vec<(u64, usize)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        returns.extend(step.returned.map(|returned| (returned, number)));
    }
    returns.sort_unstable();

    let mut invoked = 0;
    let mut configurations =
        vec![Configuration { state: component.initial.clone(), early: vec![] }];
    for (at, number) in returns {
        while steps.get(invoked).is_some_and(|step| step.invoked <= at) {
            search.invoke(invoked);
            invoked += 1;
        }
        match search.return_of(number, at, configurations) {
            None => return Outcome::Undecided,
            Some(next) if next.is_empty() => return Outcome::Stuck { at },
            Some(next) => configurations = next,
        }
    }
    Outcome::Explained
}

/// One of the ways in which things may stand.
struct Configuration {
    state: State,
    /// Which calls have taken effect and not returned, ascending. One of unknown outcome that took
    /// effect remains in it.
    early: Vec<usize>,
}

/// Calls that take effect one right after the other.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Run {
    /// Ascending; their order is of no concern any more.
    members: Vec<usize>,
    /// What they do together.
    transition: Transition,
}

/// For each state what [`early`](Configuration::early) may be.
type Frontier = BTreeMap<State, Vec<Vec<usize>>>;

struct Search<'a> {
    steps: &'a [Step],
    values: Values,
    /// See [`Values::seen_until`].
    seen_until: Vec<u64>,
    now: u64,
    /// Which calls have been invoked and will return.
    pending: Vec<usize>,
    /// Which calls have been invoked and never return.
    adrift: Vec<usize>,
    work: &'a mut usize,
}

impl Search<'_> {
    fn invoke(&mut self, number: usize) {
        match self.steps[number].returned {
            Some(_) => self.pending.push(number),
            None => self.adrift.push(number),
        }
    }

    /// What the configurations become when a call returns; `None` if that takes too much work.
    fn return_of(
        &mut self,
        number: usize,
        at: u64,
        configurations: Vec<Configuration>,
    ) -> Option<Vec<Configuration>> {
        self.now = at;
        let mut next = Frontier::new();
        for mut configuration in configurations {
            self.read(&mut configuration);
            if let Ok(place) = configuration.early.binary_search(&number) {
                configuration.early.remove(place);
                self.keep(&mut next, configuration);
            } else {
                self.explain(number, &configuration, &mut next)?;
            }
        }
        self.pending.retain(|&pending| pending != number);
        let flatten = |(state, many): (State, Vec<_>)| {
            many.into_iter().map(move |early| Configuration { state: state.clone(), early })
        };
        Some(next.into_iter().flat_map(flatten).collect())
    }

    /// Lets all pending reads take effect that may.
    fn read(&self, configuration: &mut Configuration) {
        for &number in &self.pending {
            let transition = &self.steps[number].transition;
            if transition.writes.is_empty() && transition.is_possible_in(&configuration.state) {
                insert(&mut configuration.early, number);
            }
        }
    }

    /// Continues a configuration by all runs that end with this call.
    fn explain(&mut self, last: usize, from: &Configuration, next: &mut Frontier) -> Option<()> {
        let adrift = self.adrift.iter().filter(|&&number| self.seen_until[number] >= self.now);
        let mut others: Vec<usize> = self.pending.iter().chain(adrift).copied().collect();
        others.retain(|number| *number != last && from.early.binary_search(number).is_err());

        let transition = self.steps[last].transition.clone();
        let run = Run { members: vec![last], transition };
        let mut seen = HashSet::new();
        let mut runs = Vec::new();
        if self.is_promising(&run, from, &others) {
            runs.push(run);
        }
        while let Some(run) = runs.pop() {
            *self.work = self.work.checked_sub(1)?;
            if run.transition.is_possible_in(&from.state) && !self.is_final_loss(&run, from) {
                let mut to = Configuration { state: from.state.clone(), early: from.early.clone() };
                run.transition.apply_to(&mut to.state);
                for &member in run.members.iter().filter(|member| **member != last) {
                    insert(&mut to.early, member);
                }
                self.keep(next, to);
            }
            for &other in &others {
                if let Some(longer) = self.lengthened(&run, other, from)
                    && self.is_promising(&longer, from, &others)
                    && seen.insert(longer.clone())
                {
                    runs.push(longer);
                }
            }
        }
        Some(())
    }

    /// The run with a call before it, if that may be of any use.
    fn lengthened(&self, run: &Run, first: usize, from: &Configuration) -> Option<Run> {
        if run.members.binary_search(&first).is_ok() {
            return None;
        }
        let step = &self.steps[first];
        let Transition { tests, writes } = &step.transition;
        let rest = &run.transition;
        let is_written = |cell| rest.written(cell).is_some();
        let concerns_the_rest =
            writes.iter().any(|&(cell, _)| is_written(cell) || rest.tests_cell(cell))
                || tests.iter().any(|&(cell, _)| is_written(cell));
        if !concerns_the_rest {
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
        // Who has to see what the first call writes sees it now or, if it is what the cell
        // holds already, before the run.
        let lost = |&(cell, content): &(usize, _)| {
            from.state[cell] != content && self.is_lost(cell, content, &members, rest, from)
        };
        if writes.iter().any(lost) {
            return None;
        }
        Some(Run { members, transition })
    }

    /// Whether each test of the run passes, or some other call may make it pass.
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

    /// Whether the run overwrites something that has to be seen later and does not come back.
    fn is_final_loss(&self, run: &Run, from: &Configuration) -> bool {
        run.transition.writes.iter().any(|&(cell, _)| {
            self.is_lost(cell, from.state[cell], &run.members, &run.transition, from)
        })
    }

    /// Whether these contents of a cell have to be seen by a call that takes effect neither before
    /// nor among `members`, though the end of those overwrites them for good.
    fn is_lost(
        &self,
        cell: usize,
        content: Option<super::Value>,
        members: &[usize],
        end: &Transition,
        from: &Configuration,
    ) -> bool {
        let is_past = |number: usize| {
            members.binary_search(&number).is_ok() || from.early.binary_search(&number).is_ok()
        };
        end.written(cell).is_some_and(|last| last != content)
            && self.values.is_missing(cell, content, self.now, is_past)
    }

    /// Adds a configuration, unless one that is there covers it.
    fn keep(&self, frontier: &mut Frontier, configuration: Configuration) {
        let many = frontier.entry(configuration.state).or_default();
        let early = configuration.early;
        if !many.iter().any(|other| self.covers(other, &early)) {
            many.retain(|other| !self.covers(&early, other));
            many.push(early);
        }
    }

    /// Whether all that can follow if `b` have taken effect can follow, in the same state, if `a`
    /// have.
    ///
    /// A call of unknown outcome need not take effect, so it does no harm to have more of them left.
    /// Any other has to; it does no harm to have that behind it, if nobody could tell.
    fn covers(&self, a: &[usize], b: &[usize]) -> bool {
        let only = |a: &[usize], b: &[usize], allowed: &dyn Fn(usize) -> bool| {
            a.iter().all(|&number| b.binary_search(&number).is_ok() || allowed(number))
        };
        only(b, a, &|number| self.steps[number].returned.is_none())
            && only(a, b, &|number| {
                self.steps[number].returned.is_some() && self.seen_until[number] <= self.now
            })
    }
}

/// Adds a number to an ascending list, if it is not there.
fn insert(numbers: &mut Vec<usize>, number: usize) {
    if let Err(place) = numbers.binary_search(&number) {
        numbers.insert(place, number);
    }
}
