//! What is counted for each entity type.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::fast::RandomState;
use parking_lot::RwLock;

/// After how many hits of one entity type a reader yields: some 30 µs of hits, 0.3 ms where each
/// has to come from main memory. A yield costs up to 5 µs if no other task is ready: the runtime
/// asks the operating system for events.
pub(super) const HITS_PER_YIELD: u64 = 1_024;

/// Types come from keys, and those from users: beyond this many they are counted together.
const MAX_TYPES: u16 = 256;

/// The name under which types beyond [`MAX_TYPES`] are counted. No entity type can have it.
const OTHER_TYPES: &str = "(other)";

/// The counters of one entity type. They only ever grow.
///
/// On a cache line of its own, so that types do not slow each other.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct TypeCounters {
    hits: AtomicU64,
    misses: AtomicU64,
    inserts: AtomicU64,
    evictions: AtomicU64,
    invalidations: AtomicU64,
    migrations: AtomicU64,
    failed_migrations: AtomicU64,
}

impl TypeCounters {
    /// Counts one more; how many there were before.
    #[inline]
    pub(super) fn hit(&self) -> u64 {
        self.hits.fetch_add(1, Relaxed)
    }

    /// Counts several more. Whether a reader should [yield](HITS_PER_YIELD) for them.
    pub(super) fn hits_at_once(&self, count: u64) -> bool {
        let before = self.hits.fetch_add(count, Relaxed);
        before / HITS_PER_YIELD != (before + count) / HITS_PER_YIELD
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

    pub(crate) fn migrated(&self) {
        self.migrations.fetch_add(1, Relaxed);
    }

    pub(crate) fn migration_failed(&self) {
        self.failed_migrations.fetch_add(1, Relaxed);
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

    pub(crate) fn migrations(&self) -> u64 {
        self.migrations.load(Relaxed)
    }

    pub(crate) fn failed_migrations(&self) -> u64 {
        self.failed_migrations.load(Relaxed)
    }
}

/// Which counters belong to an entity type; kept beside what is cached, where an `Arc` would have
/// to be counted on each hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeIndex(u16);

/// The counters of all entity types that were seen.
#[derive(Debug)]
pub(crate) struct CacheCounters {
    indices: RwLock<HashMap<Box<str>, TypeIndex, RandomState>>,
    /// One for each type, and the last for all that are too many.
    counters: Box<[TypeCounters]>,
    /// Evictions of documents, those of absences not included.
    evicted_documents: AtomicU64,
}

impl Default for CacheCounters {
    fn default() -> Self {
        let counters = (0..=MAX_TYPES).map(|_| TypeCounters::default()).collect();
        Self { indices: RwLock::default(), counters, evicted_documents: AtomicU64::new(0) }
    }
}

impl CacheCounters {
    /// How many types are counted separately.
    #[cfg(feature = "metrics")]
    pub(crate) const MAX_TYPES: u16 = MAX_TYPES;

    /// Counts the eviction of a document, or of an absence.
    pub(super) fn evicted(&self, index: TypeIndex, is_document: bool) {
        self.at(index).evicted();
        if is_document {
            self.evicted_documents.fetch_add(1, Relaxed);
        }
    }

    /// How many documents were evicted.
    pub(crate) fn evicted_documents(&self) -> u64 {
        self.evicted_documents.load(Relaxed)
    }

    /// Where a type is counted.
    pub(super) fn index(&self, entity_type: &str) -> TypeIndex {
        if let Some(index) = self.indices.read().get(entity_type) {
            return *index;
        }
        let mut indices = self.indices.write();
        match u16::try_from(indices.len()) {
            Ok(seen) if seen < MAX_TYPES => {
                *indices.entry(entity_type.into()).or_insert(TypeIndex(seen))
            }
            _ => TypeIndex(MAX_TYPES),
        }
    }

    #[inline]
    pub(super) fn at(&self, index: TypeIndex) -> &TypeCounters {
        &self.counters[usize::from(index.0)]
    }

    /// The counters of a type, which are counted together with others beyond the limit.
    pub(crate) fn of(&self, entity_type: &str) -> &TypeCounters {
        self.at(self.index(entity_type))
    }

    /// Reads of all types together.
    pub(crate) fn reads(&self) -> u64 {
        self.counters.iter().map(|counters| counters.hits() + counters.misses()).sum()
    }

    /// Calls `visit` with each type's name and counters.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&str, &TypeCounters)) {
        let indices = self.indices.read();
        for (name, index) in &*indices {
            visit(name, self.at(*index));
        }
        if indices.len() == usize::from(MAX_TYPES) {
            visit(OTHER_TYPES, self.at(TypeIndex(MAX_TYPES)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_beyond_the_limit_are_counted_together() {
        let counters = CacheCounters::default();
        for at in 0..300 {
            counters.at(counters.index(&format!("type{at}"))).hit();
        }
        counters.at(counters.index("type7")).hit();
        let mut seen = HashMap::new();
        counters.for_each(|name, counters| {
            seen.insert(name.to_owned(), counters.hits());
        });
        assert_eq!((seen.len(), seen["type7"], seen[OTHER_TYPES]), (257, 2, 44));
    }
}
