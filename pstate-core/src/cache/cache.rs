//! The cache, and the coherence protocol.
//!
//! The rule: *once a write has been acknowledged, no read through this handle or a clone of it
//! returns an older value, and until a write has settled, reads of its keys go to the store.*
//!
//! Every load and every write of a key passes through its [`Pending`](super::pending::Pending)
//! state, under the lock of one shard:
//!
//! - A load that finds neither the cache nor a flight [registers a flight](Cache::begin_load);
//!   others that want the same key join it. When it ends, its result goes into the cache only if
//!   the flight is [still registered](Cache::end_load).
//! - A write, [before it begins](Cache::begin_write), removes the key from the cache, unregisters
//!   the flight (it may have read the old value; those who joined it began before the write did)
//!   and marks the key as being written. While the mark stands, loads neither share nor keep.
//! - A write that [settles](Cache::end_write) puts what it stored into the cache, unless another
//!   write of the key overlapped with it, since the order in which the store did them is not known.
//!   Then nothing is kept and the next read asks the store.
//! - A [change](Cache::changed) by another handle or process is treated like a write that has just
//!   settled: the key leaves the cache, its flight is unregistered, and nothing is kept of a write
//!   that is under way.
//! - When it is only known that others have written, what was loaded before carries an
//!   [epoch](super::epochs) below the minimum: it is a miss, and a flight of such an epoch is not
//!   joined.
//! - [Resolved values](super::resolved) and [kept graphs](super::graphs) become invalid when a
//!   document in them is written or changed.
//! - Loads and writes run to their end even if the caller goes away (see
//!   [`shield`](crate::runtime::shield)). Should one be lost all the same, because the runtime shut
//!   down or the adapter panicked, a load unregisters its flight, and a write leaves its mark: the
//!   key is never cached again, which is slow and never wrong.

use std::collections::hash_map;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Weak};

use super::counters::{CacheCounters, HITS_PER_YIELD, TypeIndex};
use super::entry::{ByBytes, CountEvictions, Entry, Eviction, table_options};
use super::epochs::Epochs;
use super::flight::Flight;
use super::graphs::Graphs;
use super::key::{CacheKey, CacheKeyRef};
use super::pending::{KeyDependent, Registered, Shard};
use super::resolved::UnusedDependencies;
use crate::document::{CacheOwner, Document};
use crate::model::{KeyRef, Result, Space};
use crate::runtime::{Mutex, MutexGuard, RandomState};
use crate::storage::ChangedTo;
use crate::telemetry::{CacheChange, Telemetry};

/// How many parts the cache has, each with its share of the bytes.
const CACHE_SHARDS: usize = 16;

/// Which part of the bytes is for the links of kept graphs.
const GRAPHS_SHARE: u64 = 8;

/// How many locks the loads and writes under way are spread over.
const PENDING_SHARDS: usize = 64;

/// What a look-up found.
pub(crate) struct Hit {
    /// The document, or the knowledge that there is none.
    pub(crate) document: Option<Document>,
    /// Whether the reader should yield first: one that finds everything in the cache must not keep
    /// other tasks from running. Tokio's own budget would cost half a hit each time.
    pub(crate) should_yield: bool,
}

/// A look-up that found nothing to serve; it is handed to [`Cache::begin_load`], so that a key is
/// looked up once.
pub(crate) struct Miss {
    /// How often something had been put into the cache before.
    insertions: u64,
    /// Whether the cache has something that is too old to be served. It is looked up again: a
    /// document handed on here would be in the way of a hit.
    stale: bool,
}

impl Miss {
    /// Of a look-up that was left out, because nothing is young enough to be served.
    pub(crate) const LEFT_OUT: Self = Self { insertions: 0, stale: true };
}

/// How a load of one key continues.
pub(super) enum BeginLoad {
    /// The key was loaded in the meantime.
    Hit(Option<Document>),
    /// The caller's flight loads it, for all readers. The document is what the cache had, too old
    /// to be served.
    Lead(Option<Document>),
    /// The caller reads it for itself: it is being written.
    Alone,
    /// This flight loads it, at this place.
    Join(Arc<Flight>, usize),
}

pub(crate) struct Cache {
    entries: quick_cache::sync::Cache<CacheKey, Entry, ByBytes, RandomState, CountEvictions>,
    shards: Box<[Mutex<Shard>]>,
    /// How often something was put into the cache. It is raised after that has happened, so a
    /// look-up that began with today's number has seen it all.
    insertions: AtomicU64,
    graphs: Graphs,
    unused_dependencies: UnusedDependencies,
    max_bytes: u64,
    hasher: RandomState,
    counters: Arc<CacheCounters>,
    telemetry: Arc<Telemetry>,
    epochs: Epochs,
    /// This cache, as its documents know it.
    owner: Weak<dyn CacheOwner>,
}

