//! What a preload has loaded.

use std::collections::HashSet;

use crate::document::Document;
use crate::model::{Error, Key, KeyMap, KeySet, Result};

/// The documents of a preload. It holds them itself: following references in it reads nothing and
/// cannot miss, whatever the cache does meanwhile.
#[derive(Debug)]
pub struct Loaded {
    root: Document,
    documents: KeyMap<Document>,
    followed: KeyMap<Vec<(String, Vec<Key>)>>,
    dangling: Vec<Dangling>,
    /// Which dangling references are listed already.
    reported: HashSet<(Key, String, Key)>,
    failures: Vec<Error>,
    levels: usize,
    round_trips: usize,
}

/// A reference to a document that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dangling {
    /// The document that holds the reference.
    pub from: Key,
    /// The field that holds it.
    pub field: String,
    /// What it refers to.
    pub to: Key,
}

impl Loaded {
    pub(super) fn new(root: Document) -> Self {
        Self {
            documents: KeyMap::from_iter([(root.key().clone(), root.clone())]),
            root,
            followed: KeyMap::default(),
            dangling: Vec::new(),
            reported: HashSet::new(),
            failures: Vec::new(),
            levels: 0,
            round_trips: 0,
        }
    }

    /// The document that the preload began with.
    pub fn root(&self) -> &Document {
        &self.root
    }

    /// A document that was loaded, by its key.
    pub fn get(&self, key: &Key) -> Option<&Document> {
        self.documents.get(key)
    }

    /// The documents that a field of a loaded document refers to: in the order in which they are
    /// written, or the one that was asked for, without those that the preload left out.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the preload did not follow this field of
    /// this document: its documents would be missing without a word.
    pub fn follow<'a>(
        &'a self,
        document: &Document,
        field: &str,
    ) -> Result<impl ExactSizeIterator<Item = &'a Document> + use<'a>> {
        let fields = self.followed.get(document.key());
        let followed = fields.and_then(|fields| fields.iter().find(|(name, _)| name == field));
        match followed {
            // Only what was loaded is followed.
            Some((_, keys)) => Ok(keys.iter().map(|key| &self.documents[key])),
            None => Err(Error::invalid_input(format!("`{field}` was not preloaded"))
                .at_key(document.key())
                .in_operation("follow")),
        }
    }

    /// How many documents were loaded, the root included.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether nothing was loaded. Never so: there is always the root.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// All documents that were loaded, in no particular order.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &Document> {
        self.documents.values()
    }

    /// References to documents that are not there.
    pub fn dangling(&self) -> &[Dangling] {
        &self.dangling
    }

    /// Documents that could not be read, with [`keep_going`](super::Preload::keep_going).
    pub fn failures(&self) -> &[Error] {
        &self.failures
    }

    /// How many levels of references were followed.
    pub fn levels(&self) -> usize {
        self.levels
    }

    /// How many reads of the store it took; 0 if all was cached.
    pub fn round_trips(&self) -> usize {
        self.round_trips
    }

    pub(super) fn insert(&mut self, document: Document) {
        self.documents.insert(document.key().clone(), document);
    }

    pub(super) fn follow_up(&mut self, from: Key, field: &str, to: Vec<Key>) {
        let fields = self.followed.entry(from).or_default();
        match fields.iter_mut().find(|(name, _)| name == field) {
            // Two paths followed the field with different options: what either chose.
            Some((_, keys)) => {
                let known: KeySet<&Key> = keys.iter().collect();
                let new: Vec<Key> = to.into_iter().filter(|key| !known.contains(key)).collect();
                keys.extend(new);
            }
            None => fields.push((field.to_owned(), to)),
        }
    }

    pub(super) fn report_dangling(&mut self, from: &Key, field: &str, to: &Key) {
        let place = (from.clone(), field.to_owned(), to.clone());
        if self.reported.insert(place) {
            let (from, field, to) = (from.clone(), field.to_owned(), to.clone());
            self.dangling.push(Dangling { from, field, to });
        }
    }

    /// Changes each of the failures.
    pub(crate) fn map_failures(&mut self, change: impl Fn(Error) -> Error) {
        self.failures = std::mem::take(&mut self.failures).into_iter().map(change).collect();
    }

    pub(super) fn report_failure(&mut self, error: Error) {
        self.failures.push(error);
    }

    pub(super) fn count_level(&mut self, round_trips: usize) {
        self.levels += 1;
        self.round_trips += round_trips;
    }

    pub(crate) fn count_root(&mut self, round_trips: usize) {
        self.round_trips += round_trips;
    }
}
