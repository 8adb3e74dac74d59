//! Loads that several readers share.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Cache, CacheKey};
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Record;

/// What became of each key of a flight.
pub(crate) type FlightResults = Arc<[Result<Option<Document>>]>;

/// A load of one or more keys that is under way.
pub(crate) struct Flight {
    loaded: watch::Receiver<Option<FlightResults>>,
    /// In which it began.
    epoch: u64,
}

impl Flight {
    /// A flight, and what ends it.
    pub(crate) fn new(cache: &Arc<Cache>) -> (Arc<Self>, LoadGuard) {
        let (sender, loaded) = watch::channel(None);
        let flight = Arc::new(Self { loaded, epoch: cache.validity().now() });
        let guard = LoadGuard {
            cache: cache.clone(),
            flight: flight.clone(),
            keys: Vec::new(),
            known: Vec::new(),
            sender,
        };
        (flight, guard)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Waits for the load and returns what became of its number `at`, and whether that was all that
    /// was loaded.
    pub(crate) async fn join(&self, at: usize) -> (Result<Option<Document>>, bool) {
        let mut loaded = self.loaded.clone();
        let loaded = loaded.wait_for(Option::is_some).await;
        match loaded.as_ref().ok().and_then(|loaded| loaded.as_ref()) {
            Some(loaded) => (loaded[at].clone(), loaded.len() == 1),
            None => (Err(lost()), false),
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
    sender: watch::Sender<Option<FlightResults>>,
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
        // Fails if nobody waits.
        let _ = self.sender.send(Some(loaded.clone()));
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        for key in &self.keys {
            self.cache.end_load(key, &self.flight, None);
        }
    }
}