/// A cached document has grown by a tree, a typed or a resolved value: from now on that counts.
impl CacheOwner for Cache {
    fn has_room_for(&self, bytes: usize) -> bool {
        self.has_room(bytes)
    }

    fn weight_changed(&self, space: &Space, document: &Document) {
        let key = CacheKey { space: space.clone(), key: document.key().clone() };
        // Under the lock, so that the entry is not replaced or removed in between, but for an
        // eviction.
        let shard = self.shard(&key);
        let mut eviction = self.eviction(&key, Some(document));
        if let Some(entry) = self.entries.peek(&key)
            && entry.document.is_some_and(|cached| cached.is(document))
        {
            let grown = Entry::new(Some(document.clone()), entry.counted, entry.epoch);
            // One that takes more now than there is room for is evicted.
            _ = self.entries.replace_with_lifecycle(key, grown, true, &mut eviction);
        }
        drop(shard);
        self.emit_evicted(eviction);
    }
}

impl Cache {
    /// A cache that holds documents, and what was made from them, of at most `max_bytes`
    /// altogether; none with 0.
    pub(crate) fn new(max_bytes: u64, telemetry: Arc<Telemetry>) -> Result<Arc<Self>> {
        let for_graphs = max_bytes / GRAPHS_SHARE;
        let max_bytes = max_bytes - for_graphs;
        // A few hundred bytes a document is the usual case; the estimate only sizes the tables.
        let items = usize::try_from(max_bytes / 512).unwrap_or(usize::MAX).clamp(64, 1 << 20);
        let options = table_options(items, max_bytes, CACHE_SHARDS)?;
        let hasher = RandomState::default();
        let counters = Arc::new(CacheCounters::default());
        let evictions = CountEvictions(counters.clone());
        let entries =
            quick_cache::sync::Cache::with_options(options, ByBytes, hasher.clone(), evictions);
        let graphs = Graphs::new(for_graphs, hasher.clone())?;
        let shards = (0..PENDING_SHARDS).map(|_| Mutex::default()).collect();
        Ok(Arc::new_cyclic(|this: &Weak<Self>| {
            let owner: Weak<dyn CacheOwner> = this.clone();
            Self {
                entries,
                shards,
                insertions: AtomicU64::new(0),
                graphs,
                unused_dependencies: UnusedDependencies::default(),
                max_bytes,
                hasher,
                counters,
                telemetry,
                epochs: Epochs::new(),
                owner,
            }
        }))
    }

    /// What the cache knows about a key, of `min_epoch` or younger.
    #[expect(clippy::inline_always, reason = "a key handed over in memory costs half a hit")]
    #[inline(always)]
    pub(crate) fn get(&self, space: &Space, key: KeyRef<'_>, min_epoch: u64) -> Result<Hit, Miss> {
        // Before the look-up: see `insertions`.
        let insertions = self.insertions.load(Acquire);
        // The fields one by one: an entry that is moved as a whole costs a third of a hit.
        let (entity_type, id) = (key.entity_type().as_bytes(), key.id().as_bytes());
        match self.entries.get(&CacheKeyRef { space, entity_type, id }) {
            Some(Entry { document, epoch, counted, .. }) if epoch >= min_epoch => {
                let before = self.counters.at(counted).hit();
                let should_yield = before % HITS_PER_YIELD == HITS_PER_YIELD - 1;
                Ok(Hit { document, should_yield })
            }
            Some(_) => Err(Miss { insertions, stale: true }),
            None => Err(Miss { insertions, stale: false }),
        }
    }

    /// The document that the cache holds, however old it is; counts as no use of it.
    pub(crate) fn peek(&self, space: &Space, key: KeyRef<'_>) -> Option<Document> {
        let (entity_type, id) = (key.entity_type().as_bytes(), key.id().as_bytes());
        self.entries.peek(&CacheKeyRef { space, entity_type, id })?.document
    }

