//! Expanding the references of documents into one tree, within limits.
//!
//! A small graph may expand to a tree that fits no memory: each document is in it once for each way
//! that leads to it. So the tree is measured before it is built, by walking the ways without
//! building anything. Each step of the walk adds to the sum, so the walk ends soon where the tree
//! is too large. While the documents are still being read, each counts once: that is the least
//! that the tree takes.

use serde_json::{Value, json};

use super::document::Document;
use super::references::reference;
use super::size;
use crate::model::{Error, Key, KeyMap, REF_MEMBER, Result, Revision};

/// How many levels of arrays and objects a tree may have: as many as a document that is parsed.
/// Cloning, comparing, serializing and dropping a tree are recursive; with so many levels each of
/// them fits a stack of 512 KiB, even without optimization.
const MAX_LEVELS: usize = 127;

/// The documents of a tree, read level by level from its root, and the limits of the tree.
pub(crate) struct Expansion {
    /// How deep references are expanded.
    depth: usize,
    /// How many bytes the tree may take.
    max_bytes: u64,
    /// The place of each key in `keys` and `parts`.
    places: KeyMap<usize>,
    /// The root's, then what was referred to.
    keys: Vec<Key>,
    /// Their documents; `None` where nothing is stored, or nothing is read yet.
    parts: Vec<Option<Part>>,
    /// Keys that were referred to for the first time in the level that is being read.
    referred: Vec<Key>,
    /// How many levels of documents are being read or have been, the root's not counted.
    levels: usize,
    /// What the tree takes at least: each document that was read once.
    least: Sum,
}

/// A document of the tree. Its own tree, if it has one, is not used: the trees of all documents
/// would take several times the memory of the cache.
struct Part {
    revision: Revision,
    /// With null in the place of references: as trees these would take most of the memory.
    value: Value,
    /// What it takes without its references.
    bytes: u64,
    /// How many levels it has without its references.
    levels: usize,
    /// In document order.
    references: Vec<Reference>,
}

/// A reference in a document.
struct Reference {
    /// How many values of the document come before it.
    at: usize,
    to: usize,
    /// How many arrays and objects of the document are around it.
    level: usize,
    /// How many levels it has, and what it takes, where it stays a reference.
    levels: usize,
    bytes: u64,
    /// What it is in the document, if there is more in it than the key.
    with_more: Option<Box<Value>>,
}

/// What was counted of a tree.
#[derive(Default)]
struct Sum {
    bytes: u64,
    documents: u64,
}

/// What a tree has too much of, and with how many documents.
#[derive(Clone, Copy)]
enum TooLarge {
    Bytes(u64),
    Levels(u64),
}

