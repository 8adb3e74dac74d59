//! Walking a plan, level by level. Pure: the engine does the reading.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::loaded::Loaded;
use super::plan::{Plan, Step};
use super::spec::Options;
use crate::document::{Document, MemberReferences};
use crate::model::{Error, ErrorKind, Key, KeyMap, KeySet, Result};
use crate::schema::{Entity, Field, Schema};

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
            let found = match document.member_references(&fields) {
                Ok(found) => found,
                Err(error) => {
                    self.fail(error)?;
                    continue;
                }
            };
            for (step, remaining) in steps {
                let Step { field, options, .. } = &self.plan.steps[step];
                let at = fields.binary_search(&field.as_str()).unwrap_or_default();
                if let Some(error) = found[at].error(field) {
                    self.fail(error.at_key(&from))?;
                }
                let to = match &found[at] {
                    MemberReferences::Keys(to) | MemberReferences::Damaged { keys: to, .. } => to,
                    MemberReferences::Other(_) => continue,
                    MemberReferences::Absent => {
                        // Further down, documents of several types may meet.
                        if self.plan.roots.contains(&step) && from == *self.loaded.root().key() {
                            self.check_declared(&from, field)?;
                        }
                        self.loaded.follow_up(from.clone(), field, Vec::new());
                        continue;
                    }
                };
                let limit = options.limit.filter(|_| !options.look_inside());
                let to: Vec<Key> = to.iter().take(limit.unwrap_or(usize::MAX)).cloned().collect();
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
                Err(error) => return Err(error),
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
            return Err(error);
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
        let leads_on = |field: &&Field| field.field_type().target().is_some();
        let names: Vec<&str> = fields.iter().filter(leads_on).map(Field::name).collect();
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{} has no field `{field}`; fields that hold references: {}",
                from.entity_type(),
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            ),
        ))
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
