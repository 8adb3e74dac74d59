//! Walking a plan, level by level. Pure: the engine does the reading.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::loaded::Loaded;
use super::plan::{Plan, Step, path_text};
use super::spec::Options;
use crate::document::{Document, MemberReferences};
use crate::model::{Error, Key, KeyMap, KeySet, Result, Shown};
use crate::schema::{Entity, Field, FieldType, Schema};

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
    /// For each key that the level needs, the step that asked for it first.
    asked_by: Vec<usize>,
    /// Which document was left by which step, and how often that could still repeat: leaving it
    /// again is worthwhile only if it leads further. So cycles end.
    left: HashMap<(Key, usize), u32, RandomState>,
    /// What was read and is not there, or could not be read: then it is a failure. Neither is read
    /// again.
    unavailable: KeyMap<Unavailable>,
    /// Which documents, and fields of documents, are listed as failures already.
    reported: HashSet<(Key, Option<&'a str>), RandomState>,
    /// What each step has met.
    met: Vec<Met>,
}

struct Edge {
    from: Key,
    step: usize,
    remaining: u32,
    to: Vec<Key>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unavailable {
    Absent,
    Failed,
}

/// What a step has met so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    /// No document.
    Nothing,
    /// Only documents that do not have its field.
    WithoutField,
    /// A document that has its field, or could have it by its declaration.
    Field,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(plan: &'a Plan, schema: Option<&'a Schema>, root: Document) -> Self {
        let steps: Vec<(usize, u32)> =
            plan.roots.iter().map(|&at| (at, plan.steps[at].depth.get())).collect();
        let left = steps.iter().map(|&(at, depth)| ((root.key().clone(), at), depth)).collect();
        let visits = if steps.is_empty() { vec![] } else { vec![(root.key().clone(), steps)] };
        Self {
            plan,
            schema,
            loaded: Loaded::new(root, plan.steps.clone()),
            visits,
            edges: Vec::new(),
            asked_by: Vec::new(),
            left,
            unavailable: KeyMap::default(),
            reported: HashSet::default(),
            met: vec![Met::Nothing; plan.steps.len()],
        }
    }

