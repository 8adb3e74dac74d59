//! Loads that several readers share.

use std::pin::pin;
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use super::{Cache, CacheKey};
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Record;

/// What became of each key of a flight.
pub(crate) type FlightResults = Arc<[Result<Option<Document>>]>;

/// A load of one or more keys that is under way.
pub(crate) struct Flight {
    /// Set when it has ended; `None` if that was without a result.
    loaded: OnceLock<Option<FlightResults>>,
    /// It has ended. Not a `watch`: most flights have no passengers, and one costs a tenth of a cold read.
    ended: Notify,
    /// In which it began.
    epoch: u64,
}

impl Flight {
    /// A flight, and what ends it.
    pub(crate) fn new(cache: &Arc<Cache>) -> (Arc<Self>, LoadGuard) {
        let (loaded, ended) = (OnceLock::new(), Notify::new());
        let flight = Arc::new(Self { loaded, ended, epoch: cache.validity().now() });
        let guard = LoadGuard {
            cache: cache.clone(),
            flight: flight.clone(),
            keys: Vec::new(),
            known: Vec::new(),
        };
        (flight, guard)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Waits for the load and returns what became of its number `at`, and whether that was all that
    /// was loaded.
    pub(crate) async fn join(&self, at: usize) -> (Result<Option<Document>>, bool) {
        loop {
            // Announced before looking, so that an end in between is not missed.
            let mut ended = pin!(self.ended.notified());
            ended.as_mut().enable();
            match self.loaded.get() {
                None => {}
                Some(Some(loaded)) => return (loaded[at].clone(), loaded.len() == 1),
                Some(None) => return (Err(lost()), false),
            }
            ended.await;
        }
    }

    /// Changes nothing if it has ended already.
    fn end(&self, loaded: Option<FlightResults>) {
        if self.loaded.set(loaded).is_ok() {
            self.ended.notify_waiters();
        }
    }
}

fn lost() -> Error {
    let why = "the read that this one waited for ended without a result";
    Error::new(ErrorKind::Unavailable, why).retryable()
}

/// The leader's side of a flight: publishes its result, or unregisters it when it is lost.
pub(crate) struct LoadGuard {
    cache: Arc<Cache>,
    flight: Arc<Flight>,
    keys: Vec<CacheKey>,
    /// What was known of each before.
    known: Vec<Option<Document>>,
}

impl LoadGuard {
    /// The keys that this flight reads, in the order of their places.
    pub(crate) fn keys(&self) -> &[CacheKey] {
        &self.keys
    }

    /// Adds a key that was announced for the next place, and what is known of it.
    pub(crate) fn push(&mut self, key: CacheKey, known: Option<Document>) {
        self.keys.push(key);
        self.known.push(known);
    }

    /// The document at a place, if it is known and what is stored has not changed.
    pub(crate) fn unchanged(&self, at: usize, stored: &Record) -> Option<Document> {
        self.known[at].clone().filter(|known| {
            known.revision() == stored.revision && known.as_bytes() == &*stored.bytes
        })
    }

    /// Ends the load: keeps the results that no write has overtaken, then hands them to everyone
    /// who waits.
    pub(crate) fn finish(mut self, loaded: &FlightResults) {
        for (key, result) in std::mem::take(&mut self.keys).iter().zip(loaded.iter()) {
            self.cache.end_load(key, &self.flight, result.as_ref().ok());
        }
        self.flight.end(Some(loaded.clone()));
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        for key in &self.keys {
            self.cache.end_load(key, &self.flight, None);
        }
        self.flight.end(None);
    }
}
