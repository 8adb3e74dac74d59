//! The cache of documents, and the protocol that keeps it coherent with the store.
//!
//! The rule: *once a write has been acknowledged, no read through this handle or a clone of it
//! returns an older value, and until a write has settled, reads of its keys go to the store.*
//!
//! Every load and every write of a key passes through its [`Pending`] state, under the lock of
//! one shard:
//!
//! - A load that finds neither the cache nor a flight [registers a flight](Cache::begin_load);
//!   others that want the same key join it. When it ends, its result goes into the cache only if
//!   the flight is [still registered](LoadGuard::finish).
//! - A write, [before it begins](Cache::begin_write), removes the key from the cache, unregisters
//!   the flight (it may have read the old value; those who joined it began before the write did)
//!   and marks the key as being written. While the mark stands, loads neither share nor keep.
//! - A write that [settles](WriteGuard::settle) puts what it stored into the cache, unless
//!   another write of the key overlapped with it, since the order in which the store did them is
//!   not known. Then nothing is kept and the next read asks the store.
//! - A [change](Cache::changed) that somebody else has made is treated like a write that was just over:
//!   the key leaves the cache, its flight is unregistered, and nothing is kept of a write that is under
//!   way.
//! - Where only is known that others have written, what was loaded before carries an
//!   [epoch](Validity) that is no longer valid: it is a miss, and a flight of such an epoch is not
//!   joined.
//! - [Resolved values](resolved) become invalid when a document in them is written or changed.
//! - Loads and writes run to their end even if the caller goes away (see
//!   [`detached`](crate::detached)). Should one be lost all the same, because the runtime shut
//!   down or the adapter panicked, a load unregisters its flight, and a write leaves its mark: the
//!   key is never cached again, which is slow and never wrong.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Weak};

use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, Weighter};

use crate::changes::ChangedTo;
use crate::document::{Document, Keeper};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Key, KeyRef};
use crate::record::Revision;
use crate::runtime::{Mutex, MutexGuard, RandomState};
use crate::space::Space;
use crate::telemetry::{CacheChange, Telemetry};

mod counters;
mod flight;
#[cfg(all(test, feature = "_shuttle"))]
mod model;
mod resolved;
mod uncertain;
mod validity;

use counters::TypeIndex;
pub(crate) use counters::{CacheCounters, TypeCounters};
pub(crate) use flight::{Flight, FlightResults, LoadGuard};
pub(crate) use resolved::Resolved;
pub(crate) use uncertain::UncertainWrites;
pub(crate) use validity::{NEVER, Validity};

/// How many parts the cache has, each with its share of the bytes.
const CACHE_SHARDS: usize = 16;

/// After how many hits of one entity type other tasks have their turn: some 30 µs of hits, 0.3 ms where each
/// has to come from main memory. A turn costs up to 5 µs if nobody else wants it: the runtime asks the
/// operating system for events.
const HITS_IN_A_TURN: u64 = 1_024;

/// How many locks the pending loads and writes are spread over.
const SHARDS: usize = 64;

/// What a document is cached under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheKey {
    pub(crate) space: Space,
    pub(crate) key: Key,
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (entity_type, id) = self.key.parts();
        CacheKeyRef { space: &self.space, entity_type, id }.hash(state);
    }
}

/// A [`CacheKey`] that borrows, so that a look-up allocates nothing. Only well-formed keys are ever
/// found, so it need not be checked before.
struct CacheKeyRef<'a> {
    space: &'a Space,
    entity_type: &'a [u8],
    id: &'a [u8],
}

impl Hash for CacheKeyRef<'_> {
    /// Part by part: to join them first costs half a hit.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.space.as_str().as_bytes());
        state.write(self.entity_type);
        state.write(self.id);
    }
}

impl Equivalent<CacheKey> for CacheKeyRef<'_> {
    #[inline]
    fn equivalent(&self, other: &CacheKey) -> bool {
        let (entity_type, id) = other.key.parts();
        id == self.id && entity_type == self.entity_type && other.space == *self.space
    }
}

/// A document, or the knowledge that there is none; where its type is counted, which a hit
/// then need not look up.
#[derive(Clone)]
struct Entry {
    document: Option<Document>,
    counted: TypeIndex,
    /// When its load or write began.
    epoch: u64,
    /// What the document took when this was last looked at: the cache's sums need a number that
    /// does not change by itself.
    weight: usize,
}

impl Entry {
    fn new(document: Option<Document>, counted: TypeIndex, epoch: u64) -> Self {
        let weight = document.as_ref().map_or(0, Document::weight);
        Self { document, counted, epoch, weight }
    }
}