    /// The keys that the next level needs and that are not loaded yet, each once; `None` at the
    /// end.
    pub(crate) fn frontier(&mut self) -> Result<Option<Vec<Key>>> {
        if self.visits.is_empty() {
            return Ok(None);
        }
        let plan = self.plan;
        let mut wanted = Vec::new();
        let mut seen = KeySet::default();
        self.asked_by.clear();
        for (from, steps) in std::mem::take(&mut self.visits) {
            let Some(document) = self.loaded.get(&from) else { continue };
            let field = |step: usize| plan.steps[step].field.as_str();
            let mut fields: Vec<&str> = steps.iter().map(|&(step, _)| field(step)).collect();
            fields.sort_unstable();
            fields.dedup();
            let found = match document.member_references(&fields) {
                Ok(found) => found,
                Err(error) => {
                    self.fail(error, &from, None, steps[0].0)?;
                    continue;
                }
            };
            for (step, remaining) in steps {
                let Step { field, options, .. } = &plan.steps[step];
                let at = fields.binary_search(&field.as_str()).unwrap_or_default();
                if !matches!(found[at], MemberReferences::Absent) {
                    self.met[step] = Met::Field;
                }
                if let Some(error) = found[at].error(field) {
                    self.fail(error, &from, Some(field), step)?;
                }
                let to = match &found[at] {
                    MemberReferences::Keys(to) | MemberReferences::Damaged { keys: to, .. } => to,
                    MemberReferences::Other(_) => continue,
                    MemberReferences::Absent => {
                        self.miss(&from, step)?;
                        self.loaded.follow_up(from.clone(), step, Vec::new());
                        continue;
                    }
                };
                let limit = options.limit.filter(|_| !options.look_inside());
                let to: Vec<Key> = to.iter().take(limit.unwrap_or(usize::MAX)).cloned().collect();
                for key in &to {
                    if self.loaded.get(key).is_none()
                        && !self.unavailable.contains_key(key)
                        && seen.insert(key.clone())
                    {
                        wanted.push(key.clone());
                        self.asked_by.push(step);
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
        let asked_by = std::mem::take(&mut self.asked_by);
        for ((key, document), step) in wanted.iter().zip(documents).zip(asked_by) {
            match document {
                Ok(Some(document)) => self.loaded.insert(document),
                Ok(None) => {
                    self.unavailable.insert(key.clone(), Unavailable::Absent);
                }
                // A read that failed as a whole does not say which documents it was for.
                Err(error) if !self.plan.keep_going => return Err(self.located(error, step)),
                Err(error) => {
                    self.unavailable.insert(key.clone(), Unavailable::Failed);
                    self.fail(error, key, None, step)?;
                }
            }
        }
        let plan = self.plan;
        let mut visits: KeyMap<usize> = KeyMap::default();
        for Edge { from, step, remaining, to } in std::mem::take(&mut self.edges) {
            let Step { field, next, .. } = &plan.steps[step];
            for key in &to {
                if self.unavailable.get(key) == Some(&Unavailable::Absent) {
                    self.loaded.report_dangling(&from, field, key);
                }
            }
            let followed = self.select(step, &to)?;
            for key in &followed {
                let onward = next
                    .iter()
                    .map(|&step| (step, plan.steps[step].depth.get()))
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
            self.loaded.follow_up(from, step, followed);
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Loaded {
        for (at, met) in self.met.iter().enumerate() {
            if *met == Met::WithoutField {
                self.loaded.report_unmatched(path_text(&self.plan.steps, at, ""));
            }
        }
        self.loaded
    }

    /// The loaded ones among `to` that a step chooses, in their order.
    fn select(&mut self, step: usize, to: &[Key]) -> Result<Vec<Key>> {
        let options = &self.plan.steps[step].options;
        let (chosen, unreadable) = select(&self.loaded, options, to);
        for (key, error) in unreadable {
            self.fail(error, &key, None, step)?;
        }
        Ok(chosen)
    }

    /// A document, or its field that a step follows, cannot be read.
    fn fail(&mut self, error: Error, key: &Key, field: Option<&'a str>, step: usize) -> Result<()> {
        let error = error.at_key(key);
        // Of the root, the path is the field, which the error names.
        let of_root = key == self.loaded.root().key();
        let error = if of_root { error } else { self.located(error, step) };
        if !self.plan.keep_going {
            return Err(error);
        }
        if self.reported.insert((key.clone(), field)) {
            self.loaded.report_failure(error);
        }
        Ok(())
    }

    /// Names the path of a step in an error.
    fn located(&self, error: Error, step: usize) -> Error {
        error.on_path(&path_text(&self.plan.steps, step, ""), self.loaded.root().key())
    }

    /// A document does not have the field that a step follows. If it is the root, and its
    /// declaration has no such field for references either, that is a mistake in the preload;
    /// further down, documents of several types may meet.
    fn miss(&mut self, from: &Key, step: usize) -> Result<()> {
        let Step { field, from: parent, .. } = &self.plan.steps[step];
        let declared = self.schema.and_then(|schema| schema.entity(from.entity_type()));
        let fields = declared.map_or(&[][..], Entity::fields);
        let known = fields.iter().find(|declared| declared.name() == field);
        if known.is_some_and(may_refer) {
            self.met[step] = Met::Field;
        }
        if self.met[step] == Met::Field {
            return Ok(());
        }
        self.met[step] = Met::WithoutField;
        if fields.is_empty() || parent.is_some() || from != self.loaded.root().key() {
            return Ok(());
        }
        let (entity_type, field) = (from.entity_type(), Shown(field));
        let mistake = match known {
            None => format!("{entity_type} has no field {field}"),
            Some(known) => format!("field {field} of {entity_type} is {}", known.field_type()),
        };
        let leads_on = |field: &&Field| field.field_type().target().is_some();
        let names: Vec<&str> = fields.iter().filter(leads_on).map(Field::name).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(Error::invalid_input(format!("{mistake}; fields that hold references: {names}")))
    }
}

/// Whether a declared field can hold references.
fn may_refer(field: &Field) -> bool {
    use FieldType::{Boolean, Float, Integer, String};
    !matches!(field.field_type(), String | Integer | Float | Boolean)
}

/// The loaded ones among `to` that the options choose, in their order, and those that cannot be
/// filtered or ordered.
fn select(loaded: &Loaded, options: &Options, to: &[Key]) -> (Vec<Key>, Vec<(Key, Error)>) {
    let documents = to.iter().filter_map(|key| loaded.get(key));
    let limit = options.limit.unwrap_or(usize::MAX);
    let key = |document: &Document| document.key().clone();
    if !options.look_inside() {
        return (documents.take(limit).map(key).collect(), Vec::new());
    }
    let (mut chosen, mut unreadable) = (Vec::with_capacity(to.len()), Vec::new());
    for document in documents {
        match options.examine(document) {
            Ok(Some(value)) => chosen.push((value, document)),
            Ok(None) => {}
            Err(error) => unreadable.push((key(document), error)),
        }
    }
    if let Some(order) = &options.order {
        order.sort(&mut chosen);
    }
    (chosen.into_iter().take(limit).map(|(_, document)| key(document)).collect(), unreadable)
}
