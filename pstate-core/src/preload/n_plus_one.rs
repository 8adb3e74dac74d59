//! Finding loops that read one by one what a preload would read at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

use serde_json::Value;
use tokio::task::Id;

use crate::document::{Document, reference};
use crate::model::{Error, FieldName, Key, KeyMap, Result, Space};
use crate::runtime::Mutex;

/// How many documents that one field refers to, read one by one, are a loop.
const LOOP: usize = 10;

/// How many references of a group are remembered: those that are written first.
const REFERENCES: usize = 10_000;

/// How many references of all groups are remembered, about 100 bytes each: those of the tasks that
/// read last.
const ALL_REFERENCES: usize = 100_000;

/// How many loops are listed: those with the most reads.
const FOUND: usize = 1_000;

/// How many groups of parents are remembered for a task: those that it used last.
const GROUPS: usize = 32;

/// How many tasks are remembered: those that read last.
const TASKS: usize = 256;

/// What happens when a task reads one by one what a document refers to; see
/// [`Builder::n_plus_one`](crate::Builder::n_plus_one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NPlusOne {
    /// A warning by [`tracing`], at the tenth document, the hundredth, and so on.
    Warn,
    /// The single read of the tenth document is an error,
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput): for tests.
    Strict,
}

/// Single reads that a preload would have made together; see
/// [`PState::single_reads`](crate::PState::single_reads).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SingleReads {
    /// The document that refers to what was read, or the first of several that were read together.
    pub parent: Key,
    /// How many other documents were read together with it.
    pub siblings: usize,
    /// Its field that holds the references.
    pub field: String,
    /// How many documents were read one by one, each counted once however often it was read; of
    /// 10,000 references at most.
    pub reads: usize,
}

impl fmt::Display for SingleReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parent, siblings, field, reads } = self;
        write!(f, "{parent}")?;
        if *siblings > 0 {
            write!(f, " and {siblings} more")?;
        }
        let field = FieldName(field);
        write!(f, " .{field}: {reads} single reads; preload '{field}'")
    }
}

/// Watches the reads of a handle.
///
/// Documents that a task has loaded together are a group of parents. When the same task then reads
/// what they refer to, each by a call of its own, these documents are counted for the group and the
/// field, until the task reads the group again. Reading one of them again counts nothing: no
/// preload would save that.
pub(crate) struct Detector {
    mode: NPlusOne,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What each task has read; the last one that read is the last here.
    tasks: VecDeque<(Option<Id>, Trail)>,
    /// How many references their groups have.
    references: usize,
    /// The most reads of each group and field that was a loop.
    found: BTreeMap<(Space, Key, String), SingleReads>,
}

/// The groups that a task has read; the last one used is the last here.
#[derive(Default)]
struct Trail(VecDeque<Group>);

struct Group {
    space: Space,
    first: Key,
    len: usize,
    fields: Vec<Field>,
    children: KeyMap<Child>,
}

/// A field of the group's documents.
struct Field {
    name: String,
    /// How many of its children were read.
    reads: usize,
}

/// What a group refers to.
struct Child {
    /// By which field.
    field: usize,
    read: bool,
}

impl Group {
    fn of(space: &Space, documents: &[&Document]) -> Option<Self> {
        let mut fields: Vec<Field> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut children = KeyMap::default();
        for document in documents {
            let Ok(value) = document.to_value() else { continue };
            for (name, member) in value.as_object().into_iter().flatten() {
                let mut field = None;
                for key in followed(member) {
                    if children.len() == REFERENCES {
                        break;
                    }
                    let field = *field.get_or_insert_with(|| {
                        *known.entry(name.clone()).or_insert_with(|| {
                            fields.push(Field { name: name.clone(), reads: 0 });
                            fields.len() - 1
                        })
                    });
                    children.entry(key).or_insert(Child { field, read: false });
                }
            }
        }
        let first = documents.first()?.key().clone();
        let (space, len) = (space.clone(), documents.len());
        (!children.is_empty()).then_some(Self { space, first, len, fields, children })
    }

    /// How often children of a child's field were read one by one, this one included; `None` if it
    /// was read before.
    fn reads_with(&self, child: &Key) -> Option<SingleReads> {
        let child = self.children.get(child).filter(|child| !child.read)?;
        let Field { name, reads } = &self.fields[child.field];
        let (parent, siblings) = (self.first.clone(), self.len - 1);
        Some(SingleReads { parent, siblings, field: name.clone(), reads: reads + 1 })
    }

    fn mark_read(&mut self, child: &Key) {
        if let Some(child) = self.children.get_mut(child).filter(|child| !child.read) {
            child.read = true;
            self.fields[child.field].reads += 1;
        }
    }
}

/// The references in a member that a preload of it follows.
fn followed(member: &Value) -> Vec<Key> {
    match (reference(member), member) {
        (Some(key), _) => vec![key],
        (None, Value::Array(items)) => items.iter().filter_map(reference).collect(),
        (None, Value::Object(members)) => members.values().filter_map(reference).collect(),
        (None, _) => Vec::new(),
    }
}

impl State {
    /// The trail of the task that calls.
    fn trail(&mut self) -> &mut Trail {
        let task = tokio::task::try_id();
        let known = self.tasks.iter().rposition(|(id, _)| *id == task);
        let trail = known.and_then(|at| self.tasks.remove(at)).map(|(_, trail)| trail);
        if self.tasks.len() == TASKS
            && let Some((_, forgotten)) = self.tasks.pop_front()
        {
            self.references -= forgotten.references();
        }
        self.tasks.push_back((task, trail.unwrap_or_default()));
        let last = self.tasks.len() - 1;
        &mut self.tasks[last].1
    }

