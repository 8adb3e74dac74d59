//! The leader's side of a flight.

use std::sync::Arc;

use super::cache::{BeginLoad, Cache, Miss};
use super::flight::{Flight, FlightResults};
use super::key::CacheKey;
use crate::document::{Document, Members};
use crate::model::{Key, Record, Space};

/// Which flight loads a key that was announced.
pub(crate) enum Announced {
    /// None: it was loaded in the meantime.
    Hit(Option<Document>),
    /// This one, at this place.
    Here(usize),
    /// Another one, at this place.
    Elsewhere(Arc<Flight>, usize),
}

/// A flight that gathers keys of one space, and then loads them: publishes the results, or
/// unregisters the flight when it is lost.
pub(crate) struct LoadGuard {
    cache: Arc<Cache>,
    flight: Arc<Flight>,
    space: Space,
    keys: Vec<Key>,
    /// What the cache had of keys, too old to be served, in the order of their places.
    stale: Vec<(usize, Document)>,
    /// The members that the reader is going to follow, if it is known.
    members: Option<Members>,
}

impl LoadGuard {
    /// A flight without keys, which belongs to the current epoch.
    pub(crate) fn new(cache: &Arc<Cache>, space: &Space) -> Self {
        Self {
            cache: cache.clone(),
            flight: Arc::new(Flight::new(cache.epochs().now())),
            space: space.clone(),
            keys: Vec::new(),
            stale: Vec::new(),
            members: None,
        }
    }

    /// The same flight for a reader that is going to follow these members.
    pub(crate) fn following(mut self, members: Option<&Members>) -> Self {
        self.members = members.cloned();
        self
    }

    /// The members that the reader is going to follow, if it is known.
    pub(crate) fn members(&self) -> Option<&Members> {
        self.members.as_ref()
    }

    pub(crate) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    pub(crate) fn space(&self) -> &Space {
        &self.space
    }

    /// The keys that this flight reads, in the order of their places.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Announces the load of a key that the cache lacks, so that others join it instead of loading
    /// it as well.
    pub(crate) fn announce(&mut self, key: &Key, miss: &Miss, min_epoch: u64) -> Announced {
        let at = self.keys.len();
        let cache_key = CacheKey { space: self.space.clone(), key: key.clone() };
        let stale = match self.cache.begin_load(&cache_key, &self.flight, at, miss, min_epoch) {
            BeginLoad::Hit(document) => return Announced::Hit(document),
            BeginLoad::Join(other, at) if Arc::ptr_eq(&other, &self.flight) => {
                return Announced::Here(at);
            }
            BeginLoad::Join(other, at) => return Announced::Elsewhere(other, at),
            BeginLoad::Lead(stale) => stale,
            BeginLoad::Alone => None,
        };
        self.keys.push(cache_key.key);
        self.stale.extend(stale.map(|stale| (at, stale)));
        Announced::Here(at)
    }

    /// The cached document at a place, if it is what is stored.
    pub(crate) fn unchanged(&self, at: usize, stored: &Record) -> Option<Document> {
        let found = self.stale.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        let (_, stale) = &self.stale[found];
        let same = stale.revision() == stored.revision && stale.as_bytes() == &*stored.bytes;
        same.then(|| stale.clone())
    }

    /// Ends the load: keeps the results that no write has overtaken, then hands them to all
    /// readers that wait.
    pub(crate) fn finish(mut self, loaded: &FlightResults) {
        for (key, result) in std::mem::take(&mut self.keys).into_iter().zip(loaded.iter()) {
            self.end_load(key, result.as_ref().ok());
        }
        self.flight.end(Some(loaded.clone()));
    }

    fn end_load(&self, key: Key, result: Option<&Option<Document>>) {
        let key = CacheKey { space: self.space.clone(), key };
        self.cache.end_load(key, &self.flight, result);
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        for key in std::mem::take(&mut self.keys) {
            self.end_load(key, None);
        }
        self.flight.end(None);
    }
}
