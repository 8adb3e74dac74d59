//! Who writes which value, and who sees it.

use std::collections::HashMap;

use super::Value;
use super::component::Step;
use super::transition::Test;

/// When a step is out of the way: an unknown one never is.
const NEVER: u64 = u64::MAX;

/// Where each value of each cell comes from, and where it is seen.
pub(super) struct Values {
    uses: HashMap<(usize, Option<Value>), Uses>,
    /// For each cell: the last return of a step that may see anything but one value.
    excepts: HashMap<usize, u64>,
}

#[derive(Default)]
struct Uses {
    /// When steps return that write the value, and which; ascending.
    writers: Vec<(u64, usize)>,
    /// The same of steps that have to see it.
    readers: Vec<(u64, usize)>,
    /// The last return of a step that sees exactly this, if it takes effect.
    seen_until: u64,
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
                        uses.seen_until = uses.seen_until.max(returned);
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

    /// The last return of a step that might tell whether this one took effect; 0 if none can.
    ///
    /// From then on, an order of the steps that are left remains one if this step is taken out of
    /// it: wherever it was, nobody looks at its cells before they are written again.
    pub(super) fn seen_until(&self, step: &Step) -> u64 {
        let seen = step.transition.writes.iter().map(|written| {
            let exactly = self.uses.get(written).map_or(0, |uses| uses.seen_until);
            exactly.max(self.excepts.get(&written.0).copied().unwrap_or_default())
        });
        seen.max().unwrap_or_default()
    }

    /// Whether a step that is still to come has to see this, and none that is still to come can
    /// write it. Steps that have returned by `now` are past, and so are those that `is_past` says.
    pub(super) fn is_missing(
        &self,
        cell: usize,
        content: Option<Value>,
        now: u64,
        is_past: impl Fn(usize) -> bool,
    ) -> bool {
        let to_come = |steps: &[(u64, usize)]| {
            let later = steps.iter().rev().take_while(|(returned, _)| *returned > now);
            later.into_iter().any(|&(_, step)| !is_past(step))
        };
        let uses = self.uses.get(&(cell, content));
        uses.is_some_and(|uses| to_come(&uses.readers) && !to_come(&uses.writers))
    }
}