/// What was found in the cache.
pub(crate) struct Hit {
    /// The document, or the knowledge that there is none.
    pub(crate) document: Option<Document>,
    /// Whether other tasks have their turn first: one that finds everything in the cache must not keep
    /// them from running. Tokio's own budget would cost half a hit each time.
    pub(crate) is_turn_over: bool,
}

/// Loads and writes of one key that are under way.
#[derive(Default)]
struct Pending {
    /// The load that readers may join, and the key's place in it. Never set while `writers > 0`.
    flight: Option<(Arc<Flight>, usize)>,
    /// How many writes have begun and not settled.
    writers: usize,
    /// Whether two of those were under way at the same time.
    overlapped: bool,
}

/// What is known of some of the keys, apart from what is cached.
#[derive(Default)]
struct Shard {
    pending: HashMap<CacheKey, Pending, RandomState>,
    /// The resolved values that a document is part of.
    dependents: HashMap<CacheKey, Vec<Weak<Resolved>>, RandomState>,
}

/// How a load of one key goes on.
pub(crate) enum BeginLoad {
    /// It was loaded meanwhile.
    Hit(Option<Document>),
    /// The caller's flight loads it, for everyone. It may still be what it was when it was loaded last.
    Lead(Option<Document>),
    /// The caller reads it for itself: it is being written.
    Alone,
    /// This flight loads it, at this place.
    Join(Arc<Flight>, usize),
}

pub(crate) struct Cache {
    entries: quick_cache::sync::Cache<CacheKey, Entry, ByBytes, RandomState, CountEvictions>,
    shards: Box<[Mutex<Shard>]>,
    /// Documents that were part of resolved values which are gone.
    unused_dependencies: Mutex<Vec<CacheKey>>,
    max_bytes: u64,
    hasher: RandomState,
    counters: Arc<CacheCounters>,
    telemetry: Arc<Telemetry>,
    validity: Validity,
    /// This cache, as its documents know it.
    keeper: Weak<dyn Keeper>,
}

/// A cached document has grown by a tree or a typed value: from now on that counts.
impl Keeper for Cache {
    fn grown(&self, space: &Space, document: &Document) {
        let key = CacheKey { space: space.clone(), key: document.key().clone() };
        // So that nobody replaces or removes it in between, but for an eviction.
        let shard = self.shard(&key);
        let mut eviction = Eviction { replaces: true, ..self.eviction() };
        if let Some(entry) = self.entries.peek(&key)
            && entry.document.is_some_and(|cached| cached.is(document))
        {
            let grown = Entry::new(Some(document.clone()), entry.counted, entry.epoch);
            let replaced = self.entries.replace_with_lifecycle(key, grown, true, &mut eviction);
            if let Err((key, _)) = replaced
                && !eviction.replaces
            {
                // It takes more now than there is room for.
                self.counters.at(entry.counted).evicted();
                eviction.evicted.extend(eviction.watched.then_some(key));
            }
        }
        drop(shard);
        self.tell_evicted(eviction);
    }
}

impl Cache {
    /// A cache that holds documents of at most so many bytes altogether; none with 0.
    pub(crate) fn new(max_bytes: u64, telemetry: Arc<Telemetry>) -> Result<Arc<Self>> {
        // A few hundred bytes a document is the usual case; the estimate only sizes the tables.
        let items = usize::try_from(max_bytes / 512).unwrap_or(usize::MAX).clamp(64, 1 << 20);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(max_bytes)
            .shards(CACHE_SHARDS)
            .build()
            .map_err(|error| Error::new(ErrorKind::Config, "the cache").caused_by(error))?;
        let hasher = RandomState::default();
        let counters = Arc::new(CacheCounters::default());
        let evictions = CountEvictions(counters.clone());
        let entries =
            quick_cache::sync::Cache::with_options(options, ByBytes, hasher.clone(), evictions);
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Ok(Arc::new_cyclic(|this: &Weak<Self>| {
            let keeper: Weak<dyn Keeper> = this.clone();
            Self {
                entries,
                shards,
                unused_dependencies: Mutex::default(),
                max_bytes,
                hasher,
                counters,
                telemetry,
                validity: Validity::new(),
                keeper,
            }
        }))
    }

