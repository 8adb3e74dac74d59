use std::collections::HashMap;

use super::action::Value;
use super::step::Step;
use super::transition::Test;

/// The return of a step of unknown outcome.
const NEVER: u64 = u64::MAX;

/// An index of the steps that write or observe each value of each cell.
pub(super) struct Values {
    uses: HashMap<(usize, Option<Value>), Uses>,
    /// By cell, the last return of a step that accepts anything but one value.
    excepts: HashMap<usize, u64>,
}

#[derive(Default)]
struct Uses {
    /// The steps that write the value, by their returns; ascending.
    writers: Vec<(u64, usize)>,
    /// The steps that must observe the value, by their returns; ascending.
    readers: Vec<(u64, usize)>,
    /// The last return of a step that observes the value if it takes effect.
    observed_until: u64,
}

impl Values {
    pub(super) fn of(steps: &[Step]) -> Self {
        let mut uses: HashMap<_, Uses> = HashMap::new();
        let mut excepts = HashMap::new();
        for (number, step) in steps.iter().enumerate() {
            let returned = step.returned.unwrap_or(NEVER);
            for &written in &step.transition.writes {
                uses.entry(written).or_default().writers.push((returned, number));
            }
            for &(cell, test) in &step.transition.tests {
                match test {
                    Test::Exactly(content) => {
                        let uses = uses.entry((cell, content)).or_default();
                        uses.observed_until = uses.observed_until.max(returned);
                        if step.returned.is_some() {
                            uses.readers.push((returned, number));
                        }
                    }
                    Test::Except(_) => {
                        let until = excepts.entry(cell).or_default();
                        *until = returned.max(*until);
                    }
                    Test::Never => {}
                }
            }
        }
        for uses in uses.values_mut() {
            uses.writers.sort_unstable();
            uses.readers.sort_unstable();
        }
        Self { uses, excepts }
    }

    /// The last return of a step that could observe whether this one took effect; 0 if none could.
    ///
    /// From then on, this step can be removed from any order of the remaining steps: no step
    /// observes its cells before they are overwritten.
    pub(super) fn observed_until(&self, step: &Step) -> u64 {
        let observed = step.transition.writes.iter().map(|written| {
            let exactly = self.uses.get(written).map_or(0, |uses| uses.observed_until);
            exactly.max(self.excepts.get(&written.0).copied().unwrap_or_default())
        });
        observed.max().unwrap_or_default()
    }

    /// Whether a future step must observe this content, and no future step can write it. Past steps
    /// are those that have returned by `now`, and those for which `is_past` holds.
    pub(super) fn is_missing(
        &self,
        cell: usize,
        content: Option<Value>,
        now: u64,
        is_past: impl Fn(usize) -> bool,
    ) -> bool {
        let any_future = |steps: &[(u64, usize)]| {
            let later = steps.iter().rev().take_while(|(returned, _)| *returned > now);
            later.into_iter().any(|&(_, step)| !is_past(step))
        };
        let uses = self.uses.get(&(cell, content));
        uses.is_some_and(|uses| any_future(&uses.readers) && !any_future(&uses.writers))
    }
}
