//! What a preload has loaded.

use std::collections::HashSet;
use std::sync::Arc;

use super::parse::field_names;
use super::plan::{Step, path_text};
use crate::document::Document;
use crate::model::{Error, Excerpt, Key, KeyMap, Result, Shown};

/// The documents of a preload. It holds them itself: following references in it reads nothing and
/// cannot miss, whatever the cache does meanwhile.
#[derive(Debug)]
pub struct Loaded {
    root: Document,
    documents: KeyMap<Document>,
    steps: Arc<[Step]>,
    /// What was chosen in the fields of each document, by the [choice](Step::choice).
    followed: KeyMap<Vec<(usize, Vec<Key>)>>,
    unmatched: Vec<String>,
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
    pub(super) fn new(root: Document, steps: Arc<[Step]>) -> Self {
        Self {
            documents: KeyMap::from_iter([(root.key().clone(), root.clone())]),
            root,
            steps,
            followed: KeyMap::default(),
            unmatched: Vec::new(),
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
    /// this document, since its documents would be missing without a word; and if several paths
    /// followed it with different options, so that it has several answers: see
    /// [`follow_path`](Self::follow_path).
    pub fn follow<'a>(
        &'a self,
        document: &Document,
        field: &str,
    ) -> Result<impl ExactSizeIterator<Item = &'a Document> + use<'a>> {
        let refuse = |why: String| {
            let error = Error::invalid_input(format!("{} {why}", Shown(field)));
            Err(error.at_key(document.key()).in_operation("follow"))
        };
        let fields = self.followed.get(document.key());
        let mut answers =
            fields.into_iter().flatten().filter(|(choice, _)| self.steps[*choice].field == field);
        match (answers.next(), answers.next()) {
            (Some((_, keys)), None) => Ok(self.loaded(keys)),
            (None, _) => refuse("was not preloaded".to_owned()),
            (Some((one, _)), Some((other, _))) => {
                let path = |choice: &usize| path_text(&self.steps, *choice, "");
                let (one, other) = (path(one), path(other));
                refuse(format!(
                    "was preloaded with different options, such as by `{}` and `{}`: ask for one \
                     of them with `follow_path`",
                    Excerpt(&one),
                    Excerpt(&other)
                ))
            }
        }
    }

    /// The same by the path from the root, for a field that several paths followed with different
    /// options, in documents that they share.
    ///
    /// The path is the one of the preload without options, repeats and braces.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("card:1", &json!({})).await?;
    /// pstate.put("card:2", &json!({})).await?;
    /// pstate.put("deck:1", &json!({"cards": [{"$ref": "card:1"}, {"$ref": "card:2"}]})).await?;
    /// let deck = json!({"$ref": "deck:1"});
    /// pstate.put("user:1", &json!({"favorite": deck, "latest": deck})).await?;
    ///
    /// let preload = "favorite.cards(limit: 1), latest.cards";
    /// let loaded = pstate.preload("user:1", preload).await?.unwrap();
    /// let deck = loaded.get(&"deck:1".parse()?).unwrap();
    /// assert_eq!(loaded.follow_path(deck, "favorite.cards")?.len(), 1);
    /// assert_eq!(loaded.follow_path(deck, "latest.cards")?.len(), 2);
    /// assert!(loaded.follow(deck, "cards").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed path, for one that the
    /// preload does not have, and if its field of this document was not followed with its options.
    pub fn follow_path<'a>(
        &'a self,
        document: &Document,
        path: &str,
    ) -> Result<impl ExactSizeIterator<Item = &'a Document> + use<'a>> {
        let locate = |error: Error| error.at_key(document.key()).in_operation("follow_path");
        let names = field_names(path).map_err(locate)?;
        let choice = self.step(&names).map(|at| self.steps[at].choice);
        let fields = self.followed.get(document.key());
        let answer = fields.into_iter().flatten().find(|(known, _)| Some(*known) == choice);
        answer.map(|(_, keys)| self.loaded(keys)).ok_or_else(|| {
            locate(Error::invalid_input(format!("`{}` was not preloaded", Excerpt(path))))
        })
    }

    /// The step at the end of a path.
    fn step(&self, names: &[impl AsRef<str>]) -> Option<usize> {
        let mut from = None;
        for name in names {
            let leads = |step: &Step| step.from == from && step.field == name.as_ref();
            from = Some(self.steps.iter().position(leads)?);
        }
        from
    }

    /// Documents that are loaded; only what was loaded is followed.
    fn loaded<'a>(&'a self, keys: &'a [Key]) -> impl ExactSizeIterator<Item = &'a Document> {
        keys.iter().map(|key| &self.documents[key])
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

    /// Paths whose field no document has from which they lead on, such as `cards.translation` if
    /// the field is called `translations`. Not those that the schema declares for one of these
    /// documents.
    ///
    /// Each call of [`preload`](crate::PState::preload) that has any logs them in one warning.
    pub fn unmatched(&self) -> &[String] {
        &self.unmatched
    }

    /// Documents, and fields of documents, that could not be read, with
    /// [`keep_going`](super::Preload::keep_going): each once, with the path that led there.
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

    /// Takes in what a step has chosen in a document.
    pub(super) fn follow_up(&mut self, from: Key, step: usize, to: Vec<Key>) {
        let choice = self.steps[step].choice;
        let fields = self.followed.entry(from).or_default();
        if !fields.iter().any(|(known, _)| *known == choice) {
            fields.push((choice, to));
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

    pub(super) fn report_unmatched(&mut self, path: String) {
        self.unmatched.push(path);
    }

    pub(super) fn count_level(&mut self, round_trips: usize) {
        self.levels += 1;
        self.round_trips += round_trips;
    }

    pub(crate) fn count_root(&mut self, round_trips: usize) {
        self.round_trips += round_trips;
    }
}