    /// What the cache knows about a key, of `valid_since` or younger.
    #[expect(clippy::inline_always, reason = "a key handed over in memory costs half a hit")]
    #[inline(always)]
    pub(crate) fn get(&self, space: &Space, key: KeyRef<'_>, valid_since: u64) -> Option<Hit> {
        // The fields one by one: an entry that is moved as a whole costs a third of a hit.
        let (entity_type, id) = (key.entity_type().as_bytes(), key.id().as_bytes());
        match self.entries.get(&CacheKeyRef { space, entity_type, id }) {
            Some(Entry { document, epoch, counted, .. }) if epoch >= valid_since => {
                let before = self.counters.at(counted).hit();
                Some(Hit { document, is_turn_over: before % HITS_IN_A_TURN == HITS_IN_A_TURN - 1 })
            }
            _ => None,
        }
    }

    /// Announces a load of `key` as number `at` of `flight`, for which nothing is good enough that is
    /// older than `valid_since`.
    pub(crate) fn begin_load(
        &self,
        key: &CacheKey,
        flight: &Arc<Flight>,
        at: usize,
        valid_since: u64,
    ) -> BeginLoad {
        let mut shard = self.shard(key);
        let entry = self.entries.get(key);
        if let Some(entry) = entry.as_ref().filter(|entry| entry.epoch >= valid_since) {
            self.counters.at(entry.counted).hit();
            return BeginLoad::Hit(entry.document.clone());
        }
        self.counters.at(self.counters.index(key.key.entity_type())).miss();
        let pending = shard.pending.entry(key.clone()).or_default();
        if pending.writers > 0 {
            return BeginLoad::Alone;
        }
        if let Some((other, at)) = &pending.flight
            && (Arc::ptr_eq(other, flight) || other.epoch() >= valid_since)
        {
            return BeginLoad::Join(other.clone(), *at);
        }
        // One that is too old goes on for those who wait for it, and is not kept.
        pending.flight = Some((flight.clone(), at));
        BeginLoad::Lead(entry.and_then(|entry| entry.document))
    }

    /// Ends a load: keeps its result, if the flight is still the one that is registered.
    fn end_load(&self, key: &CacheKey, flight: &Arc<Flight>, result: Option<&Option<Document>>) {
        let mut shard = self.shard(key);
        let registered = shard.pending.get(key).and_then(|pending| pending.flight.as_ref());
        if !registered.is_some_and(|(registered, _)| Arc::ptr_eq(registered, flight)) {
            return;
        }
        // A flight is registered only while nobody writes: nothing else is pending.
        shard.pending.remove(key);
        let kept = result.map(|document| self.keep(key, document.clone(), flight.epoch()));
        drop(shard);
        self.tell_kept(key, kept);
    }

    /// Announces a write of these keys, which must be distinct.
    pub(crate) fn begin_write(self: &Arc<Self>, keys: Vec<CacheKey>) -> WriteGuard {
        let epoch = self.validity.now();
        for key in &keys {
            let mut shard = self.shard(key);
            let pending = shard.pending.entry(key.clone()).or_default();
            pending.flight = None;
            pending.overlapped |= pending.writers > 0;
            pending.writers += 1;
            let was_there = self.invalidate(key);
            shard.invalidate_dependents(key, ChangedTo::Unknown);
            drop(shard);
            self.tell_invalidated(key, was_there);
        }
        WriteGuard { cache: self.clone(), keys, epoch }
    }

    /// Somebody else has changed what is stored.
    pub(crate) fn changed(&self, key: &CacheKey, now: ChangedTo) {
        let mut shard = self.shard(key);
        shard.invalidate_dependents(key, now);
        let cached = self.entries.peek(key);
        // What is cached may have expired, and a flight may have read what was there in between.
        if !shard.pending.contains_key(key)
            && cached.is_some_and(|entry| is_still(now, entry.document.map(|it| it.revision())))
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
        self.tell_invalidated(key, was_there);
    }

    /// Removes a key, and says whether it was there; the caller holds the shard's lock.
    fn invalidate(&self, key: &CacheKey) -> bool {
        let removed = self.entries.remove(key);
        if let Some((_, entry)) = &removed {
            self.counters.at(entry.counted).invalidated();
        }
        removed.is_some()
    }

    fn end_write(&self, key: &CacheKey, stored: Option<Option<Document>>, epoch: u64) {
        let mut shard = self.shard(key);
        let Some(pending) = shard.pending.get_mut(key) else { return };
        pending.writers -= 1;
        if pending.writers > 0 {
            return;
        }
        let overlapped = pending.overlapped;
        shard.pending.remove(key);
        let stored = stored.filter(|_| !overlapped);
        let kept = stored.map(|document| self.keep(key, document, epoch));
        drop(shard);
        self.tell_kept(key, kept);
    }

