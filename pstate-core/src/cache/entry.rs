//! What the cache holds for a key, what that weighs, and what happens when it has to leave.

use std::sync::Arc;

use quick_cache::{Lifecycle, Options, OptionsBuilder, Weighter};

use super::counters::{CacheCounters, TypeIndex};
use super::key::CacheKey;
use crate::document::Document;
use crate::model::{Error, ErrorKind, Result};

/// A document, or the knowledge that there is none.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) document: Option<Document>,
    /// Where its type is counted, so that a hit need not look that up.
    pub(super) counted: TypeIndex,
    /// The epoch in which its load or write began.
    pub(super) epoch: u64,
    /// What the document weighed when the entry was made: the cache crate subtracts what it was
    /// given, so the number must not change by itself. As short as that is: an entry of another
    /// word costs each document eight bytes.
    weight: u32,
}

impl Entry {
    pub(super) fn new(document: Option<Document>, counted: TypeIndex, epoch: u64) -> Self {
        let weight = document.as_ref().map_or(0, Document::weight);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        Self { document, counted, epoch, weight }
    }
}

/// Weighs entries by the memory that they take.
#[derive(Clone)]
pub(super) struct ByBytes;

impl Weighter<CacheKey, Entry> for ByBytes {
    fn weight(&self, key: &CacheKey, entry: &Entry) -> u64 {
        // The tables' own words for an entry (slot, links, hash), and the key's text, which the
        // document shares.
        let table = size_of::<CacheKey>() + size_of::<Entry>() + 5 * size_of::<usize>();
        let text = key.key.as_str().len() + 3 * size_of::<usize>();
        (table + text) as u64 + u64::from(entry.weight)
    }
}

/// A table for about so many entries, which weigh at most `max_bytes` altogether.
pub(super) fn table_options(items: usize, max_bytes: u64, shards: usize) -> Result<Options> {
    OptionsBuilder::new()
        .estimated_items_capacity(items)
        .weight_capacity(max_bytes)
        .shards(shards)
        .build()
        .map_err(|error| Error::new(ErrorKind::Config, "the cache").caused_by(error))
}

/// The entries that leave the cache for one that comes.
#[derive(Default)]
pub(super) struct Eviction {
    /// The key of what comes: an earlier entry of that key is replaced, and not evicted.
    pub(super) comes: Option<CacheKey>,
    /// The document that comes, which may be there already.
    document: Option<Document>,
    /// What comes has to leave itself, since it is too large.
    leaves_itself: bool,
    /// Whether an observer wants to know which entries leave.
    observed: bool,
    pub(super) evicted: Vec<CacheKey>,
}

impl Eviction {
    /// What leaves for an entry of this key with this document.
    pub(super) fn for_entry_of(
        key: &CacheKey,
        document: Option<&Document>,
        observed: bool,
    ) -> Self {
        Self { comes: Some(key.clone()), document: document.cloned(), observed, ..Self::default() }
    }

    fn is_for(&self, document: &Document) -> bool {
        self.document.as_ref().is_some_and(|comes| comes.is(document))
    }
}

/// Counts the entries that leave, and makes their documents notify those that depend on them. It
/// is called under the lock of the table's part, so no write of an evicted document can begin
/// before that.
#[derive(Clone)]
pub(super) struct CountEvictions(pub(super) Arc<CacheCounters>);

impl Lifecycle<CacheKey, Entry> for CountEvictions {
    type RequestState = Eviction;

    /// Called before an entry is evicted, and not before one is replaced.
    fn before_evict(&self, eviction: &mut Eviction, key: &CacheKey, _: &mut Entry) {
        eviction.leaves_itself |= eviction.comes.as_ref() == Some(key);
    }

    fn on_evict(&self, eviction: &mut Eviction, key: CacheKey, entry: Entry) {
        // One that replaces another and is too large leaves twice, which counts once.
        let replaced =
            eviction.comes.as_ref() == Some(&key) && !std::mem::take(&mut eviction.leaves_itself);
        if let Some(document) = &entry.document
            && !(replaced && eviction.is_for(document))
        {
            document.leave_cache(replaced);
        }
        if !replaced {
            self.0.evicted(entry.counted, entry.document.is_some());
            eviction.evicted.extend(eviction.observed.then_some(key));
        }
    }
}
