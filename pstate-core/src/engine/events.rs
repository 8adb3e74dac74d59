//! Events of documents that were read and migrated.

use std::time::Duration;

use super::loads::{LookedUp, Source};
use crate::document::Document;
use crate::model::{Error, Key, Result, Space};
use crate::runtime::Instant;
use crate::schema::migrate::Reading;
use crate::telemetry::{ChangedFields, Event, OperationSpan, Telemetry};

/// Ends the read of one document, and emits it.
pub(super) fn end_get(
    operation: &OperationSpan<'_>,
    key: &Key,
    document: &Result<Option<Document>>,
    source: Source,
) {
    let duration = Some(operation.end(Some(key.borrow()), 1));
    if operation.is_observed() {
        let document = document.as_ref().map(Option::as_ref);
        operation.emit_fetch(&fetch(operation, key, document, source == Source::Cache, duration));
    }
}

/// Emits the documents of a load that has just ended, if they are observed.
pub(super) fn emit_load(
    operation: &OperationSpan<'_>,
    keys: &[Key],
    documents: &[Result<Option<Document>>],
    (started, looked_up): (Instant, &LookedUp),
) {
    let (all, cached) = (started.elapsed(), looked_up.at - started);
    let asked = keys.iter().zip(documents).zip(&looked_up.from_cache);
    for ((key, document), &from_cache) in asked {
        let duration =
            if from_cache { operation.times_cache_read().then_some(cached) } else { Some(all) };
        let document = document.as_ref().map(Option::as_ref);
        operation.emit_fetch(&fetch(operation, key, document, from_cache, duration));
    }
}

/// Ends the read of a page, and emits its documents.
pub(super) fn end_scan(operation: &OperationSpan<'_>, documents: &[(Key, Result<Document>)]) {
    let first = documents.first().map(|(key, _)| key.borrow());
    let duration = operation.end(first, documents.len());
    if operation.is_observed() {
        for (key, document) in documents {
            let document = document.as_ref().map(Some);
            operation.emit_fetch(&fetch(operation, key, document, false, Some(duration)));
        }
    }
}

/// Emits that a document was brought up to date, or could not be.
pub(super) fn emit_migration(
    telemetry: &Telemetry,
    space: &Space,
    stored: &Document,
    to: Option<u32>,
    reading: &Result<Reading>,
    started: Instant,
) {
    let duration = started.elapsed();
    let (text, error) = match reading {
        Ok(Reading::Migrated(text)) => (text.as_bytes(), None),
        Ok(Reading::Unmigrated(error)) | Err(error) => (&[][..], Some(error)),
        Ok(Reading::AsStored | Reading::Downgraded(_)) => return,
    };
    let key = stored.key().borrow();
    telemetry.emit(&Event::Migration {
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

/// The event of a document that was read.
fn fetch<'a>(
    operation: &OperationSpan<'a>,
    key: &'a Key,
    document: Result<Option<&Document>, &'a Error>,
    from_cache: bool,
    duration: Option<Duration>,
) -> Event<'a> {
    let (operation, space) = (operation.operation(), operation.space());
    let (key, error) = (key.borrow(), document.err());
    let document = document.ok().flatten();
    let found = document.is_some();
    let migrated = !from_cache && document.is_some_and(Document::is_migrated);
    Event::Fetch { operation, space, key, from_cache, migrated, found, error, duration }
}
