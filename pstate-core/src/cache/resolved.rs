//! Resolved values, and which documents are in them.
//!
//! A resolved value is kept with the document at its root. The cache knows for every other document
//! in it that it is there: a write of the document, or a change by another process, invalidates the
//! value before the write begins. Dependencies are noted before the documents are read, and one
//! that is being written invalidates the value at once; so what was read before a write is never
//! kept after it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};

use serde_json::Value;

use super::key::CacheKey;
use super::pending::KeyDependent;
use crate::document::{Derived, size};
use crate::model::Revision;
use crate::runtime::Mutex;
use crate::storage::ChangedTo;

/// Documents that were part of resolved values that are gone.
pub(super) type UnusedDependencies = Arc<Mutex<Vec<CacheKey>>>;

/// A document with its references expanded.
pub(super) struct Resolved {
    depth: usize,
    /// The epoch of the oldest document that it was made from.
    pub(super) min_epoch: u64,
    /// Whether nothing in it was written since it was read.
    valid: AtomicBool,
    made: OnceLock<Made>,
}

struct Made {
    value: Arc<Value>,
    dependencies: Dependencies,
}

/// The documents in a resolved value. A drop queues them to be forgotten, instead of forgetting
/// them: that takes the cache's locks, which the thread that drops them may hold.
pub(super) struct Dependencies {
    unused: UnusedDependencies,
    /// Ascending by key once all are there.
    all: Vec<Dependency>,
}

struct Dependency {
    key: CacheKey,
    /// What was read; `None` if nothing is stored.
    revision: Option<Revision>,
}

impl Dependencies {
    pub(super) fn new(unused: UnusedDependencies) -> Self {
        Self { unused, all: Vec::new() }
    }

    pub(super) fn add(&mut self, key: CacheKey) {
        self.all.push(Dependency { key, revision: None });
    }

    /// Whether a document is what was noted of it.
    pub(super) fn has(&self, key: &CacheKey, now: ChangedTo) -> bool {
        let at = self.all.binary_search_by(|dependency| order(&dependency.key).cmp(&order(key)));
        at.is_ok_and(|at| now.is_still(self.all[at].revision))
    }

    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = &CacheKey> {
        self.all.iter().map(|dependency| &dependency.key)
    }

    /// How many bytes of memory they take, with the cache's notes of them.
    pub(super) fn weight(&self) -> usize {
        let noted = size_of::<Dependency>() + size_of::<(CacheKey, Vec<Weak<dyn KeyDependent>>)>();
        let each = noted + size::allocation(size_of::<Weak<dyn KeyDependent>>());
        self.all.len() * each
    }

    /// Notes what was read of each.
    pub(super) fn set_revisions(&mut self, revision: impl Fn(&CacheKey) -> Option<Revision>) {
        for dependency in &mut self.all {
            dependency.revision = revision(&dependency.key);
        }
        self.all.sort_unstable_by(|one, other| order(&one.key).cmp(&order(&other.key)));
    }
}

impl Drop for Dependencies {
    fn drop(&mut self) {
        let keys = std::mem::take(&mut self.all).into_iter().map(|dependency| dependency.key);
        self.unused.lock().extend(keys);
    }
}

impl Resolved {
    pub(super) fn new(depth: usize, min_epoch: u64) -> Self {
        Self { depth, min_epoch, valid: AtomicBool::new(true), made: OnceLock::new() }
    }

    /// Sets the value, once.
    pub(super) fn set(&self, value: Arc<Value>, dependencies: Dependencies) {
        // Only the call that makes it sets it.
        _ = self.made.set(Made { value, dependencies });
    }
}

impl KeyDependent for Resolved {
    fn invalidate(&self) {
        self.valid.store(false, SeqCst);
    }

    fn has(&self, key: &CacheKey, now: ChangedTo) -> bool {
        self.made.get().is_some_and(|made| made.dependencies.has(key, now))
    }
}

impl Derived for Resolved {
    fn value(&self, depth: usize, min_epoch: u64) -> Option<Arc<Value>> {
        if self.depth != depth || self.min_epoch < min_epoch || !self.valid.load(SeqCst) {
            return None;
        }
        self.made.get().map(|made| made.value.clone())
    }

    fn weight(&self) -> usize {
        let Some(made) = self.made.get() else { return 0 };
        let value = size::allocation(size_of::<Value>()) + size::tree(&made.value);
        value + made.dependencies.weight() + size::allocation(size_of::<Self>())
    }
}

fn order(key: &CacheKey) -> (&str, &str) {
    (key.space.as_str(), key.key.as_str())
}
