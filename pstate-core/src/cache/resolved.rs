//! Resolved values, and which documents are in them.
//!
//! A resolved value is kept with the document at its root. Every other document in it knows that it is:
//! a write of it, or somebody else's change, makes the value invalid before the write begins. Dependencies
//! are noted before the documents are read, and one that is being written makes the value invalid
//! at once; so what was read before a write is never kept after it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};

use serde_json::Value;

use super::{Cache, CacheKey, NEVER, Shard, is_still};
use crate::changes::ChangedTo;
use crate::document::Document;
use crate::memory_size;
use crate::record::Revision;

/// A document with its references expanded.
pub(crate) struct Resolved {
    depth: usize,
    /// Since when what it was made from was valid.
    valid_since: u64,
    /// Whether nothing in it was written since it was read.
    valid: AtomicBool,
    made: OnceLock<Made>,
}

struct Made {
    value: Arc<Value>,
    dependencies: Dependencies,
}

/// The documents in a resolved value. When they are dropped, they are handed to the cache to be forgotten:
/// that takes locks which whoever drops them may hold.
struct Dependencies {
    cache: Weak<Cache>,
    /// Ascending by key once all are there.
    all: Vec<Dependency>,
}

struct Dependency {
    key: CacheKey,
    /// What was read; `None` if nothing is stored.
    revision: Option<Revision>,
}

impl Drop for Dependencies {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade() {
            let keys = std::mem::take(&mut self.all).into_iter().map(|dependency| dependency.key);
            cache.unused_dependencies.lock().extend(keys);
        }
    }
}

impl Resolved {
    /// The value, if it was resolved so deeply and is valid for a read for which nothing is good enough
    /// that is older than `valid_since`.
    pub(crate) fn value(&self, depth: usize, valid_since: u64) -> Option<Arc<Value>> {
        if self.depth != depth || self.valid_since < valid_since || !self.valid.load(SeqCst) {
            return None;
        }
        self.made.get().map(|made| made.value.clone())
    }

    /// How many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let Some(made) = self.made.get() else { return 0 };
        // Of each dependency what is here, and what is where it is looked for.
        let noted = size_of::<Dependency>() + size_of::<(CacheKey, Vec<Weak<Self>>)>();
        let each = noted + memory_size::allocation(size_of::<Weak<Self>>());
        let value = memory_size::allocation(size_of::<Value>()) + memory_size::tree(&made.value);
        value + made.dependencies.all.len() * each + memory_size::allocation(size_of::<Self>())
    }

    /// Whether it was made of what is stored now.
    fn has(&self, key: &CacheKey, now: ChangedTo) -> bool {
        let Some(made) = self.made.get() else { return false };
        let all = &made.dependencies.all;
        let at = all.binary_search_by(|dependency| order(&dependency.key).cmp(&order(key)));
        at.is_ok_and(|at| is_still(now, all[at].revision))
    }
}

fn order(key: &CacheKey) -> (&str, &str) {
    (key.space.as_str(), key.key.as_str())
}

/// A value that is being resolved.
pub(crate) struct Resolving {
    cache: Arc<Cache>,
    resolved: Arc<Resolved>,
    dependencies: Dependencies,
}

impl Resolving {
    /// Notes documents that are going to be read.
    pub(crate) fn depend_on(&mut self, keys: impl IntoIterator<Item = CacheKey>) {
        for key in keys {
            let mut shard = self.cache.shard(&key);
            if shard.pending.get(&key).is_some_and(|pending| pending.writers > 0) {
                self.resolved.valid.store(false, SeqCst);
            }
            let dependents = shard.dependents.entry(key.clone()).or_default();
            dependents.push(Arc::downgrade(&self.resolved));
            drop(shard);
            self.dependencies.all.push(Dependency { key, revision: None });
        }
    }

    /// Keeps the value with its root, if it is still valid and not too large. `revision` says which revision
    /// of a document is in it.
    pub(crate) fn finish(
        mut self,
        root: &Document,
        value: &Arc<Value>,
        revision: impl Fn(&CacheKey) -> Option<Revision>,
    ) {
        let all = &mut self.dependencies.all;
        for dependency in &mut *all {
            dependency.revision = revision(&dependency.key);
        }
        all.sort_unstable_by(|one, other| order(&one.key).cmp(&order(&other.key)));
        let Self { cache, resolved, dependencies } = self;
        // Nobody else sets it.
        _ = resolved.made.set(Made { value: value.clone(), dependencies });
        if resolved.valid_since != NEVER && cache.has_room_for(resolved.weight()) {
            root.keep_resolved(resolved);
        }
    }
}

impl Cache {
    /// Begins to resolve a value from documents that are valid since then.
    pub(crate) fn begin_resolve(self: &Arc<Self>, depth: usize, valid_since: u64) -> Resolving {
        self.forget_unused_dependencies();
        let made = OnceLock::new();
        let valid = AtomicBool::new(true);
        Resolving {
            cache: self.clone(),
            resolved: Arc::new(Resolved { depth, valid_since, valid, made }),
            dependencies: Dependencies { cache: Arc::downgrade(self), all: Vec::new() },
        }
    }

    fn forget_unused_dependencies(&self) {
        let unused = std::mem::take(&mut *self.unused_dependencies.lock());
        for key in unused {
            let mut shard = self.shard(&key);
            if let Some(dependents) = shard.dependents.get_mut(&key) {
                dependents.retain(|dependent| dependent.strong_count() > 0);
                if dependents.is_empty() {
                    shard.dependents.remove(&key);
                }
            }
        }
    }

    /// How many documents are noted as parts of resolved values.
    #[cfg(all(test, not(feature = "_shuttle")))]
    pub(crate) fn dependencies(&self) -> usize {
        self.forget_unused_dependencies();
        self.shards.iter().map(|shard| shard.lock().dependents.len()).sum()
    }
}

impl Shard {
    /// Makes the resolved values invalid in which a document is not what is stored now.
    pub(super) fn invalidate_dependents(&mut self, key: &CacheKey, now: ChangedTo) {
        let Some(dependents) = self.dependents.get_mut(key) else { return };
        dependents.retain(|dependent| {
            let Some(resolved) = dependent.upgrade() else { return false };
            let valid = resolved.has(key, now);
            if !valid {
                resolved.valid.store(false, SeqCst);
            }
            valid
        });
        if dependents.is_empty() {
            self.dependents.remove(key);
        }
    }
}

#[cfg(all(test, not(feature = "_shuttle")))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::memory::MemoryAdapter;
    use crate::pstate::PState;

    #[tokio::test]
    async fn documents_are_forgotten_with_the_values_that_they_were_part_of() {
        let adapter = Arc::new(MemoryAdapter::new());
        let pstate = PState::builder(adapter).cache_bytes(1 << 20).build().unwrap();
        for deck in 0..1_000 {
            let reference = |card: usize| json!({"$ref": format!("card:{}", deck + card)});
            let cards: Vec<Value> = (0..10).map(reference).collect();
            pstate.put(format!("deck:{deck}"), &json!({"cards": cards})).await.unwrap();
            pstate.get_resolved(format!("deck:{deck}"), 1).await.unwrap().unwrap();
        }
        // Most decks have been evicted.
        let dependencies = pstate.engine().cache.dependencies();
        assert!((10..9_000).contains(&dependencies), "{dependencies}");
        pstate.clear_space().await.unwrap();
        assert_eq!(pstate.engine().cache.dependencies(), 0);
    }
}
