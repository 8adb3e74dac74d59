//! What a preload has loaded.

use std::sync::Arc;

use super::graph::{Dangling, Follow, Graph};
use super::parse::field_names;
use super::plan::{Step, path_text};
use crate::document::Document;
use crate::model::{Error, Excerpt, Key, Result, Shown};

/// The documents of a preload. It holds them itself: following references in it reads nothing and
/// cannot miss, whatever the cache does meanwhile.
#[derive(Debug)]
pub struct Loaded {
    graph: Arc<Graph>,
    failures: Vec<Error>,
    round_trips: usize,
}

impl Loaded {
    pub(crate) fn new(graph: Arc<Graph>, failures: Vec<Error>, round_trips: usize) -> Self {
        Self { graph, failures, round_trips }
    }

    pub(crate) fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The document that the preload began with.
    pub fn root(&self) -> &Document {
        self.graph.root()
    }

    /// A document that was loaded, by its key.
    pub fn get(&self, key: &Key) -> Option<&Document> {
        self.graph.get(key)
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
        let steps = &self.graph.links().steps;
        let field_of = |follow: &Follow| steps[follow.choice].field.as_str();
        let follows = self.graph.follows(document);
        let mut answers = follows.iter().filter(|follow| field_of(follow) == field);
        match (answers.next(), answers.next()) {
            (Some(answer), None) => Ok(self.graph.targets(*answer)),
            (None, _) => refuse("was not preloaded".to_owned()),
            (Some(one), Some(other)) => {
                let path = |follow: &Follow| path_text(steps, follow.choice, "");
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
        let choice = self.step(&names).map(|at| self.graph.links().steps[at].choice);
        let follows = self.graph.follows(document);
        let answer = follows.iter().find(|follow| Some(follow.choice) == choice);
        answer.map(|answer| self.graph.targets(*answer)).ok_or_else(|| {
            locate(Error::invalid_input(format!("`{}` was not preloaded", Excerpt(path))))
        })
    }

    /// The step at the end of a path.
    fn step(&self, names: &[impl AsRef<str>]) -> Option<usize> {
        let mut from = None;
        for name in names {
            let leads = |step: &Step| step.from == from && step.field == name.as_ref();
            from = Some(self.graph.links().steps.iter().position(leads)?);
        }
        from
    }

    /// How many documents were loaded, the root included.
    pub fn len(&self) -> usize {
        self.graph.documents().len()
    }

    /// Whether nothing was loaded. Never so: there is always the root.
    pub fn is_empty(&self) -> bool {
        self.graph.documents().is_empty()
    }

    /// All documents that were loaded, in no particular order.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &Document> {
        self.graph.documents().iter()
    }

    /// References to documents that are not there.
    pub fn dangling(&self) -> &[Dangling] {
        self.graph.dangling()
    }

    /// Paths whose field no document has from which they lead on, such as `cards.translation` if
    /// the field is called `translations`. Not those that the schema declares for one of these
    /// documents.
    ///
    /// Each call of [`preload`](crate::PState::preload) that has any logs them in one warning.
    pub fn unmatched(&self) -> &[String] {
        self.graph.unmatched()
    }

    /// Documents, and fields of documents, that could not be read, with
    /// [`keep_going`](super::Preload::keep_going): each once, with the path that led there.
    pub fn failures(&self) -> &[Error] {
        &self.failures
    }

    /// How many levels of references were followed.
    pub fn levels(&self) -> usize {
        self.graph.links().levels
    }

    /// How many reads of the store it took; 0 if all was cached.
    pub fn round_trips(&self) -> usize {
        self.round_trips
    }

    /// Changes each of the failures.
    pub(crate) fn map_failures(&mut self, change: impl Fn(Error) -> Error) {
        self.failures = std::mem::take(&mut self.failures).into_iter().map(change).collect();
    }
}