impl Expansion {
    /// Begins the tree of a document with its references expanded `depth` levels deep.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub(crate) fn new(root: &Document, depth: usize, max_bytes: u64) -> Result<Self> {
        let mut expansion = Self {
            depth,
            max_bytes,
            places: KeyMap::from_iter([(root.key().clone(), 0)]),
            keys: vec![root.key().clone()],
            parts: vec![None],
            referred: Vec::new(),
            levels: 0,
            least: Sum::default(),
        };
        expansion.add(root)?;
        Ok(expansion)
    }

    /// The keys of the next level: what the documents of this one refer to, and no earlier one.
    /// None at the end.
    pub(crate) fn next_level(&mut self) -> Vec<Key> {
        self.levels += 1;
        std::mem::take(&mut self.referred)
    }

    /// Takes in a document that was referred to.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for a document that cannot be held in memory as
    /// a tree; [`InvalidInput`](crate::ErrorKind::InvalidInput) if the documents that were read so
    /// far already take more than the tree may.
    pub(crate) fn add(&mut self, document: &Document) -> Result<()> {
        let mut value = document.to_value()?;
        let mut part = Part {
            revision: document.revision(),
            value: Value::Null,
            bytes: 0,
            levels: 0,
            references: Vec::new(),
        };
        self.take_references(&mut value, 0, &mut 0, &mut part);
        part.value = value;
        let place = self.place(document.key());
        self.least.bytes += part.bytes;
        self.least.documents += 1;
        if self.least.bytes > self.max_bytes {
            return Err(self.refuse(TooLarge::Bytes(self.least.documents), self.levels));
        }
        self.parts[place] = Some(part);
        Ok(())
    }

    /// The revision of a document in the tree; `None` if it is not stored.
    pub(crate) fn revision(&self, key: &Key) -> Option<Revision> {
        Some(self.parts[*self.places.get(key)?].as_ref()?.revision)
    }

    /// The tree, once all levels were read; only once, because documents are moved into it.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a tree beyond the limits, which is not
    /// built: with the largest depth that is within them.
    pub(crate) fn tree(&mut self) -> Result<Value> {
        let checked = self.check(self.depth);
        let places = checked.map_err(|too_large| self.refuse(too_large, self.depth))?;
        let depth = self.depth;
        Ok(Build { expansion: self, places, within: Vec::new() }.document(0, depth))
    }

    /// The place of a key, which is noted as referred to if it was not before.
    fn place(&mut self, key: &Key) -> usize {
        if let Some(&place) = self.places.get(key) {
            return place;
        }
        let place = self.parts.len();
        self.parts.push(None);
        self.places.insert(key.clone(), place);
        self.keys.push(key.clone());
        self.referred.push(key.clone());
        place
    }

    /// Takes the references out of a value, `seen` values into a document and `level` levels deep
    /// in it, and measures the rest.
    fn take_references(
        &mut self,
        value: &mut Value,
        level: usize,
        seen: &mut usize,
        part: &mut Part,
    ) {
        let at = *seen;
        *seen += 1;
        // At the end of the depth all references stay as they are: parts of the document.
        if self.levels < self.depth
            && let Some(key) = reference(value)
        {
            let to = self.place(&key);
            let (levels, bytes) = (size::levels(value), size::tree(value) as u64);
            let taken = value.take();
            let more = taken.as_object().is_some_and(|members| members.len() > 1);
            let with_more = more.then(|| Box::new(taken));
            part.references.push(Reference { at, to, level, levels, bytes, with_more });
            return;
        }
        part.bytes += size::own(value) as u64;
        match value {
            Value::Array(items) => {
                part.levels = part.levels.max(level + 1);
                for item in items {
                    self.take_references(item, level + 1, seen, part);
                }
            }
            Value::Object(members) => {
                part.levels = part.levels.max(level + 1);
                for member in members.values_mut() {
                    self.take_references(member, level + 1, seen, part);
                }
            }
            _ => {}
        }
    }

    /// In how many places of the tree of this depth each document is, if the tree is within the
    /// limits.
    fn check(&self, depth: usize) -> Result<Vec<usize>, TooLarge> {
        let places = vec![0; self.parts.len()];
        let mut walk = Walk { expansion: self, within: Vec::new(), sum: Sum::default(), places };
        walk.document(0, depth, 0)?;
        Ok(walk.places)
    }

    /// Whether a reference is expanded within these documents: it is not where it dangles, or would
    /// lead back.
    fn is_expanded(&self, to: usize, within: &[usize]) -> bool {
        self.parts[to].is_some() && !within.contains(&to)
    }

    /// A reference that is not expanded.
    fn as_written(&self, reference: &Reference) -> Value {
        match &reference.with_more {
            Some(value) => (**value).clone(),
            None => json!({ REF_MEMBER: self.keys[reference.to].as_str() }),
        }
    }

    /// The error for a tree that is too large at `depth`, of which all levels but the last one were
    /// read.
    fn refuse(&self, too_large: TooLarge, depth: usize) -> Error {
        let (limit, documents, raise) = match too_large {
            TooLarge::Bytes(documents) => {
                let limit = format!("takes more than the limit of {} bytes", self.max_bytes);
                (limit, documents, Some("raise `Builder::resolved_bytes`"))
            }
            TooLarge::Levels(documents) => {
                let limit = format!("has more than {MAX_LEVELS} levels of arrays and objects");
                (limit, documents, None)
            }
        };
        // Not each smaller depth: a reference may take more than the document in its place.
        let fits = (0..depth).rev().find(|&depth| self.check(depth).is_ok());
        let less = fits.map(|fits| format!("ask for depth {fits}"));
        let advice: Vec<&str> = less.as_deref().into_iter().chain(raise).collect();
        Error::invalid_input(format!(
            "the tree of depth {} {limit}, reached at document {documents}; {}",
            self.depth,
            advice.join(", or "),
        ))
    }
}

