//! Walking a plan, level by level. Pure: the engine does the reading.

use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::graph::{Dangling, Follow, Graph, Links};
use super::loaded::Loaded;
use super::plan::{Plan, Step, path_text};
use super::spec::Options;
use crate::document::{Document, MemberReferences, Members};
use crate::model::{Error, Key, KeyMap, Result, Shown};
use crate::schema::{Entity, Field, FieldType, Schema};

/// A plan being carried out.
///
/// [`frontier`](Walk::frontier) says which documents the next level needs; when they are loaded,
/// [`advance`](Walk::advance) follows them.
///
/// Each key gets a place when a reference to it is met first, and is a number from then on.
pub(crate) struct Walk<'a> {
    plan: &'a Plan,
    schema: Option<&'a Schema>,
    places: KeyMap<usize>,
    /// By place, the root first.
    nodes: Vec<Node>,
    /// Documents to expand next.
    visits: Vec<Visit>,
    /// The references of the level that is being loaded.
    edges: Vec<Edge>,
    /// Where the edges lead to.
    candidates: Vec<usize>,
    /// The places that the level needs, each with the step that asked for it first.
    wanted: Vec<(usize, usize)>,
    /// What was chosen so far, with the document in which it was.
    follows: Vec<(usize, Follow)>,
    targets: Vec<usize>,
    /// Which documents, and fields of documents, are listed as failures already.
    reported: HashSet<(usize, Option<&'a str>), RandomState>,
    failures: Vec<Error>,
    /// References that are listed as dangling: from a document, by a field, to another.
    dangling: Vec<(usize, &'a str, usize)>,
    reported_dangling: HashSet<(usize, &'a str, usize), RandomState>,
    /// What each step has met.
    met: Vec<Met>,
    levels: usize,
}

struct Node {
    key: Key,
    state: State,
    /// By which steps the document was left, and how often these could still repeat: leaving it
    /// again is worthwhile only if it leads further. So cycles end.
    left: Vec<(usize, u32)>,
    /// Its place among the visits of the next level, if it has one.
    visit: Option<usize>,
}

enum State {
    Wanted,
    Loaded(Document),
    /// Nothing is stored. It is not read again.
    Absent,
    /// It could not be read, and is not read again.
    Failed,
}

/// A document to expand, with the steps to take from it and how often these may repeat.
struct Visit {
    from: usize,
    first: (usize, u32),
    others: Vec<(usize, u32)>,
}

struct Edge {
    from: usize,
    step: usize,
    remaining: u32,
    /// Where its part of the candidates ends; it begins where the one before ends.
    end: usize,
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

impl Node {
    fn new(key: Key, state: State) -> Self {
        Self { key, state, left: Vec::new(), visit: None }
    }

    fn document(&self) -> Option<&Document> {
        match &self.state {
            State::Loaded(document) => Some(document),
            State::Wanted | State::Absent | State::Failed => None,
        }
    }

    /// Notes that it is left by a step that could repeat so often. Whether that leads further.
    fn leave(&mut self, step: usize, remaining: u32) -> bool {
        match self.left.iter_mut().find(|(left, _)| *left == step) {
            Some((_, furthest)) if *furthest >= remaining => false,
            Some((_, furthest)) => {
                *furthest = remaining;
                true
            }
            None => {
                self.left.push((step, remaining));
                true
            }
        }
    }
}

impl<'a> Walk<'a> {
    pub(crate) fn new(plan: &'a Plan, schema: Option<&'a Schema>, root: Document) -> Self {
        let mut walk = Self {
            plan,
            schema,
            places: KeyMap::from_iter([(root.key().clone(), 0)]),
            nodes: vec![Node::new(root.key().clone(), State::Loaded(root))],
            visits: Vec::new(),
            edges: Vec::new(),
            candidates: Vec::new(),
            wanted: Vec::new(),
            follows: Vec::new(),
            targets: Vec::new(),
            reported: HashSet::default(),
            failures: Vec::new(),
            dangling: Vec::new(),
            reported_dangling: HashSet::default(),
            met: vec![Met::Nothing; plan.steps.len()],
            levels: 0,
        };
        for &step in &plan.roots {
            walk.visit(0, step, plan.steps[step].depth.get());
        }
        walk
    }

    /// Leaves a document by a step, in the next level, unless that was done.
    fn visit(&mut self, at: usize, step: usize, remaining: u32) {
        let node = &mut self.nodes[at];
        if !node.leave(step, remaining) {
            return;
        }
        if let Some(visit) = node.visit {
            self.visits[visit].others.push((step, remaining));
        } else {
            node.visit = Some(self.visits.len());
            let first = (step, remaining);
            self.visits.push(Visit { from: at, first, others: Vec::new() });
        }
    }

    /// The keys that the next level needs and that are not loaded yet, each once; `None` at the
    /// end.
    pub(crate) fn frontier(&mut self) -> Result<Option<Vec<Key>>> {
        if self.visits.is_empty() {
            return Ok(None);
        }
        let plan = self.plan;
        for Visit { from, first, others } in std::mem::take(&mut self.visits) {
            let node = &mut self.nodes[from];
            node.visit = None;
            let Some(document) = node.document() else { continue };
            let document = document.clone();
            let steps = || std::iter::once(first).chain(others.iter().copied());
            let field = |(step, _): (usize, u32)| plan.steps[step].field.as_str();
            let (one, mut several) = ([field(first)], Vec::new());
            let fields = if others.is_empty() {
                &one[..]
            } else {
                several.extend(steps().map(field));
                several.sort_unstable();
                several.dedup();
                &several
            };
            let found = match document.member_references(fields) {
                Ok(found) => found,
                Err(error) => {
                    self.fail(error, from, None, first.0)?;
                    continue;
                }
            };
            for (step, remaining) in steps() {
                let Step { field, options, .. } = &plan.steps[step];
                let at = fields.binary_search(&field.as_str()).unwrap_or_default();
                if !matches!(found[at], MemberReferences::Absent) {
                    self.met[step] = Met::Field;
                }
                if let Some(error) = found[at].error(field) {
                    self.fail(error, from, Some(field), step)?;
                }
                let to = match &found[at] {
                    MemberReferences::Keys(to) | MemberReferences::Damaged { keys: to, .. } => to,
                    MemberReferences::Other(_) => continue,
                    MemberReferences::Absent => {
                        self.miss(from, step)?;
                        self.follow_up(from, step, &[]);
                        continue;
                    }
                };
                let limit = options.limit.filter(|_| !options.look_inside());
                for key in to.iter().take(limit.unwrap_or(usize::MAX)) {
                    let at = self.meet(key, step);
                    self.candidates.push(at);
                }
                self.edges.push(Edge { from, step, remaining, end: self.candidates.len() });
            }
        }
        let key = |&(at, _): &(usize, usize)| self.nodes[at].key.clone();
        Ok(Some(self.wanted.iter().map(key).collect()))
    }

    /// The members of the wanted documents that the next level follows; `None` if it is the last.
    pub(crate) fn members(&self) -> Option<Members> {
        let steps = &self.plan.steps;
        let mut fields: Vec<&str> = Vec::new();
        let mut last = None;
        for &Edge { step, remaining, .. } in &self.edges {
            let repeats = remaining > 1;
            if last != Some((step, repeats)) {
                last = Some((step, repeats));
                fields.extend(steps[step].next.iter().map(|&next| steps[next].field.as_str()));
                fields.extend(repeats.then(|| steps[step].field.as_str()));
            }
        }
        members(fields)
    }

    /// The place of a key that a step refers to. The level needs it if it was not met before.
    fn meet(&mut self, key: &Key, step: usize) -> usize {
        match self.places.entry(key.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let at = self.nodes.len();
                self.nodes.push(Node::new(new.key().clone(), State::Wanted));
                self.wanted.push((at, step));
                *new.insert(at)
            }
        }
    }

    /// Takes in what was loaded for the last frontier, in its order, and moves on.
    pub(crate) fn advance(&mut self, documents: Vec<Result<Option<Document>>>) -> Result<()> {
        self.levels += 1;
        for ((at, step), document) in std::mem::take(&mut self.wanted).into_iter().zip(documents) {
            self.nodes[at].state = match document {
                Ok(Some(document)) => State::Loaded(document),
                Ok(None) => State::Absent,
                // A read that failed as a whole does not say which documents it was for.
                Err(error) if !self.plan.keep_going => return Err(self.located(error, step)),
                Err(error) => {
                    self.fail(error, at, None, step)?;
                    State::Failed
                }
            };
        }
        let plan = self.plan;
        let candidates = std::mem::take(&mut self.candidates);
        let mut begin = 0;
        for Edge { from, step, remaining, end } in std::mem::take(&mut self.edges) {
            let to = &candidates[begin..end];
            begin = end;
            let Step { field, next, .. } = &plan.steps[step];
            for &at in to {
                if matches!(self.nodes[at].state, State::Absent)
                    && self.reported_dangling.insert((from, field, at))
                {
                    self.dangling.push((from, field, at));
                }
            }
            let followed = self.select(step, to)?;
            for &at in &followed {
                for &step in next {
                    self.visit(at, step, plan.steps[step].depth.get());
                }
                if remaining > 1 {
                    self.visit(at, step, remaining - 1);
                }
            }
            self.follow_up(from, step, &followed);
        }
        Ok(())
    }

    /// Takes in what a step has chosen in a document.
    fn follow_up(&mut self, from: usize, step: usize, to: &[usize]) {
        let choice = self.plan.steps[step].choice;
        let begin = self.targets.len();
        self.targets.extend_from_slice(to);
        let follow = Follow { choice, from: begin, to: self.targets.len() };
        self.follows.push((from, follow));
    }

    pub(crate) fn finish(self) -> (Graph, Vec<Error>) {
        let unmatched = self.met.iter().enumerate().filter(|(_, met)| **met == Met::WithoutField);
        let unmatched = unmatched.map(|(at, _)| path_text(&self.plan.steps, at, "")).collect();
        let key = |at: usize| self.nodes[at].key.clone();
        let dangling = |&(from, field, to): &(usize, &str, usize)| {
            let (from, field, to) = (key(from), field.to_owned(), key(to));
            Dangling { from, field, to }
        };
        let dangling = self.dangling.iter().map(dangling).collect();
        let keys = self.nodes.len();
        // Only what was loaded keeps a place.
        let mut documents = Vec::with_capacity(self.nodes.len());
        let mut moved = Vec::with_capacity(self.nodes.len());
        for node in self.nodes {
            moved.push(documents.len());
            if let State::Loaded(document) = node.state {
                documents.push(document);
            }
        }
        let (mut places, mut targets) = (self.places, self.targets);
        let mut follows = self.follows;
        if documents.len() < moved.len() {
            places.retain(|key, at| {
                *at = moved[*at];
                documents.get(*at).is_some_and(|document| document.key() == key)
            });
            for at in &mut targets {
                *at = moved[*at];
            }
            for (at, _) in &mut follows {
                *at = moved[*at];
            }
        }
        // Of one document, steps with the same choice choose the same: the first says it.
        follows.sort_by_key(|(at, _)| *at);
        let mut sorted: Vec<Follow> = Vec::with_capacity(follows.len());
        let mut first_follow = Vec::with_capacity(documents.len() + 1);
        for (at, follow) in follows {
            while first_follow.len() <= at {
                first_follow.push(sorted.len());
            }
            let own = first_follow[at];
            if !sorted[own..].iter().any(|known| known.choice == follow.choice) {
                sorted.push(follow);
            }
        }
        first_follow.resize(documents.len() + 1, sorted.len());
        let links = Links {
            steps: self.plan.steps.clone(),
            places,
            follows: sorted.into(),
            first_follow: first_follow.into(),
            targets: targets.into(),
            unmatched,
            dangling,
            levels: self.levels,
            keys,
        };
        (Graph::new(documents, links), self.failures)
    }

    /// The loaded ones among `to` that a step chooses, in their order.
    fn select(&mut self, step: usize, to: &[usize]) -> Result<Vec<usize>> {
        let options = &self.plan.steps[step].options;
        let (chosen, unreadable) = select(&self.nodes, options, to);
        for (at, error) in unreadable {
            self.fail(error, at, None, step)?;
        }
        Ok(chosen)
    }

    /// A document, or its field that a step follows, cannot be read.
    fn fail(&mut self, error: Error, at: usize, field: Option<&'a str>, step: usize) -> Result<()> {
        let error = error.at_key(&self.nodes[at].key);
        // Of the root, the path is the field, which the error names.
        let error = if at == 0 { error } else { self.located(error, step) };
        if !self.plan.keep_going {
            return Err(error);
        }
        if self.reported.insert((at, field)) {
            self.failures.push(error);
        }
        Ok(())
    }

    /// Names the path of a step in an error.
    fn located(&self, error: Error, step: usize) -> Error {
        error.on_path(&path_text(&self.plan.steps, step, ""), &self.nodes[0].key)
    }

    /// A document does not have the field that a step follows. If it is the root, and its
    /// declaration has no such field for references either, that is a mistake in the preload;
    /// further down, documents of several types may meet.
    fn miss(&mut self, from: usize, step: usize) -> Result<()> {
        let Step { field, from: parent, .. } = &self.plan.steps[step];
        let entity_type = self.nodes[from].key.entity_type();
        let declared = self.schema.and_then(|schema| schema.entity(entity_type));
        let fields = declared.map_or(&[][..], Entity::fields);
        let known = fields.iter().find(|declared| declared.name() == field);
        if known.is_some_and(may_refer) {
            self.met[step] = Met::Field;
        }
        if self.met[step] == Met::Field {
            return Ok(());
        }
        self.met[step] = Met::WithoutField;
        if fields.is_empty() || parent.is_some() || from != 0 {
            return Ok(());
        }
        let field = Shown(field);
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

impl Loaded {
    /// What a walk has found, and how many reads of the store it took.
    pub(crate) fn from_walk(walk: Walk<'_>, round_trips: usize) -> Self {
        let (graph, failures) = walk.finish();
        Self::new(graph.into(), failures, round_trips)
    }
}

impl Plan {
    /// The members of the root that are followed.
    pub(crate) fn root_members(&self) -> Option<Members> {
        members(self.roots.iter().map(|&root| self.steps[root].field.as_str()).collect())
    }
}

fn members(mut fields: Vec<&str>) -> Option<Members> {
    fields.sort_unstable();
    fields.dedup();
    (!fields.is_empty()).then(|| fields.into_iter().map(Arc::from).collect())
}

/// Whether a declared field can hold references.
fn may_refer(field: &Field) -> bool {
    use FieldType::{Boolean, Float, Integer, String};
    !matches!(field.field_type(), String | Integer | Float | Boolean)
}

/// The loaded ones among `to` that the options choose, in their order, and those that cannot be
/// filtered or ordered.
fn select(nodes: &[Node], options: &Options, to: &[usize]) -> (Vec<usize>, Vec<(usize, Error)>) {
    let limit = options.limit.unwrap_or(usize::MAX);
    let loaded = to.iter().filter_map(|&at| Some((at, nodes[at].document()?)));
    if !options.look_inside() {
        return (loaded.take(limit).map(|(at, _)| at).collect(), Vec::new());
    }
    let (mut chosen, mut unreadable) = (Vec::with_capacity(to.len()), Vec::new());
    for (at, document) in loaded {
        match options.examine(document) {
            Ok(Some(value)) => chosen.push((value, at)),
            Ok(None) => {}
            Err(error) => unreadable.push((at, error)),
        }
    }
    if let Some(order) = &options.order {
        order.sort(&mut chosen);
    }
    (chosen.into_iter().take(limit).map(|(_, at)| at).collect(), unreadable)
}
