//! Telling observers what was read.

use std::time::Duration;

use super::{Engine, ReadBy};
use crate::cache::CacheKey;
use crate::document::Document;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::migrate::Reading;
use crate::runtime::Instant;
use crate::space::Space;
use crate::telemetry::{CacheChange, ChangedFields, Event, Operation};

/// What was in the cache, and when that was known.
pub(super) struct LookedUp {
    pub(super) from_cache: Vec<bool>,
    pub(super) at: Instant,
}

impl Engine {
    /// Tells what a load has found in the cache when it was announced.
    pub(crate) fn looked_up(&self, CacheKey { space, key }: &CacheKey, hit: bool) {
        if hit {
            self.telemetry.cache_hit(space, key.borrow());
        } else {
            self.telemetry.cache_changed(space, key.borrow(), CacheChange::Miss);
        }
    }

    /// Tells that one document was read.
    pub(super) fn fetched_one(
        &self,
        space: &Space,
        key: &Key,
        document: &Result<Option<Document>>,
        by: ReadBy,
        started: Option<Instant>,
    ) {
        let asked = (space, Some(key.borrow()), 1);
        let duration = Some(self.telemetry.end(Operation::Get, asked, started));
        if self.telemetry.is_observed() {
            let from_cache = by == ReadBy::Cache;
            let document = document.as_ref().map(Option::as_ref);
            let fetch = fetch(Operation::Get, space, key, document, from_cache, duration);
            self.telemetry.fetched(&fetch);
        }
    }

    /// Tells that documents were read.
    pub(super) fn fetched(
        &self,
        operation: Operation,
        space: &Space,
        keys: &[Key],
        documents: &[Result<Option<Document>>],
        (started, looked_up): (Instant, &LookedUp),
    ) {
        let (all, cached) = (started.elapsed(), looked_up.at - started);
        let asked = keys.iter().zip(documents).zip(&looked_up.from_cache);
        for ((key, document), &from_cache) in asked {
            let duration = if from_cache {
                self.telemetry.times_cache_read().then_some(cached)
            } else {
                Some(all)
            };
            let document = document.as_ref().map(Option::as_ref);
            let fetch = fetch(operation, space, key, document, from_cache, duration);
            self.telemetry.fetched(&fetch);
        }
    }

    /// Tells that the documents of a page were read.
    pub(crate) fn scanned(
        &self,
        space: &Space,
        keys: &[Key],
        documents: &[Result<Document>],
        started: Option<Instant>,
    ) {
        let asked = (space, keys.first().map(Key::borrow), documents.len());
        let duration = self.telemetry.end(Operation::Scan, asked, started);
        for (key, document) in keys.iter().zip(documents) {
            let document = document.as_ref().map(Some);
            let fetch = fetch(Operation::Scan, space, key, document, false, Some(duration));
            self.telemetry.fetched(&fetch);
        }
    }

    /// Tells that a document was brought up to date, or could not be.
    pub(super) fn tell_migration(
        &self,
        space: &Space,
        stored: &Document,
        to: Option<u32>,
        reading: &Result<Reading>,
        started: Instant,
    ) {
        let duration = started.elapsed();
        let (text, error) = match reading {
            Ok(Reading::Migrated(text)) => (text.as_slice(), None),
            Ok(Reading::Unmigrated(error)) | Err(error) => (&[][..], Some(error)),
            Ok(Reading::AsStored | Reading::Downgraded(_)) => return,
        };
        let key = stored.key().borrow();
        self.telemetry.emit(&Event::Migration {
            space,
            key,
            entity_type: key.entity_type(),
            from: stored.version(),
            to: to.unwrap_or_default(),
            fields: ChangedFields::between(stored.as_str(), text),
            error,
            duration,
        });
    }
}

/// What observers are told of a document that was read.
fn fetch<'a>(
    operation: Operation,
    space: &'a Space,
    key: &'a Key,
    document: Result<Option<&Document>, &'a Error>,
    from_cache: bool,
    duration: Option<Duration>,
) -> Event<'a> {
    let (key, error) = (key.borrow(), document.err());
    let document = document.ok().flatten();
    let found = document.is_some();
    let migrated = !from_cache && document.is_some_and(Document::is_migrated);
    Event::Fetch { operation, space, key, from_cache, migrated, found, error, duration }
}
