//! Reading documents by key.

use std::time::Duration;

use tokio::task::yield_now;
use tracing::Instrument as _;

use super::{FirstLook, PState};
use crate::cache::Hit;
use crate::document::Document;
use crate::error::Result;
use crate::key::{AsKey, Key, KeyRef};
use crate::runtime::Instant;
use crate::telemetry::{Event, Operation, operation_span, within};

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
        if let Some(hit) = key.unchecked().and_then(|key| self.cached(key)) {
            if hit.is_turn_over {
                // A name of its own: what lives while a future waits is not kept in registers.
                let document = hit.document;
                yield_now().await;
                return Ok(document);
            }
            return Ok(hit.document);
        }
        // Boxed, so that the future of a hit is small.
        let span = operation_span(Operation::Get, &self.space, 1);
        let load = self.engine().load_one(&self.space, key.to_key()?, self.policy);
        Box::pin(within(span, load)).await
    }

    /// What is cached under a key, if that may be returned without asking anybody.
    #[expect(clippy::inline_always, reason = "a key handed over in memory costs half a hit")]
    #[inline(always)]
    pub(crate) fn cached(&self, key: KeyRef<'_>) -> Option<Hit> {
        match self.first_look {
            FirstLook::Quiet => self.cache.get(&self.space, key, self.cache.validity().unasked()),
            FirstLook::Told => self.cached_and_told(key),
            FirstLook::None => None,
        }
    }

    /// The same, and observers are told. Apart, so that nothing of it is in the way of what is read
    /// without them.
    #[inline(never)]
    fn cached_and_told(&self, key: KeyRef<'_>) -> Option<Hit> {
        let telemetry = &self.engine().telemetry;
        let started = telemetry.times_cache_read().then(Instant::now);
        let hit = self.cache.get(&self.space, key, self.cache.validity().unasked())?;
        let duration = started.map(|started| started.elapsed());
        if duration.is_some() || telemetry.tells_each_cache_read() {
            self.tell_hit(key, &hit, duration);
        }
        Some(hit)
    }

    fn tell_hit(&self, key: KeyRef<'_>, hit: &Hit, duration: Option<Duration>) {
        let telemetry = &self.engine().telemetry;
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
        self.multi_get_each(keys).await?.into_iter().collect()
    }

    /// Like [`multi_get`](PState::multi_get), but one document that cannot be read does not hide
    /// the others.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key. All others stand in the
    /// place of their key.
    pub async fn multi_get_each<K: AsKey>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Result<Option<Document>>>> {
        let keys: Vec<Key> = keys.into_iter().map(|key| key.to_key()).collect::<Result<_>>()?;
        let engine = self.engine();
        let started = engine.telemetry.begin();
        let span = operation_span(Operation::MultiGet, &self.space, keys.len());
        let load = engine.load(Operation::MultiGet, &self.space, &keys, self.policy);
        let loaded = load.instrument(span).await;
        let asked = (&self.space, keys.first().map(Key::borrow), keys.len());
        engine.telemetry.end(Operation::MultiGet, asked, started);
        Ok(loaded.documents)
    }
}