    /// Puts something into the cache, and says what has left for it; the caller holds the shard's lock.
    fn keep(&self, key: &CacheKey, document: Option<Document>, epoch: u64) -> Eviction {
        let counted = self.counters.index(key.key.entity_type());
        self.counters.at(counted).inserted();
        if let Some(document) = &document {
            document.keep_by(&self.keeper, &key.space);
        }
        let mut eviction = self.eviction();
        let entry = Entry::new(document, counted, epoch);
        self.entries.insert_with_lifecycle(key.clone(), entry, &mut eviction);
        eviction
    }

    fn eviction(&self) -> Eviction {
        Eviction { watched: self.telemetry.is_observed(), ..Eviction::default() }
    }

    /// Tells observers what was kept; nobody holds a lock.
    fn tell_kept(&self, key: &CacheKey, kept: Option<Eviction>) {
        if let Some(eviction) = kept {
            self.telemetry.cache_changed(&key.space, key.key.borrow(), CacheChange::Insert);
            self.tell_evicted(eviction);
        }
    }

    fn tell_evicted(&self, eviction: Eviction) {
        for CacheKey { space, key } in eviction.evicted {
            self.telemetry.cache_changed(&space, key.borrow(), CacheChange::Evict);
        }
    }

    fn tell_invalidated(&self, key: &CacheKey, was_there: bool) {
        if was_there {
            self.telemetry.cache_changed(&key.space, key.key.borrow(), CacheChange::Invalidate);
        }
    }

    fn shard(&self, key: &CacheKey) -> MutexGuard<'_, Shard> {
        // The map inside uses the low bits of the same hash; these are the high ones.
        let shard = (self.hasher.hash_one(key) >> 58) as usize;
        self.shards[shard].lock()
    }

    /// Whether something so large can be kept, and much else beside it.
    fn has_room_for(&self, bytes: usize) -> bool {
        bytes as u64 <= self.max_bytes / (2 * CACHE_SHARDS as u64)
    }

    /// How many bytes the cached documents take.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.weight()
    }

    /// Whether there is hardly any room left.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes() >= self.max_bytes / 10 * 9
    }

    /// How many documents, or absences, are cached.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn counters(&self) -> &CacheCounters {
        &self.counters
    }

    #[inline]
    pub(crate) fn validity(&self) -> &Validity {
        &self.validity
    }
}

/// Whether what is stored now is what was found: a record of this revision, or none.
fn is_still(now: ChangedTo, found: Option<Revision>) -> bool {
    match now {
        ChangedTo::Revision(revision) => found == Some(revision),
        ChangedTo::Absent => found.is_none(),
        ChangedTo::Unknown => false,
    }
}

/// A write that has begun. It must be settled; if it is dropped, its keys are never cached again.
#[must_use]
pub(crate) struct WriteGuard {
    cache: Arc<Cache>,
    keys: Vec<CacheKey>,
    epoch: u64,
}

impl WriteGuard {
    /// Ends the write. For each key what is stored now, in the order in which they were announced;
    /// `None` where that is not known.
    pub(crate) fn settle(self, stored: impl IntoIterator<Item = Option<Option<Document>>>) {
        let stored = stored.into_iter().chain(std::iter::repeat(None));
        for (key, stored) in self.keys.iter().zip(stored) {
            self.cache.end_write(key, stored, self.epoch);
        }
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<CacheKey, Entry> for ByBytes {
    fn weight(&self, key: &CacheKey, entry: &Entry) -> u64 {
        // The tables' own words for an entry (slot, links, hash), and the key's text, which the
        // document shares.
        let table = size_of::<CacheKey>() + size_of::<Entry>() + 5 * size_of::<usize>();
        let text = key.key.as_str().len() + 3 * size_of::<usize>();
        (table + text + entry.weight) as u64
    }
}

/// What is known of the entries that leave.
#[derive(Default)]
struct Eviction {
    /// The next one makes room for itself, only heavier.
    replaces: bool,
    /// Whether somebody wants to know which they are.
    watched: bool,
    evicted: Vec<CacheKey>,
}

#[derive(Clone)]
struct CountEvictions(Arc<CacheCounters>);

impl Lifecycle<CacheKey, Entry> for CountEvictions {
    type RequestState = Eviction;

    fn on_evict(&self, eviction: &mut Eviction, key: CacheKey, entry: Entry) {
        if !std::mem::take(&mut eviction.replaces) {
            self.0.at(entry.counted).evicted();
            eviction.evicted.extend(eviction.watched.then_some(key));
        }
    }
}
