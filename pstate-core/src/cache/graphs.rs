//! Graphs that preloads have loaded, kept until something in them changes.
//!
//! A graph holds its documents, and each of these knows the graphs that it is in. When a document
//! leaves the cache, its graphs are invalid from then on: before a write of it begins, when another
//! process has changed it, and when it is evicted, since the cache would not learn of a change any more.
//! Of keys under which nothing is stored the cache notes that they are in a graph, as for
//! [resolved values](super::resolved).
//!
//! So a graph that is valid consists of what look-ups of all of its keys would find. To be sure of
//! that, a graph is first made known to its documents, and kept only if all of them are cached
//! afterwards: what has left before is seen, and what leaves later finds the graph.
//!
//! A graph of which few documents have changed is kept aside: a preload can [load those
//! alone](Known::Changed). An evicted document is let go at once, with the whole graph, because
//! the cache's bound does not count it any more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};

use quick_cache::sync::DefaultLifecycle;
use quick_cache::{OptionsBuilder, Weighter};

use super::cache::Cache;
use super::counters::TypeIndex;
use super::key::{CacheKey, CacheKeyRef};
use super::pending::KeyDependent;
use super::resolved::Dependencies;
use crate::document::{Dependent, size};
use crate::model::{Error, ErrorKind, Result};
use crate::preload::{Graph, Preload};
use crate::runtime::{Mutex, RandomState};
use crate::storage::ChangedTo;

/// How many preloads of one root are kept, the latest ones.
const PRELOADS_PER_ROOT: usize = 4;

/// How many documents of a graph may have changed, so that the rest of it is still used. Those are
/// in memory although the cache does not count them.
pub(crate) const MOST_CHANGED: usize = 8;

/// How many parts the table has.
const SHARDS: usize = 4;

/// A graph that is known.
pub(crate) enum Known {
    /// Nothing in it has changed. The reader should yield first if the flag says so, like after
    /// many [hits](super::Hit).
    Unchanged(Arc<Graph>, bool),
    /// A few documents in it have changed.
    Changed(Arc<Graph>),
}

type KeptGraphs = Arc<[Arc<KeptGraph>]>;

/// The graphs, by their roots.
pub(super) struct Graphs {
    table: quick_cache::sync::Cache<CacheKey, KeptGraphs, ByBytes, RandomState>,
    max_bytes: u64,
}

struct KeptGraph {
    preload: Preload,
    /// The epoch of its oldest document.
    min_epoch: u64,
    is_valid: AtomicBool,
    /// How many of its documents have changed.
    changed: AtomicUsize,
    graph: Mutex<Option<Arc<Graph>>>,
    /// What it refers to and is not there.
    absent: Dependencies,
    /// How many documents of each type it has.
    types: Vec<(TypeIndex, u64)>,
    weight: usize,
}

/// Weighs graphs by the memory that they take without their documents, which the cache counts.
#[derive(Clone)]
struct ByBytes;

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
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(max_bytes)
            .shards(SHARDS)
            .build()
            .map_err(|error| Error::new(ErrorKind::Config, "the cache").caused_by(error))?;
        let lifecycle = DefaultLifecycle::default();
        let table = quick_cache::sync::Cache::with_options(options, ByBytes, hasher, lifecycle);
        Ok(Self { table, max_bytes })
    }

    /// How many bytes the graphs take.
    pub(super) fn bytes(&self) -> u64 {
        self.table.weight()
    }

    fn keep(&self, key: CacheKey, kept: Arc<KeptGraph>) {
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

impl Cache {
    /// What an earlier preload of the same root has found, if it is of `min_epoch` or younger.
    pub(crate) fn known_graph(
        &self,
        key: &CacheKey,
        preload: &Preload,
        min_epoch: u64,
    ) -> Option<Known> {
        let (entity_type, id) = key.key.parts();
        let look_up = CacheKeyRef { space: &key.space, entity_type, id };
        let all = self.graphs().table.get(&look_up)?;
        let kept = all.iter().find(|kept| kept.preload.has_paths_of(preload))?;
        if kept.min_epoch < min_epoch {
            return None;
        }
        let is_valid = kept.is_valid.load(SeqCst);
        let graph = kept.graph.lock().clone()?;
        if !is_valid {
            return Some(Known::Changed(graph));
        }
        let mut should_yield = false;
        for &(counted, documents) in &kept.types {
            should_yield |= self.counters().at(counted).hits_at_once(documents);
        }
        Some(Known::Unchanged(graph, should_yield))
    }

    /// Keeps a graph of documents that are of `min_epoch` or younger, if all of them are cached and
    /// there is room for it.
    pub(crate) fn keep_graph(
        &self,
        key: CacheKey,
        preload: &Preload,
        graph: &Arc<Graph>,
        min_epoch: u64,
    ) {
        self.forget_unused_dependencies();
        let mut absent = Dependencies::new(self.unused_dependencies());
        for dangling in graph.dangling() {
            absent.add(CacheKey { space: key.space.clone(), key: dangling.to.clone() });
        }
        absent.set_revisions(|_| None);
        // Each document's note of this graph, in a list of its own, which may be half empty.
        let note = 2 * size_of::<Weak<dyn Dependent>>() + size_of::<Vec<Weak<dyn Dependent>>>();
        let notes = graph.documents().len() * size::allocation(note);
        let weight = graph.weight()
            + notes
            + absent.weight()
            + size::allocation(size_of::<KeptGraph>() + preload.to_string().len());
        if weight as u64 > self.graphs().max_bytes / SHARDS as u64 / 2 {
            return;
        }
        let mut types: Vec<(TypeIndex, u64)> = Vec::new();
        for document in graph.documents() {
            let index = self.counters().index(document.key().entity_type());
            match types.iter_mut().find(|(counted, _)| *counted == index) {
                Some((_, documents)) => *documents += 1,
                None => types.push((index, 1)),
            }
        }
        let kept = Arc::new(KeptGraph {
            preload: preload.clone(),
            min_epoch,
            is_valid: AtomicBool::new(true),
            changed: AtomicUsize::new(0),
            graph: Mutex::new(Some(graph.clone())),
            absent,
            types,
            weight,
        });
        for key in kept.absent.keys() {
            let dependent: Weak<dyn KeyDependent> = Arc::<KeptGraph>::downgrade(&kept);
            self.add_dependent(key, dependent);
        }
        let dependent: Weak<dyn Dependent> = Arc::<KeptGraph>::downgrade(&kept);
        for document in graph.documents() {
            document.add_dependent(dependent.clone());
        }
        let is_current = graph.documents().iter().all(|document| document.is_cached())
            && kept.absent.keys().all(|key| self.knows_absence(key, min_epoch));
        if is_current {
            self.graphs().keep(key, kept);
        }
    }
}
