//! Graphs that preloads have loaded, kept until something in them changes.
//!
//! A graph holds its documents, and each of these knows the graphs that it is in. When a document
//! leaves the cache, its graphs are invalid from then on: before a write of it begins, when another
//! process has changed it, and when it is evicted, since the cache would not learn of a change any
//! more. Of keys under which nothing is stored the cache notes that they are in a graph, as for
//! [resolved values](super::resolved).
//!
//! So a graph that is valid consists of what look-ups of all of its keys would find. To be sure of
//! that, a graph is first made known to its documents, and kept only if all of them are cached
//! afterwards: what has left before is seen, and what leaves later finds the graph.
//!
//! A graph of which few documents have changed is kept aside: a preload can [load those
//! alone](super::Known::Changed). An evicted document is let go at once, with the whole graph,
//! because the cache's bound does not count it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use quick_cache::Weighter;
use quick_cache::sync::DefaultLifecycle;

use super::counters::TypeIndex;
use super::entry::table_options;
use super::key::CacheKey;
use super::pending::KeyDependent;
use super::resolved::Dependencies;
use crate::document::Dependent;
use crate::model::Result;
use crate::preload::{Graph, Preload};
use crate::runtime::{Mutex, RandomState};
use crate::storage::ChangedTo;

/// How many preloads of one root are kept, the latest ones.
const PRELOADS_PER_ROOT: usize = 4;

/// How many documents of a graph may have changed, so that the rest of it is still used. Those are
/// in memory although the cache does not count them.
pub(crate) const MOST_CHANGED: usize = 8;

/// How many parts the table has.
pub(super) const SHARDS: usize = 4;

pub(super) type KeptGraphs = Arc<[Arc<KeptGraph>]>;

/// The graphs, by their roots.
pub(super) struct Graphs {
    pub(super) table: quick_cache::sync::Cache<CacheKey, KeptGraphs, ByBytes, RandomState>,
    pub(super) max_bytes: u64,
}

pub(super) struct KeptGraph {
    pub(super) preload: Preload,
    /// The epoch of its oldest document.
    pub(super) min_epoch: u64,
    pub(super) is_valid: AtomicBool,
    /// How many of its documents have changed.
    pub(super) changed: AtomicUsize,
    pub(super) graph: Mutex<Option<Arc<Graph>>>,
    /// What it refers to and is not there.
    pub(super) absent: Dependencies,
    /// How many documents of each type it has.
    pub(super) types: Vec<(TypeIndex, u64)>,
    pub(super) weight: usize,
}

/// Weighs graphs by the memory that they take without their documents, which the cache counts.
#[derive(Clone)]
pub(super) struct ByBytes;

impl Weighter<CacheKey, KeptGraphs> for ByBytes {
    fn weight(&self, _: &CacheKey, graphs: &KeptGraphs) -> u64 {
        let entry = size_of::<(CacheKey, KeptGraphs)>() + 5 * size_of::<usize>();
        let graphs: usize = graphs.iter().map(|kept| kept.weight).sum();
        (entry + graphs) as u64
    }
}

impl Graphs {
    /// A table of graphs that take at most `max_bytes` altogether.
    pub(super) fn new(max_bytes: u64, hasher: RandomState) -> Result<Self> {
        let items = usize::try_from(max_bytes / 4_096).unwrap_or(usize::MAX).clamp(16, 1 << 16);
        let options = table_options(items, max_bytes, SHARDS)?;
        let lifecycle = DefaultLifecycle::default();
        let table = quick_cache::sync::Cache::with_options(options, ByBytes, hasher, lifecycle);
        Ok(Self { table, max_bytes })
    }

    /// How many bytes the graphs take.
    pub(super) fn bytes(&self) -> u64 {
        self.table.weight()
    }

    pub(super) fn keep(&self, key: CacheKey, kept: Arc<KeptGraph>) {
        let earlier = self.table.peek(&key);
        let others = earlier.iter().flat_map(|all| all.iter());
        let others =
            others.filter(|other| !other.preload.has_paths_of(&kept.preload) && other.is_usable());
        let others: Vec<_> = others.take(PRELOADS_PER_ROOT - 1).cloned().collect();
        self.table.insert(key, std::iter::once(kept).chain(others).collect());
    }
}

impl KeptGraph {
    fn is_usable(&self) -> bool {
        self.graph.lock().is_some()
    }

    fn let_go(&self) {
        self.is_valid.store(false, SeqCst);
        let graph = self.graph.lock().take();
        drop(graph);
    }
}

impl Dependent for KeptGraph {
    fn document_changed(&self) {
        self.is_valid.store(false, SeqCst);
        if self.changed.fetch_add(1, SeqCst) == MOST_CHANGED {
            self.let_go();
        }
    }

    fn document_evicted(&self) {
        self.let_go();
    }
}

impl KeyDependent for KeptGraph {
    fn has(&self, key: &CacheKey, now: ChangedTo) -> bool {
        self.absent.has(key, now)
    }

    fn invalidate(&self) {
        self.let_go();
    }
}
