//! Reading documents by key.

use std::time::Duration;

use tokio::task::yield_now;

use super::pstate::{FastPath, PState};
use crate::cache::{ALL_STALE, Hit, Miss};
use crate::document::Document;
use crate::model::{AsKey, Key, KeyRef, Result};
use crate::runtime::Instant;
use crate::telemetry::{Event, Operation};

/// What the fast path found: a hit, or a miss that later steps need not repeat; no miss if the fast
/// path is closed, or the key is malformed.
pub(super) type FastLookUp = Result<Hit, Option<Miss>>;

impl PState {
    /// The document under a key, migrated if it is of an older version; `None` if there is none.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key,
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if what is stored is no JSON object,
    /// [`Schema`](crate::ErrorKind::Schema) if it cannot be migrated, and what the store reports.
    ///
    /// # Cost
    /// A hash look-up if the document is cached, without an allocation, and after every 1,024th one
    /// other tasks have their turn; otherwise one read, which is shared by all who
    /// ask for the key meanwhile.
    pub async fn get(&self, key: impl AsKey) -> Result<Option<Document>> {
        let miss = match key.unchecked().ok_or(None).and_then(|key| self.look_up(key)) {
            Ok(hit) => {
                if hit.should_yield {
                    // A name of its own: what lives while a future waits is not kept in registers.
                    let document = hit.document;
                    yield_now().await;
                    return Ok(document);
                }
                return Ok(hit.document);
            }
            Err(miss) => miss,
        };
        // Boxed, so that the future of a hit is small.
        Box::pin(self.get_from_store(key, "get", miss)).await
    }

    /// Reads a document that the fast path did not find, for a method of this name.
    pub(super) async fn get_from_store(
        &self,
        key: impl AsKey,
        name: &'static str,
        miss: Option<Miss>,
    ) -> Result<Option<Document>> {
        let key = key.to_key().map_err(|error| error.in_operation(name))?;
        let call = self.call(name, Some(key.borrow()));
        let operation = self.engine().operation(call, Operation::Get, 1);
        operation.run(self.engine().get(&operation, &key, self.policy, miss)).await
    }

    /// What is cached under a key, if that may be returned without polling for changes first.
    #[expect(clippy::inline_always, reason = "a key handed over in memory costs half a hit")]
    #[inline(always)]
    pub(super) fn look_up(&self, key: KeyRef<'_>) -> FastLookUp {
        let min_epoch = match self.fast_path {
            FastPath::Direct => self.cache.epochs().fast_path(),
            FastPath::Checked => return self.look_up_checked(key.entity_type(), key.id()),
            FastPath::Off => return Err(None),
        };
        if min_epoch == ALL_STALE {
            // A look-up now would be of no use: after the poll it has to be repeated.
            return Err(None);
        }
        self.cache.get(&self.space, key, min_epoch).map_err(Some)
    }

    /// The same, with events, and on a current-thread runtime within the staleness bound even if
    /// that runtime does not run. Apart, so that nothing of it is in the way of other reads, and
    /// with the parts of the key: they are passed in registers, and a whole key in memory.
    #[inline(never)]
    fn look_up_checked(&self, entity_type: &str, id: &str) -> FastLookUp {
        let key = KeyRef::unchecked(entity_type, id);
        let min_epoch = self.cache.epochs().fast_path_in_time();
        if min_epoch == ALL_STALE || self.engine().home().check().is_err() {
            return Err(None);
        }
        let telemetry = self.engine().telemetry();
        if !telemetry.is_observed() {
            return self.cache.get(&self.space, key, min_epoch).map_err(Some);
        }
        let started = telemetry.times_cache_read().then(Instant::now);
        let hit = self.cache.get(&self.space, key, min_epoch).map_err(Some)?;
        let duration = started.map(|started| started.elapsed());
        if duration.is_some() || telemetry.observes_each_cache_read() {
            self.emit_hit(key, &hit, duration);
        }
        Ok(hit)
    }

    fn emit_hit(&self, key: KeyRef<'_>, hit: &Hit, duration: Option<Duration>) {
        let telemetry = self.engine().telemetry();
        telemetry.cache_hit(&self.space, key);
        telemetry.fetched(&Event::Fetch {
            operation: Operation::Get,
            space: &self.space,
            key,
            from_cache: true,
            migrated: false,
            found: hit.document.is_some(),
            error: None,
            duration,
        });
    }

    /// The documents under these keys, in their order.
    ///
    /// # Errors
    /// The first that occurs for any of the keys; [`multi_get_each`](PState::multi_get_each) tells
    /// them apart.
    ///
    /// # Cost
    /// At most one read for each [`max_batch`](crate::Capabilities::max_batch) keys that are not
    /// cached.
    pub async fn multi_get<K: AsKey>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Document>>> {
        self.get_each("multi_get", keys).await?.into_iter().collect()
    }

    /// Like [`multi_get`](PState::multi_get), but one document that cannot be read does not hide
    /// the others.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key. All others stand in
    /// the place of their key.
    pub async fn multi_get_each<K: AsKey>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<Option<Document>>>> {
        self.get_each("multi_get_each", keys).await
    }

    /// Reads documents for a method of this name.
    async fn get_each<K: AsKey>(
        &self,
        name: &'static str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<Option<Document>>>> {
        let keys: Vec<Key> = keys
            .into_iter()
            .map(|key| key.to_key())
            .collect::<Result<_>>()
            .map_err(|error| error.in_operation(name))?;
        let call = self.call(name, None);
        let operation = self.engine().operation(call, Operation::MultiGet, keys.len());
        let loads = operation
            .run(async { Ok(self.engine().load(&operation, &keys, self.policy, None).await) })
            .await?;
        operation.end(keys.first().map(Key::borrow), keys.len());
        let documents = keys.iter().zip(loads.documents);
        Ok(documents
            .map(|(key, document)| document.map_err(|error| call.locate(error.at_key(key))))
            .collect())
    }
}
