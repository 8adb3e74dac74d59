//! Planning a preload: which fields are followed, from which documents.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroU32;

use super::spec::{Options, Path, Preload};
use crate::model::{Error, Key, Result};

/// How often a field may repeat.
const MAX_DEPTH: u32 = 1_000;

/// A preload in which each field of a document is followed once. Steps refer to each other by
/// their index.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) roots: Vec<usize>,
    pub(super) keep_going: bool,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) field: String,
    pub(super) depth: NonZeroU32,
    pub(super) options: Options,
    pub(super) next: Vec<usize>,
}

impl Plan {
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if a field is asked for twice with
    /// different options, has no name, or repeats more than 1,000 times.
    pub(crate) fn new(preload: &Preload) -> Result<Self> {
        let mut plan =
            Self { steps: Vec::new(), roots: Vec::new(), keep_going: preload.keep_going };
        plan.roots = plan.add(&preload.paths, Vec::new())?;
        Ok(plan)
    }

    /// Adds paths beside the steps of `siblings`; those with the same field become one step.
    fn add(&mut self, paths: &[Path], mut siblings: Vec<usize>) -> Result<Vec<usize>> {
        for path in paths {
            if path.field.is_empty() {
                return Err(Error::invalid_input("a field without a name"));
            }
            if path.depth.get() > MAX_DEPTH {
                return Err(Error::invalid_input(format!(
                    "`{}` repeats {} times, at most {MAX_DEPTH} are allowed",
                    path.field, path.depth
                )));
            }
            let at = siblings.iter().copied().find(|&at| self.steps[at].field == path.field);
            let at = match at {
                None => {
                    self.steps.push(Step {
                        field: path.field.clone(),
                        depth: path.depth,
                        options: path.options.clone(),
                        next: Vec::new(),
                    });
                    siblings.push(self.steps.len() - 1);
                    self.steps.len() - 1
                }
                Some(at) => {
                    let step = &self.steps[at];
                    if (step.depth, &step.options) != (path.depth, &path.options) {
                        return Err(Error::invalid_input(format!(
                            "`{}` is asked for twice with different options",
                            path.field
                        )));
                    }
                    at
                }
            };
            let next = std::mem::take(&mut self.steps[at].next);
            self.steps[at].next = self.add(&path.paths, next)?;
        }
        Ok(siblings)
    }

    /// What the plan does, in words.
    pub(crate) fn explain(&self, root: &Key, max_batch: Option<usize>) -> Explanation {
        let mut levels = Vec::new();
        let mut frontier: Vec<(usize, String, u32)> =
            self.roots.iter().map(|&at| (at, String::new(), self.steps[at].depth.get())).collect();
        while !frontier.is_empty() {
            let mut level = Vec::new();
            let mut next = Vec::new();
            let mut seen = HashSet::new();
            for (at, prefix, remaining) in frontier {
                let step = &self.steps[at];
                let star = if step.depth.get() > 1 { "*" } else { "" };
                let path = format!("{prefix}{}{star}", step.field);
                level.push(format!("{path}{}", step.options));
                // A repeated field leads to itself and on, from each of its levels alike.
                for &child in &step.next {
                    next.push((child, format!("{path}."), self.steps[child].depth.get()));
                }
                if remaining > 1 {
                    next.push((at, prefix, remaining - 1));
                }
            }
            next.retain(|(at, prefix, remaining)| seen.insert((*at, prefix.clone(), *remaining)));
            level.dedup();
            levels.push(level);
            frontier = next;
        }
        Explanation { root: root.clone(), levels, max_batch }
    }
}

/// What a preload would do; made by [`PState::explain`](crate::PState::explain).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    root: Key,
    levels: Vec<Vec<String>>,
    max_batch: Option<usize>,
}

impl Explanation {
    /// The paths that are followed at each level below the root.
    pub fn levels(&self) -> &[Vec<String>] {
        &self.levels
    }

    /// How many reads it takes at most, with levels of at most `max_batch` keys.
    pub fn max_reads(&self) -> usize {
        self.levels.len() + 1
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "read 1: {}", self.root)?;
        for (at, paths) in self.levels.iter().enumerate() {
            writeln!(f, "read {}: {}", at + 2, paths.join(", "))?;
        }
        write!(f, "at most {} reads of what is not cached", self.max_reads())?;
        match self.max_batch {
            None => Ok(()),
            Some(max) => write!(f, ", one more for each further {max} keys of a level"),
        }
    }
}
