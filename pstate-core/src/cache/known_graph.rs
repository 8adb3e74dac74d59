//! Looking up and keeping the graphs of preloads; see [`graphs`](super::graphs).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};

use super::cache::Cache;
use super::counters::TypeIndex;
use super::graphs::{KeptGraph, SHARDS};
use super::key::{CacheKey, CacheKeyRef};
use super::pending::KeyDependent;
use super::resolved::Dependencies;
use crate::document::{Dependent, Document, size};
use crate::preload::{Graph, Preload};
use crate::runtime::Mutex;

/// A graph that is known.
pub(crate) enum Known {
    /// Nothing in it has changed. The reader should yield first if the flag says so, like after
    /// many [hits](super::Hit).
    Unchanged(Arc<Graph>, bool),
    /// A few documents in it have changed.
    Changed(Arc<Graph>),
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
        let kept = Arc::new(KeptGraph {
            preload: preload.clone(),
            min_epoch,
            is_valid: AtomicBool::new(true),
            changed: AtomicUsize::new(0),
            graph: Mutex::new(Some(graph.clone())),
            absent,
            types: self.types(graph),
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
        let is_current = graph.documents().iter().all(Document::is_cached)
            && kept.absent.keys().all(|key| self.knows_absence(key, min_epoch));
        if is_current {
            self.graphs().keep(key, kept);
        }
    }

    /// How many documents of each type a graph has.
    fn types(&self, graph: &Graph) -> Vec<(TypeIndex, u64)> {
        let mut types: Vec<(TypeIndex, u64)> = Vec::new();
        // Those of a level come one after the other, and are looked up once.
        let of_type =
            |one: &Document, other: &Document| one.key().entity_type() == other.key().entity_type();
        for documents in graph.documents().chunk_by(of_type) {
            let index = self.counters().index(documents[0].key().entity_type());
            match types.iter_mut().find(|(counted, _)| *counted == index) {
                Some((_, count)) => *count += documents.len() as u64,
                None => types.push((index, documents.len() as u64)),
            }
        }
        types
    }
}
