//! Planning a preload and walking it, level by level. Pure: the handle does the reading.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::num::NonZeroU32;

use foldhash::fast::RandomState;

use super::loaded::Loaded;
use super::spec::{Options, Path, Preload};
use crate::document::{Document, references};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Key, KeyMap, KeySet};
use crate::schema::{Entity, Schema};

/// How often a field may repeat.
const MAX_DEPTH: u32 = 1_000;

/// A preload in which each field of a document is followed once. Steps refer to each other by
/// their index.
#[derive(Debug)]
pub(crate) struct Plan {
    steps: Vec<Step>,
    roots: Vec<usize>,
    keep_going: bool,
}

#[derive(Debug)]
struct Step {
    field: String,
    depth: NonZeroU32,
    options: Options,
    next: Vec<usize>,
}

impl Plan {
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if a field is asked for twice with different
    /// options, has no name, or repeats more than 1,000 times.
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
                return Err(Error::invalid_input("preload: a field without a name"));
            }
            if path.depth.get() > MAX_DEPTH {
                return Err(Error::invalid_input(format!(
                    "preload: `{}` repeats {} times, at most {MAX_DEPTH} are allowed",
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
                            "preload: `{}` is asked for twice with different options",
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

/// A plan being carried out.
///
/// [`frontier`](Walk::frontier) says which documents the next level needs; when they are loaded,
/// [`advance`](Walk::advance) follows them.
pub(crate) struct Walk<'a> {
    plan: &'a Plan,
    schema: Option<&'a Schema>,
    loaded: Loaded,
    /// Documents to expand, each with the steps to take from it and how often these may repeat.
    visits: Vec<(Key, Vec<(usize, u32)>)>,
    /// The references of the level that is being loaded.
    edges: Vec<Edge>,
    /// Which document was left by which step, and how often that could still repeat: leaving it
    /// again is worthwhile only if it leads further. So cycles end.
    left: HashMap<(Key, usize), u32, RandomState>,
}

struct Edge {
    from: Key,
    step: usize,
    remaining: u32,
    to: Vec<Key>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(plan: &'a Plan, schema: Option<&'a Schema>, root: Document) -> Self {
        let steps: Vec<(usize, u32)> =
            plan.roots.iter().map(|&at| (at, plan.steps[at].depth.get())).collect();
        let left = steps.iter().map(|&(at, depth)| ((root.key().clone(), at), depth)).collect();
        let visits = if steps.is_empty() { vec![] } else { vec![(root.key().clone(), steps)] };
        Self { plan, schema, loaded: Loaded::new(root), visits, edges: Vec::new(), left }
    }

    /// The keys that the next level needs and that are not loaded yet, each once; `None` at the
    /// end.
    pub(crate) fn frontier(&mut self) -> Result<Option<Vec<Key>>> {
        if self.visits.is_empty() {
            return Ok(None);
        }
        let mut wanted = Vec::new();
        let mut seen = KeySet::default();
        for (from, steps) in std::mem::take(&mut self.visits) {
            let Some(document) = self.loaded.get(&from) else { continue };
            let field = |step: usize| self.plan.steps[step].field.as_str();
            let mut fields: Vec<&str> = steps.iter().map(|&(step, _)| field(step)).collect();
            fields.sort_unstable();
            fields.dedup();
            let found = match references::collect(document, &fields) {
                Ok(found) => found,
                Err(error) => {
                    self.fail(error)?;
                    continue;
                }
            };
            for (step, remaining) in steps {
                let Step { field, options, .. } = &self.plan.steps[step];
                let at = fields.binary_search(&field.as_str()).unwrap_or_default();
                let Some(mut to) = found[at].clone() else {
                    // Further down, documents of several types may meet.
                    if self.plan.roots.contains(&step) && from == *self.loaded.root().key() {
                        self.check_declared(&from, field)?;
                    }
                    self.loaded.follow_up(from.clone(), field, Vec::new());
                    continue;
                };
                if let Some(limit) = options.limit.filter(|_| !options.look_inside()) {
                    to.truncate(limit);
                }
                for key in &to {
                    if self.loaded.get(key).is_none() && seen.insert(key.clone()) {
                        wanted.push(key.clone());
                    }
                }
                self.edges.push(Edge { from: from.clone(), step, remaining, to });
            }
        }
        Ok(Some(wanted))
    }

    /// Takes in what was loaded for the last frontier, in its order, and moves on.
    pub(crate) fn advance(
        &mut self,
        wanted: &[Key],
        documents: Vec<Result<Option<Document>>>,
        round_trips: usize,
    ) -> Result<()> {
        self.loaded.count_level(round_trips);
        let mut failed = KeySet::default();
        for (key, document) in wanted.iter().zip(documents) {
            match document {
                Ok(Some(document)) => self.loaded.insert(document),
                Ok(None) => {}
                Err(error) if self.plan.keep_going => {
                    failed.insert(key.clone());
                    // A read that failed as a whole does not say which documents it was for.
                    self.loaded.report_failure(error.at_key(key));
                }
                Err(error) => return Err(error.in_operation("preload")),
            }
        }
        let mut visits: KeyMap<usize> = KeyMap::default();
        for Edge { from, step, remaining, to } in std::mem::take(&mut self.edges) {
            let Step { field, options, next, .. } = &self.plan.steps[step];
            for key in &to {
                if self.loaded.get(key).is_none() && !failed.contains(key) {
                    self.loaded.report_dangling(&from, field, key);
                }
            }
            let followed = match select(&self.loaded, options, &to) {
                Ok(followed) => followed,
                Err(error) => {
                    self.fail(error)?;
                    continue;
                }
            };
            for key in &followed {
                let onward = next
                    .iter()
                    .map(|&step| (step, self.plan.steps[step].depth.get()))
                    .chain((remaining > 1).then(|| (step, remaining - 1)));
                for (step, remaining) in onward {
                    let furthest = self.left.entry((key.clone(), step)).or_insert(0);
                    if *furthest < remaining {
                        *furthest = remaining;
                        let at = *visits.entry(key.clone()).or_insert_with(|| {
                            self.visits.push((key.clone(), Vec::new()));
                            self.visits.len() - 1
                        });
                        self.visits[at].1.push((step, remaining));
                    }
                }
            }
            self.loaded.follow_up(from, field, followed);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Loaded {
        self.loaded
    }

    fn fail(&mut self, error: Error) -> Result<()> {
        if !self.plan.keep_going {
            return Err(error.in_operation("preload"));
        }
        self.loaded.report_failure(error);
        Ok(())
    }

    /// A field that neither the root nor its declaration has is a mistake in the preload.
    fn check_declared(&self, from: &Key, field: &str) -> Result<()> {
        let declared = self.schema.and_then(|schema| schema.entity(from.entity_type()));
        let Some(fields) = declared.map(Entity::fields).filter(|fields| !fields.is_empty()) else {
            return Ok(());
        };
        if fields.iter().any(|declared| declared.name() == field) {
            return Ok(());
        }
        let leads_on = |field: &&crate::schema::Field| field.field_type().target().is_some();
        let names: Vec<&str> =
            fields.iter().filter(leads_on).map(crate::schema::Field::name).collect();
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{} has no field `{field}`; fields that hold references: {}",
                from.entity_type(),
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ),
        )
        .in_operation("preload"))
    }
}

/// The loaded ones among `to` that the options choose, in their order.
fn select(loaded: &Loaded, options: &Options, to: &[Key]) -> Result<Vec<Key>> {
    let mut documents: Vec<&Document> = Vec::with_capacity(to.len());
    for document in to.iter().filter_map(|key| loaded.get(key)) {
        let mut holds = true;
        for filter in &options.filters {
            holds = holds && filter.holds(document)?;
        }
        if holds {
            documents.push(document);
        }
    }
    if let Some(order) = &options.order {
        order.sort(&mut documents)?;
    }
    let limit = options.limit.unwrap_or(usize::MAX);
    Ok(documents.into_iter().take(limit).map(|document| document.key().clone()).collect())
}
