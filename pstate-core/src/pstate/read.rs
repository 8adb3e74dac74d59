//! Reading documents by key.

use tokio::task::yield_now;

use super::PState;
use crate::cache::Hit;
use crate::document::Document;
use crate::error::Result;
use crate::key::{AsKey, Key, KeyRef};

impl PState {
    /// The document under a key, migrated if it is of an older version; `None` if there is none.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key,
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if what is stored is no JSON object,
    /// [`Schema`](crate::ErrorKind::Schema) if it cannot be migrated, and what the store reports.
    ///
    /// # Cost
    /// A hash look-up if the document is cached, without an allocation, and after every 256th one
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
        Box::pin(self.engine().load_one(&self.space, key.to_key()?, self.policy)).await
    }

    /// What is cached under a key, if that may be returned without asking anybody.
    #[expect(clippy::inline_always, reason = "a key handed over in memory costs half a hit")]
    #[inline(always)]
    pub(crate) fn cached(&self, key: KeyRef<'_>) -> Option<Hit> {
        if !self.looks_first {
            return None;
        }
        self.cache.get(&self.space, key, self.cache.validity().unasked())
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
        Ok(self.engine().load(&self.space, &keys, self.policy).await.documents)
    }
}