/// Measures a tree, document by document.
struct Walk<'a> {
    expansion: &'a Expansion,
    /// The documents around the one that is measured.
    within: Vec<usize>,
    sum: Sum,
    /// In how many places each document is.
    places: Vec<usize>,
}

impl Walk<'_> {
    /// Adds a document that stands below so many levels of the tree.
    fn document(&mut self, at: usize, depth: usize, level: usize) -> Result<(), TooLarge> {
        let expansion = self.expansion;
        let Some(part) = &expansion.parts[at] else { return Ok(()) };
        self.sum.documents += 1;
        self.places[at] += 1;
        self.add(part.bytes, level + part.levels)?;
        self.within.push(at);
        for reference in &part.references {
            let level = level + reference.level;
            if depth > 0 && expansion.is_expanded(reference.to, &self.within) {
                self.document(reference.to, depth - 1, level)?;
            } else {
                self.add(reference.bytes, level + reference.levels)?;
            }
        }
        self.within.pop();
        Ok(())
    }

    fn add(&mut self, bytes: u64, levels: usize) -> Result<(), TooLarge> {
        self.sum.bytes = self.sum.bytes.saturating_add(bytes);
        if self.sum.bytes > self.expansion.max_bytes {
            return Err(TooLarge::Bytes(self.sum.documents));
        }
        if levels > MAX_LEVELS {
            return Err(TooLarge::Levels(self.sum.documents));
        }
        Ok(())
    }
}

/// Builds a tree that was measured.
struct Build<'a> {
    expansion: &'a mut Expansion,
    /// In how many places of the tree each document is to come.
    places: Vec<usize>,
    /// The documents around the one that is built.
    within: Vec<usize>,
}

/// Where the build of a document is: how many values it has seen, and which reference comes next.
struct Position {
    document: usize,
    seen: usize,
    reference: usize,
}

impl Build<'_> {
    fn document(&mut self, at: usize, depth: usize) -> Value {
        let Some(part) = &mut self.expansion.parts[at] else { return Value::Null };
        self.places[at] -= 1;
        // Most documents have one place in the tree. They are moved there.
        let is_last = self.places[at] == 0;
        let mut value = if is_last { part.value.take() } else { part.value.clone() };
        self.within.push(at);
        let mut position = Position { document: at, seen: 0, reference: 0 };
        self.fill(&mut value, &mut position, depth);
        self.within.pop();
        value
    }

    /// Puts what is referred to into a value of a document.
    ///
    /// Recursive, so its frames are kept small: no iterator calls it from a closure.
    fn fill(&mut self, value: &mut Value, position: &mut Position, depth: usize) {
        let part = self.expansion.parts[position.document].as_ref();
        let next = part.and_then(|part| part.references.get(position.reference));
        // The rest of the document has none.
        let Some(reference) = next else { return };
        let at = position.seen;
        position.seen += 1;
        if reference.at == at {
            position.reference += 1;
            let to = reference.to;
            *value = if depth > 0 && self.expansion.is_expanded(to, &self.within) {
                self.document(to, depth - 1)
            } else {
                self.expansion.as_written(reference)
            };
            return;
        }
        match value {
            Value::Array(items) => {
                for item in items {
                    self.fill(item, position, depth);
                }
            }
            Value::Object(members) => {
                for member in members.values_mut() {
                    self.fill(member, position, depth);
                }
            }
            _ => {}
        }
    }
}