    /// Remembers a group that the task that calls has read, and forgets others as needed.
    fn add(&mut self, group: Group) {
        let (added, trail) = (group.children.len(), self.trail());
        let before = trail.references();
        trail.0.retain(|known| (&known.space, &known.first) != (&group.space, &group.first));
        if trail.0.len() == GROUPS {
            trail.0.pop_front();
        }
        let removed = before - trail.references();
        trail.0.push_back(group);
        self.references = self.references + added - removed;
        while self.references > ALL_REFERENCES
            && let Some((_, oldest)) = self.tasks.front_mut()
        {
            match oldest.0.pop_front() {
                Some(group) => self.references -= group.children.len(),
                None => drop(self.tasks.pop_front()),
            }
        }
    }
}

impl Trail {
    fn references(&self) -> usize {
        self.0.iter().map(|group| group.children.len()).sum()
    }

    /// The group that refers to a document, which is now the last one used.
    fn parents_of(&mut self, space: &Space, key: &Key) -> Option<&mut Group> {
        let refers = |group: &Group| group.space == *space && group.children.contains_key(key);
        let at = self.0.iter().rposition(refers)?;
        let group = self.0.remove(at)?;
        self.0.push_back(group);
        self.0.back_mut()
    }
}

impl Detector {
    pub(crate) fn new(mode: NPlusOne) -> Self {
        Self { mode, state: Mutex::default() }
    }

    /// The task that calls has loaded these documents together.
    pub(crate) fn loaded<'a>(
        &self,
        space: &Space,
        documents: impl IntoIterator<Item = &'a Document>,
    ) {
        let documents: Vec<&Document> = documents.into_iter().collect();
        let Some(group) = Group::of(space, &documents) else { return };
        self.state.lock().add(group);
    }

    /// The task that calls is going to read a document that is not cached.
    ///
    /// # Errors
    /// If that would make a loop, and loops are errors.
    pub(crate) fn check(&self, space: &Space, key: &Key) -> Result<()> {
        if self.mode != NPlusOne::Strict {
            return Ok(());
        }
        let mut state = self.state.lock();
        let group = state.trail().parents_of(space, key);
        match group.and_then(|group| group.reads_with(key)) {
            Some(single_reads) if single_reads.reads >= LOOP => {
                let error = Error::invalid_input(single_reads.to_string()).in_space(space);
                state.note(space, single_reads);
                Err(error.in_operation("get"))
            }
            _ => Ok(()),
        }
    }

    /// The task that calls has read a document by a call of its own.
    pub(crate) fn read_alone(&self, space: &Space, key: &Key) {
        let mut state = self.state.lock();
        let Some(group) = state.trail().parents_of(space, key) else { return };
        let Some(single_reads) = group.reads_with(key) else { return };
        group.mark_read(key);
        let reads = single_reads.reads;
        if reads < LOOP {
            return;
        }
        if reads.ilog10() > (reads - 1).ilog10() {
            tracing::warn!(%space, "{single_reads}");
        }
        state.note(space, single_reads);
    }

    /// What was found so far.
    pub(crate) fn found(&self) -> Vec<SingleReads> {
        self.state.lock().found.values().cloned().collect()
    }
}

impl State {
    fn note(&mut self, space: &Space, single_reads: SingleReads) {
        let place = (space.clone(), single_reads.parent.clone(), single_reads.field.clone());
        let known = self.found.entry(place).or_insert_with(|| single_reads.clone());
        if known.reads < single_reads.reads {
            *known = single_reads;
        }
        if self.found.len() > FOUND {
            let fewest = self.found.iter().min_by_key(|(_, found)| found.reads);
            let fewest = fewest.map(|(place, _)| place.clone());
            _ = fewest.and_then(|place| self.found.remove(&place));
        }
    }
}

#[cfg(all(test, not(feature = "_shuttle")))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Record, Revision};

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let key = |text: String| text.parse::<Key>().unwrap();
        // A document that refers to so many others.
        let parent = |id: usize, children: usize| {
            let card = |child: usize| serde_json::json!({"$ref": format!("card:{id}-{child}")});
            let cards: Vec<Value> = (0..children).map(card).collect();
            let text = serde_json::json!({ "cards": cards }).to_string();
            let bytes: Arc<[u8]> = Arc::from(text.as_bytes());
            let revision = Revision::of_content(&bytes);
            Document::load(key(format!("deck:{id}")), Record { bytes, revision }).unwrap()
        };
        let detector = Arc::new(Detector::new(NPlusOne::Warn));
        let space = Space::default();
        for id in 0..12 {
            let (detector, parent) = (detector.clone(), parent(id, 11_000));
            let read = async move { detector.loaded(&Space::default(), &[parent]) };
            tokio::spawn(read).await.unwrap();
        }
        let references = |state: &State| -> usize {
            state.tasks.iter().map(|(_, trail)| trail.references()).sum()
        };
        assert_eq!(detector.state.lock().references, ALL_REFERENCES);
        assert_eq!(references(&detector.state.lock()), ALL_REFERENCES);

        for id in 0..2_000 {
            let children = if id == 7 { 12 } else { 10 };
            detector.loaded(&space, &[parent(id, children)]);
            for child in 0..children {
                detector.read_alone(&space, &key(format!("card:{id}-{child}")));
            }
        }
        let state = detector.state.lock();
        assert_eq!(state.references, references(&state));
        assert!(state.references <= ALL_REFERENCES);
        assert_eq!(state.found.len(), FOUND);
        assert!(state.found.values().any(|found| found.reads == 12));
    }
}
