//! Finding loops that read one by one what a preload would read at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

use tokio::task::Id;

use crate::document::{Document, collect_all};
use crate::model::{Error, Key, Result, Space};
use crate::runtime::Mutex;

/// How many single reads of what one field refers to are a loop.
const LOOP: usize = 10;

/// How many groups of parents are remembered for a task: those that it used last.
const GROUPS: usize = 32;

/// How many tasks are remembered: those that read last.
const TASKS: usize = 256;

/// What happens when a task reads one by one what a document refers to; see
/// [`Builder::n_plus_one`](crate::Builder::n_plus_one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NPlusOne {
    /// A warning by [`tracing`], at the tenth single read, the hundredth, and so on.
    Warn,
    /// The tenth single read is an error, [`InvalidInput`](crate::ErrorKind::InvalidInput): for
    /// tests.
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
    /// How many documents were read one by one.
    pub reads: usize,
}

impl fmt::Display for SingleReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parent, siblings, field, reads } = self;
        write!(f, "{parent}")?;
        if *siblings > 0 {
            write!(f, " and {siblings} more")?;
        }
        write!(f, " .{field}: {reads} single reads; preload '{field}'")
    }
}

/// Watches the reads of a handle.
///
/// Documents that a task has loaded together are a group of parents. When the same task then reads
/// what they refer to, each by a call of its own, these are counted for the group and the field,
/// until the task reads the group again.
pub(crate) struct Detector {
    mode: NPlusOne,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What each task has read; the last one that read is the last here.
    tasks: VecDeque<(Option<Id>, Trail)>,
    /// The most reads of each group and field that was a loop.
    found: BTreeMap<(Key, String), SingleReads>,
}

/// The groups that a task has read; the last one used is the last here.
#[derive(Default)]
struct Trail(VecDeque<Group>);

struct Group {
    space: Space,
    first: Key,
    len: usize,
    /// Which field refers to a document.
    fields: HashMap<Key, String>,
    reads: HashMap<String, usize>,
}

impl Group {
    fn of(space: &Space, documents: &[&Document]) -> Option<Self> {
        let mut fields = HashMap::new();
        for document in documents {
            let Ok(value) = document.to_value() else { continue };
            for (name, member) in value.as_object().into_iter().flatten() {
                let mut found = Vec::new();
                collect_all(member, &mut found);
                for key in found {
                    fields.entry(key).or_insert_with(|| name.clone());
                }
            }
        }
        let first = documents.first()?.key().clone();
        let (space, len) = (space.clone(), documents.len());
        (!fields.is_empty()).then(|| Self { space, first, len, fields, reads: HashMap::new() })
    }

    fn reads(&self, field: &str, reads: usize) -> SingleReads {
        let (parent, siblings) = (self.first.clone(), self.len - 1);
        SingleReads { parent, siblings, field: field.to_owned(), reads }
    }
}

impl State {
    /// The trail of the task that calls.
    fn trail(&mut self) -> &mut Trail {
        let task = tokio::task::try_id();
        let known = self.tasks.iter().rposition(|(id, _)| *id == task);
        let trail = known.and_then(|at| self.tasks.remove(at)).map(|(_, trail)| trail);
        if self.tasks.len() == TASKS {
            self.tasks.pop_front();
        }
        self.tasks.push_back((task, trail.unwrap_or_default()));
        let last = self.tasks.len() - 1;
        &mut self.tasks[last].1
    }
}

impl Trail {
    /// The group that refers to a document, which is now the last one used.
    fn parents_of(&mut self, space: &Space, key: &Key) -> Option<&mut Group> {
        let refers = |group: &Group| group.space == *space && group.fields.contains_key(key);
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
        let mut state = self.state.lock();
        let trail = &mut state.trail().0;
        trail.retain(|known| (&known.space, &known.first) != (&group.space, &group.first));
        if trail.len() == GROUPS {
            trail.pop_front();
        }
        trail.push_back(group);
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
        let Some(group) = state.trail().parents_of(space, key) else { return Ok(()) };
        let field = &group.fields[key];
        let reads = group.reads.get(field).copied().unwrap_or(0) + 1;
        if reads < LOOP {
            return Ok(());
        }
        let single_reads = group.reads(field, reads);
        let error = Error::invalid_input(single_reads.to_string()).in_space(space);
        state.note(single_reads);
        Err(error.in_operation("get"))
    }

    /// The task that calls has read a document by a call of its own.
    pub(crate) fn read_alone(&self, space: &Space, key: &Key) {
        let mut state = self.state.lock();
        let Some(group) = state.trail().parents_of(space, key) else { return };
        let field = group.fields[key].clone();
        let reads = group.reads.entry(field.clone()).or_default();
        *reads += 1;
        let reads = *reads;
        if reads < LOOP {
            return;
        }
        let single_reads = group.reads(&field, reads);
        if reads.ilog10() > (reads - 1).ilog10() {
            tracing::warn!(%space, "{single_reads}");
        }
        state.note(single_reads);
    }

    /// What was found so far.
    pub(crate) fn found(&self) -> Vec<SingleReads> {
        self.state.lock().found.values().cloned().collect()
    }
}

impl State {
    fn note(&mut self, single_reads: SingleReads) {
        let place = (single_reads.parent.clone(), single_reads.field.clone());
        let known = self.found.entry(place).or_insert_with(|| single_reads.clone());
        if known.reads < single_reads.reads {
            *known = single_reads;
        }
    }
}
