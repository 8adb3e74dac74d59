//! A resolved value that is being made.

use std::sync::Arc;

use serde_json::Value;

use super::cache::Cache;
use super::epochs::ALL_STALE;
use super::key::CacheKey;
use super::resolved::{Dependencies, Resolved};
use crate::document::{Derived as _, Document};
use crate::model::Revision;

/// A value that is being resolved, and the documents noted so far as parts of it.
pub(crate) struct Resolving {
    cache: Arc<Cache>,
    resolved: Arc<Resolved>,
    dependencies: Dependencies,
}

impl Resolving {
    /// Begins to resolve a value `depth` levels deep, from documents no older than `min_epoch`.
    pub(crate) fn begin(cache: &Arc<Cache>, depth: usize, min_epoch: u64) -> Self {
        cache.forget_unused_dependencies();
        Self {
            cache: cache.clone(),
            resolved: Arc::new(Resolved::new(depth, min_epoch)),
            dependencies: Dependencies::new(cache.unused_dependencies()),
        }
    }

    /// Notes documents that are going to be read.
    pub(crate) fn depend_on(&mut self, keys: impl IntoIterator<Item = CacheKey>) {
        for key in keys {
            self.cache.add_dependent(&key, Arc::<Resolved>::downgrade(&self.resolved));
            self.dependencies.add(key);
        }
    }

    /// Keeps the value with its root, if it is still valid and not too large. `revision` gives the
    /// revision of a document that is in it.
    pub(crate) fn finish(
        mut self,
        root: &Document,
        value: &Arc<Value>,
        revision: impl Fn(&CacheKey) -> Option<Revision>,
    ) {
        self.dependencies.set_revisions(revision);
        let Self { cache, resolved, dependencies } = self;
        resolved.set(value.clone(), dependencies);
        if resolved.min_epoch != ALL_STALE && cache.has_room(resolved.weight()) {
            root.keep_derived(resolved);
        }
    }
}
