//! Reading from the store: the keys of a flight, or a page; each document validated, migrated, and
//! queued for write-back if it was old.

use std::sync::Arc;

use super::counters::Counters;
use super::events;
use super::loads::Documents;
use super::observed_adapter::ObservedAdapter;
use super::write_back_queue::WriteBackQueue;
use crate::cache::{Cache, FlightResults, LoadGuard};
use crate::document::{Document, Members};
use crate::model::{Error, Key, Record, Result, Space};
use crate::runtime::Instant;
use crate::schema::migrate::{self, Reading};
use crate::schema::{Entity, Schema};
use crate::storage::{Page, Scan};
use crate::telemetry::Telemetry;

/// How many documents are validated and migrated before other tasks get a turn: about 0.1 ms, a few
/// times that if all are migrated.
const DOCUMENTS_PER_YIELD: usize = 256;

/// Reads documents from the store and decodes them. What it returns is what every read returns,
/// whether it was asked for by key, in a batch, by a preload or by a scan.
pub(crate) struct Loader {
    pub(super) adapter: Arc<ObservedAdapter>,
    pub(super) schema: Option<Schema>,
    pub(super) cache: Arc<Cache>,
    pub(super) queue: Arc<WriteBackQueue>,
    pub(super) counters: Arc<Counters>,
    pub(super) telemetry: Arc<Telemetry>,
}

/// One page of a scan, decoded.
pub(crate) struct LoadedPage {
    pub(crate) documents: Vec<(Key, Result<Document>)>,
    /// What lies in the page's range and has no readable key.
    pub(crate) unreadable: Vec<Error>,
    pub(crate) next: Option<Key>,
}

impl Loader {
    /// Reads the keys of a flight, and ends the flight.
    pub(super) async fn load(&self, guard: LoadGuard) -> FlightResults {
        let unchanged = |at: usize, record: &Record| guard.unchanged(at, record);
        let loaded = self.read(guard.space(), guard.keys(), guard.members(), unchanged).await;
        let loaded: FlightResults = loaded.into();
        guard.finish(&loaded);
        loaded
    }

    /// Reads keys for one reader, past the cache.
    pub(super) async fn load_past_cache(
        &self,
        space: &Space,
        keys: &[Key],
        members: Option<&Members>,
    ) -> Documents {
        self.read(space, keys, members, |_, _| None).await
    }

    /// Reads keys, in one call for each `max_batch` of them. `unchanged` knows documents by their
    /// places that need not be read again if they are what is stored.
    async fn read(
        &self,
        space: &Space,
        keys: &[Key],
        members: Option<&Members>,
        unchanged: impl Fn(usize, &Record) -> Option<Document>,
    ) -> Documents {
        let mut loaded = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(self.adapter.chunk_len()) {
            let began = self.queue.now();
            self.counters.reads.add(1);
            self.counters.keys_read.add(chunk.len());
            match self.adapter.multi_get(space, chunk).await {
                Ok(records) => {
                    for (key, record) in chunk.iter().zip(records) {
                        if loaded.len() % DOCUMENTS_PER_YIELD == DOCUMENTS_PER_YIELD - 1 {
                            tokio::task::yield_now().await;
                        }
                        let document =
                            record.map(|record| match unchanged(loaded.len(), &record) {
                                Some(known) => Ok(known),
                                None => self.decode_and_migrate(space, key, record, members, began),
                            });
                        loaded.push(document.transpose());
                    }
                }
                Err(error) => {
                    let error = error.in_operation("multi_get").in_space(space);
                    loaded.extend(chunk.iter().map(|_| Err(error.clone())));
                }
            }
        }
        loaded
    }

    /// Reads a page, of which each document may fail for itself.
    pub(super) async fn load_page(&self, space: &Space, scan: &Scan) -> Result<LoadedPage> {
        let began = self.queue.now();
        let Page { records, unreadable, next } = self.adapter.scan(space, scan).await?;
        let documents = records
            .into_iter()
            .map(|(key, record)| {
                let document = self.decode_and_migrate(space, &key, record, None, began);
                (key, document)
            })
            .collect();
        Ok(LoadedPage { documents, unreadable, next })
    }

    /// What a read returns for a stored record: validated, up to date, and queued for write-back if
    /// it was not. What the members refer to is learned in the same pass. The read began at this
    /// time of the queue.
    fn decode_and_migrate(
        &self,
        space: &Space,
        key: &Key,
        record: Record,
        members: Option<&Members>,
        began: u64,
    ) -> Result<Document> {
        let revision = record.revision;
        let has_room = |bytes| self.cache.has_room(bytes);
        let document = match members {
            Some(members) => Document::load_to_follow(key.clone(), record, members, has_room),
            None => Document::load(key.clone(), record),
        };
        let document = document.map_err(|error| error.in_space(space))?;
        let Some(schema) = &self.schema else { return Ok(document) };
        let current = schema.entity(key.entity_type()).map(Entity::version);
        let version = document.version();
        if current == Some(version) {
            return Ok(document);
        }
        let record = |text: String| Record { bytes: text.into_bytes().into(), revision };
        let text = document.as_str();
        let is_old = current.is_some_and(|current| version < current);
        if is_old && let Some(agreed) = self.queue.find(space, key, revision, began) {
            return Ok(agreed);
        }
        let started = (is_old && self.telemetry.is_observed()).then(Instant::now);
        let reading = migrate::read(schema, key.entity_type(), text, version);
        if let Some(started) = started {
            events::emit_migration(&self.telemetry, space, &document, current, &reading, started);
        }
        match reading {
            Ok(Reading::AsStored) => Ok(document),
            Ok(Reading::Downgraded(text)) => {
                Ok(Document::downgraded(key.clone(), record(text), current, version))
            }
            Ok(Reading::Migrated(text)) => {
                let document = Document::migrated(key.clone(), record(text), current);
                self.cache.counters().of(key.entity_type()).migrated();
                let (agreed, (waiting, in_hand)) = self.queue.push(space, document, began);
                self.telemetry.queued(waiting, in_hand);
                Ok(agreed)
            }
            Ok(Reading::Unmigrated(error)) => {
                self.cache.counters().of(key.entity_type()).migration_failed();
                tracing::warn!(%key, %space, %error, "served as it is stored, not migrated");
                Ok(document)
            }
            Err(error) => {
                self.cache.counters().of(key.entity_type()).migration_failed();
                Err(error.at_key(key).in_space(space))
            }
        }
    }
}