    /// Announces a load of `key` at place `at` of `flight`, after a look-up that missed what is of
    /// `min_epoch` or younger.
    pub(super) fn begin_load(
        &self,
        key: &CacheKey,
        flight: &Arc<Flight>,
        at: usize,
        miss: &Miss,
        min_epoch: u64,
    ) -> BeginLoad {
        let mut shard = self.shard(key);
        let mut stale = None;
        // What was put into the cache under this lock has raised the number.
        if (miss.stale || self.insertions.load(Acquire) != miss.insertions)
            && let Some(entry) = self.entries.get(key)
        {
            if entry.epoch >= min_epoch {
                self.counters.at(entry.counted).hit();
                return BeginLoad::Hit(entry.document);
            }
            stale = entry.document;
        }
        let counted = self.counters.index(key.key.entity_type());
        self.counters.at(counted).miss();
        let pending = shard.pending.entry(key.clone()).or_default();
        if pending.writers > 0 {
            return BeginLoad::Alone;
        }
        if let Some(Registered { flight: other, at, .. }) = &pending.flight
            && (Arc::ptr_eq(other, flight) || other.epoch() >= min_epoch)
        {
            return BeginLoad::Join(other.clone(), *at);
        }
        // A flight that is too old continues for those who wait for it, and is not kept.
        pending.flight = Some(Registered { flight: flight.clone(), at, counted });
        BeginLoad::Lead(stale)
    }

    /// Ends a load: keeps its result, if the flight is still the one that is registered.
    pub(super) fn end_load(
        &self,
        key: CacheKey,
        flight: &Arc<Flight>,
        result: Option<&Option<Document>>,
    ) {
        let mut shard = self.shard(&key);
        let hash_map::Entry::Occupied(pending) = shard.pending.entry(key) else { return };
        let registered = pending.get().flight.as_ref();
        let registered = registered.filter(|it| Arc::ptr_eq(&it.flight, flight));
        let Some(&Registered { counted, .. }) = registered else { return };
        // A flight is registered only while no write is under way: nothing else is pending.
        let (key, _) = pending.remove_entry();
        let kept = result
            .map(|document| self.keep_counted(key, document.clone(), counted, flight.epoch()));
        drop(shard);
        self.emit_kept(kept);
    }

    /// Announces a write of a key.
    pub(super) fn begin_write(&self, key: &CacheKey) {
        let mut shard = self.shard(key);
        let pending = shard.pending.entry(key.clone()).or_default();
        pending.flight = None;
        pending.overlapped |= pending.writers > 0;
        pending.writers += 1;
        let was_there = self.invalidate(key);
        shard.invalidate_dependents(key, ChangedTo::Unknown);
        drop(shard);
        self.emit_invalidated(key, was_there);
    }

    /// Ends a write: keeps what it stored, if that is known and no other write overlapped.
    pub(super) fn end_write(&self, key: CacheKey, stored: Option<Option<Document>>, epoch: u64) {
        let mut shard = self.shard(&key);
        let hash_map::Entry::Occupied(mut pending) = shard.pending.entry(key) else { return };
        pending.get_mut().writers -= 1;
        if pending.get().writers > 0 {
            return;
        }
        let (key, pending) = pending.remove_entry();
        let stored = stored.filter(|_| !pending.overlapped);
        let kept = stored.map(|document| self.keep(key, document, epoch));
        drop(shard);
        self.emit_kept(kept);
    }

    /// Another handle or process has changed what is stored.
    pub(super) fn changed(&self, key: &CacheKey, now: ChangedTo) {
        let mut shard = self.shard(key);
        shard.invalidate_dependents(key, now);
        let cached = self.entries.peek(key);
        // With something pending the entry proves nothing: it may have expired, and a flight may
        // have read what was there in between.
        if !shard.pending.contains_key(key)
            && cached.is_some_and(|entry| {
                now.is_still(entry.document.map(|document| document.revision()))
            })
        {
            return;
        }
        if let Some(pending) = shard.pending.get_mut(key) {
            pending.flight = None;
            // In which order the store did the two is not known.
            pending.overlapped = true;
            if pending.writers == 0 {
                shard.pending.remove(key);
            }
        }
        let was_there = self.invalidate(key);
        drop(shard);
        self.emit_invalidated(key, was_there);
    }

    /// Removes a key, and says whether it was there; the caller holds the shard's lock.
    fn invalidate(&self, key: &CacheKey) -> bool {
        let removed = self.entries.remove(key);
        if let Some((_, entry)) = &removed {
            self.counters.at(entry.counted).invalidated();
            if let Some(document) = &entry.document {
                document.leave_cache(true);
            }
        }
        removed.is_some()
    }

    /// Puts something into the cache, and says what has left for it; the caller holds the shard's
    /// lock.
    pub(super) fn keep(&self, key: CacheKey, document: Option<Document>, epoch: u64) -> Eviction {
        let counted = self.counters.index(key.key.entity_type());
        self.keep_counted(key, document, counted, epoch)
    }

