//! What the cache counts, for each entity type.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;

/// Types come from keys, and those from users: beyond this many they are counted together.
const MAX_TYPES: usize = 256;

/// The name under which types beyond [`MAX_TYPES`] are counted. No entity type can have it.
const OTHER_TYPES: &str = "(other)";

/// The counters of one entity type. They only ever grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    inserts: AtomicU64,
    evictions: AtomicU64,
    invalidations: AtomicU64,
}

impl Counters {
    pub(super) fn hit(&self) {
        self.hits.fetch_add(1, Relaxed);
    }

    pub(super) fn miss(&self) {
        self.misses.fetch_add(1, Relaxed);
    }

    pub(super) fn inserted(&self) {
        self.inserts.fetch_add(1, Relaxed);
    }

    pub(super) fn evicted(&self) {
        self.evictions.fetch_add(1, Relaxed);
    }

    pub(super) fn invalidated(&self) {
        self.invalidations.fetch_add(1, Relaxed);
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    pub(crate) fn misses(&self) -> u64 {
        self.misses.load(Relaxed)
    }

    pub(crate) fn inserts(&self) -> u64 {
        self.inserts.load(Relaxed)
    }

    pub(crate) fn evictions(&self) -> u64 {
        self.evictions.load(Relaxed)
    }

    pub(crate) fn invalidations(&self) -> u64 {
        self.invalidations.load(Relaxed)
    }
}

/// The counters of all entity types that were seen.
#[derive(Debug, Default)]
pub(crate) struct CacheCounters {
    by_type: RwLock<HashMap<Box<str>, Arc<Counters>>>,
}

impl CacheCounters {
    /// The counters of a type.
    pub(super) fn of(&self, entity_type: &str) -> Arc<Counters> {
        if let Some(counters) = self.by_type.read().get(entity_type) {
            return counters.clone();
        }
        let mut by_type = self.by_type.write();
        let name = if by_type.len() < MAX_TYPES || by_type.contains_key(entity_type) {
            entity_type
        } else {
            OTHER_TYPES
        };
        by_type.entry(name.into()).or_default().clone()
    }

    /// Calls `visit` with each type's name and counters.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&str, &Counters)) {
        for (name, counters) in &*self.by_type.read() {
            visit(name, counters);
        }
    }
}
