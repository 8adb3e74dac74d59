//! Finds out which calls of a history that is not linearizable show it.
//!
//! Whatever is left out or weakened here, a history that is then not linearizable was not
//! linearizable before:
//!
//! - Time: the beginning of a linearizable history is linearizable.
//! - Calls that change nothing can be taken out of any order.
//! - An order under expectations is an order without them.
//! - A change can be taken out of any order of calls of which none can see what it writes.
//!
//! Changes that can be seen must stay: without them, what was seen looks wrong and is not.

use std::ops::Range;

use super::checker::{Outcome, search};
use super::component::{Component, Step};
use super::values::Values;

/// The part of a component that is not linearizable, weakened as far as it can be. The return of
/// one call, the last, makes the difference; up to tick `at`, none does.
///
/// Attempts that would take more than `work` together are not made; the result is then larger.
pub(super) fn minimise(component: Component, at: u64, mut work: usize) -> Component {
    let mut component = shorten(component, at, &mut work);
    loop {
        let before = size(&component);
        shrink(&mut component, &mut work, without_observers);
        shrink(&mut component, &mut work, without_expectations);
        shrink(&mut component, &mut work, without_changes);
        if size(&component) == before {
            return component;
        }
    }
}

/// Cuts off everything after the first return without which there is an order.
fn shorten(component: Component, at: u64, work: &mut usize) -> Component {
    let mut returns: Vec<u64> = component.steps.iter().filter_map(|step| step.returned).collect();
    returns.retain(|returned| *returned >= at);
    returns.sort_unstable();
    let mut shortest = component;
    let (mut start, mut end) = (0, returns.len());
    while start < end {
        let middle = start.midpoint(end);
        let candidate = shortest.until(returns[middle]);
        if is_violation(&candidate, work) {
            shortest = candidate;
            end = middle;
        } else {
            start = middle + 1;
        }
    }
    shortest
}

/// Leaves out what can be, in ever smaller portions. `without` says what the component is without a
/// range of its steps; `None` if there is nothing in it to leave out.
fn shrink(
    component: &mut Component,
    work: &mut usize,
    without: impl Fn(&Component, Range<usize>) -> Option<Component>,
) {
    let mut portion = component.steps.len();
    while portion > 0 {
        // From the end, because the start of what is left then keeps its numbers.
        let mut end = component.steps.len();
        while end > 0 {
            let start = end.saturating_sub(portion);
            if let Some(candidate) = without(component, start..end)
                && is_violation(&candidate, work)
            {
                *component = candidate;
            }
            end = start;
        }
        portion /= 2;
    }
}

fn without_observers(component: &Component, range: Range<usize>) -> Option<Component> {
    without_steps(component, range, |step| step.transition.writes.is_empty())
}

fn without_changes(component: &Component, range: Range<usize>) -> Option<Component> {
    let values = Values::of(&component.steps);
    without_steps(component, range, |step| {
        !step.transition.writes.is_empty() && values.seen_until(step) == 0
    })
}

fn without_steps(
    component: &Component,
    range: Range<usize>,
    is_dispensable: impl Fn(&Step) -> bool,
) -> Option<Component> {
    let is_kept =
        |&(number, step): &(usize, &Step)| !range.contains(&number) || !is_dispensable(step);
    let steps: Vec<Step> =
        component.steps.iter().enumerate().filter(is_kept).map(|(_, step)| step.clone()).collect();
    (steps.len() < component.steps.len())
        .then(|| Component { initial: component.initial.clone(), steps })
}

fn without_expectations(component: &Component, range: Range<usize>) -> Option<Component> {
    let mut component = component.clone();
    let mut weakened = false;
    for Step { transition, .. } in &mut component.steps[range] {
        if !transition.writes.is_empty() && !transition.tests.is_empty() {
            transition.tests.clear();
            weakened = true;
        }
    }
    weakened.then_some(component)
}

/// Whether it is certain that there is no order; `false` if that takes more than `work`.
fn is_violation(component: &Component, work: &mut usize) -> bool {
    matches!(search(component, work), Outcome::Stuck { .. })
}

fn size(component: &Component) -> usize {
    component.steps.iter().map(|step| 1 + step.transition.tests.len()).sum()
}
