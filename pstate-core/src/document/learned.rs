//! What is made of a document's text on demand, and kept beside it.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

use serde_json::Value;

use super::derived::{Dependent, Derived};
use super::references::MemberReferences;
use super::size;
use crate::model::Key;
use crate::runtime::Mutex;

/// Of how many members the references are kept; those of further ones are collected each time.
const MAX_MEMBERS: usize = 32;

/// The typed value, the tree, the references and the derived value of a document, each as soon as
/// it was asked for.
///
/// What is kept adds to [`bytes`](Self::bytes), and the document reports to its cache that it has
/// grown.
#[derive(Default)]
pub(super) struct Learned {
    typed: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// Whether the typed value is among the bytes. It is only once a cache holds the document.
    typed_counts: AtomicBool,
    /// The rest, in a place of its own: of most documents nothing else is asked for.
    more: OnceLock<Box<More>>,
    /// What was made from this document and others, and is kept elsewhere.
    dependents: OnceLock<Box<Mutex<Dependents>>>,
    /// How many bytes all of it takes, but for the notes of dependents, which count those.
    bytes: AtomicUsize,
}

type Dependents = Vec<Weak<dyn Dependent>>;

#[derive(Default)]
struct More {
    tree: OnceLock<Value>,
    /// The references in the members that they were asked for, in the order of the questions.
    references: Mutex<Vec<(Arc<str>, MemberReferences)>>,
    /// The document with its references expanded, as the last call asked for it.
    derived: Mutex<Option<Arc<dyn Derived>>>,
}

impl Learned {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// The place of what is not typed, and the bytes that are added to make it.
    fn more(&self) -> (&More, usize) {
        let mut bytes = 0;
        let more = self.more.get_or_init(|| {
            bytes = self.add(size::allocation(size_of::<More>()));
            Box::default()
        });
        (more, bytes)
    }

    pub(super) fn tree(&self) -> Option<&Value> {
        self.more.get()?.tree.get()
    }

    /// Keeps a tree, unless there is one; the one that is kept, and the bytes that it adds.
    pub(super) fn keep_tree(&self, tree: Value) -> (&Value, usize) {
        let (more, bytes) = self.more();
        let mut first = false;
        let kept = more.tree.get_or_init(|| {
            first = true;
            tree
        });
        (kept, if first { bytes + self.add(size::tree(kept)) } else { bytes })
    }

    pub(super) fn typed<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.typed.get()?.clone().downcast().ok()
    }

    /// Keeps a typed value, unless there is one, and returns the one to use. A second type is not
    /// kept.
    pub(super) fn keep_typed<T: Send + Sync + 'static>(&self, typed: Arc<T>) -> Arc<T> {
        let kept = self.typed.get_or_init(|| typed.clone());
        kept.clone().downcast().unwrap_or(typed)
    }

    /// Counts the typed value, which was decoded from this text, if there is one and it was not
    /// counted before; the bytes that it adds.
    pub(super) fn count_typed(&self, text: &str) -> usize {
        match self.typed.get() {
            Some(typed) if !self.typed_counts.swap(true, Relaxed) => {
                self.add(size::typed(text, size_of_val(&**typed)))
            }
            _ => 0,
        }
    }

    /// The references in each of the members, if they are known for all of them.
    pub(super) fn references(&self, members: &[&str]) -> Option<Vec<MemberReferences>> {
        let known = self.more.get()?.references.lock();
        let find = |member: &&str| known.iter().find(|(name, _)| **name == **member);
        members.iter().map(|member| Some(find(member)?.1.clone())).collect()
    }

    /// Keeps the references in members, and returns the bytes that they add. Those that the cache
    /// has no room for are collected each time: they must not make the document itself leave it.
    pub(super) fn keep_references<M: AsRef<str> + Clone + Into<Arc<str>>>(
        &self,
        members: &[M],
        found: &[MemberReferences],
        has_room: impl Fn(usize) -> bool,
    ) -> usize {
        let (more, made) = self.more();
        let mut known = more.references.lock();
        let before = known.capacity();
        let places = members.len().min(MAX_MEMBERS - known.len());
        known.reserve_exact(places);
        let mut bytes = 0;
        for (member, found) in members.iter().zip(found) {
            if known.len() == MAX_MEMBERS
                || known.iter().any(|(name, _)| **name == *member.as_ref())
            {
                continue;
            }
            // The keys' texts, and two counters for each of them and for the list.
            let counters = 2 * size_of::<usize>();
            let text = |key: &Key| size::allocation(key.as_str().len() + counters);
            let keys = |keys: &Arc<[Key]>| {
                let list = size::allocation(size_of_val(&**keys) + counters);
                list + keys.iter().map(text).sum::<usize>()
            };
            let mut adds = size::allocation(member.as_ref().len()) + found.keys().map_or(0, keys);
            if let MemberReferences::Damaged { why, .. } = found {
                adds += size::allocation(why.len() + counters);
            }
            if !has_room(self.bytes() + bytes + adds) {
                continue;
            }
            bytes += adds;
            known.push((member.clone().into(), found.clone()));
        }
        let places = known.capacity() - before;
        drop(known);
        made + self.add(bytes + places * size_of::<(Arc<str>, MemberReferences)>())
    }

    pub(super) fn derived(&self, depth: usize, min_epoch: u64) -> Option<Arc<Value>> {
        self.more.get()?.derived.lock().as_ref()?.value(depth, min_epoch)
    }

    /// Keeps a derived value in place of an earlier one.
    pub(super) fn keep_derived(&self, derived: Arc<dyn Derived>) {
        // Added before it can be replaced, so that the sum never falls below what is there.
        self.add(derived.weight());
        let replaced = self.more().0.derived.lock().replace(derived);
        let freed = replaced.map_or(0, |replaced| replaced.weight());
        self.bytes.fetch_sub(freed, Relaxed);
    }

    pub(super) fn add_dependent(&self, dependent: Weak<dyn Dependent>) {
        let mut dependents = self.dependents.get_or_init(Box::default).lock();
        if dependents.len() == dependents.capacity() {
            dependents.retain(|dependent| dependent.strong_count() > 0);
        }
        dependents.push(dependent);
    }

    pub(super) fn take_dependents(&self) -> Dependents {
        self.dependents.get().map(|all| std::mem::take(&mut *all.lock())).unwrap_or_default()
    }

    fn add(&self, bytes: usize) -> usize {
        self.bytes.fetch_add(bytes, Relaxed);
        bytes
    }
}
