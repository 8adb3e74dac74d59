//! Reduces a history that is not linearizable to the calls that prove it.
//!
//! Every reduction is sound: if the reduced history is not linearizable, the original is not
//! linearizable either.
//!
//! - Time: every prefix of a linearizable history is linearizable.
//! - Calls that change nothing can be removed from any order.
//! - An order under expectations is also an order without them.
//! - A change can be removed from any order of calls that cannot observe what it writes.
//!
//! Changes that can be observed must stay: without them, correct observations look wrong.

use std::ops::Range;

use super::component::Component;
use super::search::{Outcome, search};
use super::step::Step;
use super::values::Values;

/// Reduces a component that is not linearizable as far as possible. The last return of the result
/// makes the violation; there is an order up to tick `at`, its return excluded.
///
/// All attempts together take at most `work`; the result is larger if that does not suffice.
pub(super) fn minimize(component: Component, at: u64, mut work: usize) -> Component {
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

/// Cuts off everything after the return that makes the violation, by binary search.
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

/// Removes what it can, in ever smaller portions. `without` removes or weakens a range of steps;
/// `None` if the range has nothing to remove.
fn shrink(
    component: &mut Component,
    work: &mut usize,
    without: impl Fn(&Component, Range<usize>) -> Option<Component>,
) {
    let mut portion = component.steps.len();
    while portion > 0 {
        // From the end, so that the steps in front of the range keep their indices.
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
        !step.transition.writes.is_empty() && values.observed_until(step) == 0
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

/// Whether there is certainly no order; `false` if finding out takes more than `work`.
fn is_violation(component: &Component, work: &mut usize) -> bool {
    matches!(search(component, work), Outcome::Stuck { .. })
}

fn size(component: &Component) -> usize {
    component.steps.iter().map(|step| 1 + step.transition.tests.len()).sum()
}
