use std::collections::HashMap;

use super::action::Value;
use super::history::History;
use super::step::Step;
use super::transition::{State, Transition};

/// A set of cells that calls connect, numbered from 0, and those calls in the order of their
/// invocations.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) initial: State,
    pub(super) steps: Vec<Step>,
}

impl Component {
    /// The component as it was at a tick: later calls are missing, and calls that return later have
    /// no return.
    pub(super) fn until(&self, tick: u64) -> Self {
        let mut steps = self.steps.clone();
        steps.retain_mut(|step| {
            step.returned = step.returned.filter(|returned| *returned <= tick);
            step.invoked <= tick && step.matters()
        });
        Self { initial: self.initial.clone(), steps }
    }

    /// Splits a history into components. Calls that constrain no order belong to none.
    pub(super) fn split(history: &History) -> Vec<Self> {
        let mut cells = DisjointSets::default();
        let mut steps = Vec::new();
        for (number, call) in history.calls.iter().enumerate() {
            let step = Step {
                call: number,
                invoked: call.invoked,
                returned: call.returned,
                transition: Transition::from(&call.action),
            };
            let cell = step.transition.cells().next();
            if let Some(cell) = cell.filter(|_| step.matters()) {
                step.transition.cells().for_each(|other| cells.join(cell, other));
                steps.push((cell, step));
            }
        }
        steps.sort_by_key(|(_, step)| step.invoked);

        let initial: HashMap<usize, Value> =
            history.initial.iter().map(|&(cell, value)| (cell as usize, value)).collect();
        let mut components: Vec<Self> = Vec::new();
        let mut numbers = HashMap::new();
        let mut places = HashMap::new();
        for (cell, mut step) in steps {
            let number = *numbers.entry(cells.root(cell)).or_insert_with(|| {
                components.push(Self { initial: Vec::new(), steps: Vec::new() });
                components.len() - 1
            });
            let component = &mut components[number];
            for cell in step.transition.cells() {
                places.entry(cell).or_insert_with(|| {
                    component.initial.push(initial.get(&cell).copied());
                    component.initial.len() - 1
                });
            }
            step.transition = step.transition.renumbered(|cell| places[&cell]);
            component.steps.push(step);
        }
        components
    }
}

/// Disjoint sets of cells: union-find with path halving.
#[derive(Default)]
struct DisjointSets {
    parents: HashMap<usize, usize>,
}

impl DisjointSets {
    fn root(&mut self, mut cell: usize) -> usize {
        while let Some(&parent) = self.parents.get(&cell) {
            if let Some(&above) = self.parents.get(&parent) {
                self.parents.insert(cell, above);
            }
            cell = parent;
        }
        cell
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parents.insert(a, b);
        }
    }
}