    /// The same for a key whose type is counted there.
    fn keep_counted(
        &self,
        key: CacheKey,
        document: Option<Document>,
        counted: TypeIndex,
        epoch: u64,
    ) -> Eviction {
        self.counters.at(counted).inserted();
        if let Some(document) = &document {
            document.enter_cache(&self.owner, &key.space);
        }
        let mut eviction = self.eviction(&key, document.as_ref());
        let entry = Entry::new(document, counted, epoch);
        self.entries.insert_with_lifecycle(key, entry, &mut eviction);
        self.insertions.fetch_add(1, Release);
        eviction
    }

    /// What leaves for an entry of this key with this document.
    fn eviction(&self, key: &CacheKey, document: Option<&Document>) -> Eviction {
        Eviction::for_entry_of(key, document, self.telemetry.is_observed())
    }

    /// Emits what was kept; the caller holds no lock.
    fn emit_kept(&self, kept: Option<Eviction>) {
        let Some(eviction) = kept else { return };
        if let Some(CacheKey { space, key }) = &eviction.comes {
            self.telemetry.cache_changed(space, key.borrow(), CacheChange::Insert);
        }
        self.emit_evicted(eviction);
    }

    fn emit_evicted(&self, eviction: Eviction) {
        for CacheKey { space, key } in eviction.evicted {
            self.telemetry.cache_changed(&space, key.borrow(), CacheChange::Evict);
        }
    }

    fn emit_invalidated(&self, key: &CacheKey, was_there: bool) {
        if was_there {
            self.telemetry.cache_changed(&key.space, key.key.borrow(), CacheChange::Invalidate);
        }
    }

    pub(super) fn shard(&self, key: &CacheKey) -> MutexGuard<'_, Shard> {
        // The map inside uses the low bits of the same hash; these are the high ones.
        let shard = (self.hasher.hash_one(key) >> 58) as usize;
        self.shards[shard].lock()
    }

    /// Notes that something is going to be made from what is stored under a key; invalidates it at
    /// once if a write of the key is under way.
    pub(super) fn add_dependent(&self, key: &CacheKey, dependent: Weak<dyn KeyDependent>) {
        let mut shard = self.shard(key);
        if shard.is_written(key)
            && let Some(dependent) = dependent.upgrade()
        {
            dependent.invalidate();
        }
        shard.add_dependent(key, dependent);
    }

    /// Whether it is cached that nothing is stored under a key, by `min_epoch` or later.
    pub(super) fn knows_absence(&self, key: &CacheKey, min_epoch: u64) -> bool {
        let entry = self.entries.peek(key);
        entry.is_some_and(|entry| entry.document.is_none() && entry.epoch >= min_epoch)
    }

    pub(super) fn graphs(&self) -> &Graphs {
        &self.graphs
    }

    pub(super) fn unused_dependencies(&self) -> UnusedDependencies {
        self.unused_dependencies.clone()
    }

    /// Forgets what was noted for values that are gone.
    pub(super) fn forget_unused_dependencies(&self) {
        let unused = std::mem::take(&mut *self.unused_dependencies.lock());
        for key in unused {
            self.shard(&key).forget_unused(&key);
        }
    }

    /// Of how many keys it is noted that something was made from them.
    #[cfg(all(test, not(feature = "_shuttle")))]
    pub(crate) fn dependencies(&self) -> usize {
        self.forget_unused_dependencies();
        self.shards.iter().map(|shard| shard.lock().dependents.len()).sum()
    }

    /// Whether something of this size can be kept, and much else beside it.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        bytes as u64 <= self.max_bytes / (2 * CACHE_SHARDS as u64)
    }

    /// Whether hardly anything more can be kept: half of the bound is used, and one in 32 of the
    /// cached documents has been evicted for another since so many had been. The parts of the cache
    /// fill unevenly: the first evictions do not mean that it is full. An absence that is evicted
    /// makes room.
    pub(crate) fn is_full(&self, evicted_before: u64) -> bool {
        let evicted = self.counters.evicted_documents() - evicted_before;
        evicted > self.len() as u64 / 32 && self.entries.weight() >= self.max_bytes / 2
    }

    /// How many bytes the cached documents take, and what was made from them.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.weight() + self.graphs.bytes()
    }

    /// How many documents, or absences, are cached.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn counters(&self) -> &CacheCounters {
        &self.counters
    }

    #[inline]
    pub(crate) fn epochs(&self) -> &Epochs {
        &self.epochs
    }
}
