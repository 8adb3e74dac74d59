//! Documents, and how a preload has followed their references.

use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use super::plan::Step;
use crate::document::{Document, MemberReferences, size};
use crate::model::{Key, KeyMap};

/// What a preload has found. Preloads that find nothing changed share one.
///
/// Documents have places, and the links between them are numbers: following a link hashes nothing.
#[derive(Debug)]
pub(crate) struct Graph {
    /// The root first.
    documents: Box<[Document]>,
    links: Arc<Links>,
}

/// Which documents the fields of each document refer to, by their places. They stay the same while
/// documents change in other members.
#[derive(Debug)]
pub(super) struct Links {
    pub(super) steps: Arc<[Step]>,
    pub(super) places: KeyMap<usize>,
    /// Ascending by document, then in the order of the plan.
    pub(super) follows: Box<[Follow]>,
    /// Where the links of each document begin in `follows`, and at last where those end.
    pub(super) first_follow: Box<[usize]>,
    /// The places of the documents that are linked to.
    pub(super) targets: Box<[usize]>,
    pub(super) unmatched: Vec<String>,
    pub(super) dangling: Vec<Dangling>,
    pub(super) levels: usize,
    /// How many keys were asked for.
    pub(super) keys: usize,
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

/// What was chosen among the references in a field of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follow {
    /// The [choice](Step::choice) of the step that has followed it.
    pub(super) choice: usize,
    /// Which targets it has.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Follow {
    fn targets(self) -> Range<usize> {
        self.from..self.to
    }
}

impl Graph {
    pub(super) fn new(documents: Vec<Document>, links: Links) -> Self {
        Self { documents: documents.into(), links: Arc::new(links) }
    }

    pub(super) fn root(&self) -> &Document {
        &self.documents[0]
    }

    pub(crate) fn documents(&self) -> &[Document] {
        &self.documents
    }

    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    /// How many keys were asked for to load it.
    pub(crate) fn keys(&self) -> usize {
        self.links.keys
    }

    pub(crate) fn dangling(&self) -> &[Dangling] {
        &self.links.dangling
    }

    pub(crate) fn unmatched(&self) -> &[String] {
        &self.links.unmatched
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Document> {
        self.links.places.get(key).map(|&at| &self.documents[at])
    }

    /// The links of a document.
    pub(super) fn follows(&self, document: &Document) -> &[Follow] {
        let Some(at) = self.place(document) else { return &[] };
        self.follows_at(at)
    }

    fn follows_at(&self, at: usize) -> &[Follow] {
        let [from, to] = [at, at + 1].map(|at| self.links.first_follow[at]);
        &self.links.follows[from..to]
    }

    /// The documents that a link leads to.
    pub(super) fn targets(&self, follow: Follow) -> impl ExactSizeIterator<Item = &Document> {
        let targets = &self.links.targets[follow.targets()];
        targets.iter().map(|&at| &self.documents[at])
    }

    /// The place of a document, or of the one with its key.
    fn place(&self, document: &Document) -> Option<usize> {
        // Most programs ask for the links of what they got from this graph: its address tells the
        // place, and no key is hashed.
        let offset = ptr::from_ref(document).addr().wrapping_sub(self.documents.as_ptr().addr());
        let at = offset / size_of::<Document>();
        if at < self.documents.len() {
            return Some(at);
        }
        self.links.places.get(document.key()).copied()
    }

    /// The places of the documents that have left the cache, or were changed; `None` if there are
    /// more than `most`, or the root is one, or the contents of documents decide what is followed.
    pub(crate) fn changed(&self, most: usize) -> Option<Vec<usize>> {
        if self.links.steps.iter().any(|step| step.options.look_inside()) {
            return None;
        }
        let mut changed = Vec::new();
        for (at, document) in self.documents.iter().enumerate() {
            if !document.is_cached() {
                if at == 0 || changed.len() == most {
                    return None;
                }
                changed.push(at);
            }
        }
        Some(changed)
    }

    /// The same graph with other documents at some places; `None` if one of them refers to others
    /// than the one before.
    pub(crate) fn replace(&self, new: impl IntoIterator<Item = (usize, Document)>) -> Option<Self> {
        let mut documents = self.documents.clone();
        for (at, document) in new {
            for follow in self.follows_at(at) {
                let field = self.links.steps[follow.choice].field.as_str();
                let refers = |document: &Document| match document.member_references(&[field]) {
                    Ok(mut found) => match found.pop() {
                        Some(MemberReferences::Keys(keys)) => Some(keys),
                        _ => None,
                    },
                    Err(_) => None,
                };
                let (before, now) = (refers(&documents[at])?, refers(&document)?);
                if before != now {
                    return None;
                }
            }
            documents[at] = document;
        }
        Some(Self { documents, links: self.links.clone() })
    }

    /// How many bytes of memory it takes without the documents.
    pub(crate) fn weight(&self) -> usize {
        let Links { places, follows, first_follow, targets, dangling, unmatched, .. } =
            &*self.links;
        // A table has a byte of its own for each place, and is at most 7/8 full.
        let table = (places.capacity() * 8 / 7) * (size_of::<(Key, usize)>() + 1);
        let lists = [
            size_of_val(&*self.documents),
            size_of_val(&**follows),
            size_of_val(&**first_follow),
            size_of_val(&**targets),
            table,
            dangling.capacity() * size_of::<Dangling>(),
            unmatched.iter().map(String::capacity).sum(),
            size_of::<Links>(),
            size_of::<Self>(),
        ];
        lists.into_iter().map(size::allocation).sum()
    }
}
