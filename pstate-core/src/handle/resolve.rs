//! Documents with their references expanded.

use std::sync::Arc;

use serde_json::Value;
use tokio::task::yield_now;

use super::pstate::PState;
use crate::cache::{CacheKey, Miss, Resolving};
use crate::document::{Document, Expansion};
use crate::model::{AsKey, Key, Result};
use crate::telemetry::{Call, Operation};

/// The method, as errors name it.
const NAME: &str = "get_resolved";

/// How deep references are expanded at most.
const MAX_DEPTH: usize = 32;

/// How many documents are read at once. Between reads the size of the tree is checked, so that
/// a level of any width takes the memory of so many documents beyond the limit, and no more.
const KEYS_PER_READ: usize = 1_024;

impl PState {
    /// The document under a key as a tree in which references are replaced by what they refer to,
    /// `depth` levels deep, at most 32; `None` if there is no such document.
    ///
    /// A reference stays as it is where the depth ends, where it would lead back to a document that
    /// it stands in (a cycle), and where nothing is stored (it dangles). A document that is
    /// referred to several times is expanded each time, so the tree of a small graph may be large:
    /// [`Builder::resolved_bytes`](super::Builder::resolved_bytes) limits it. Like a document, the
    /// tree has at most 127 levels of arrays and objects, so that it can be cloned, serialized,
    /// parsed again and dropped on any thread.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("card:1", &json!({"deck": {"$ref": "deck:es"}})).await?;
    /// pstate.put("deck:es", &json!({"name": "Spanish", "first": {"$ref": "card:1"}})).await?;
    /// assert_eq!(
    ///     *pstate.get_resolved("card:1", 9).await?.unwrap(),
    ///     json!({"deck": {"name": "Spanish", "first": {"$ref": "card:1"}}})
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What was resolved is kept with the document in the cache, as deeply as it was asked for
    /// last, and counts in the cache's [bound](super::Builder::cache_bytes); what would take more
    /// than a 32nd of that is not kept. A write of any document in it, or the eviction of
    /// its root, makes the next call resolve it again; nothing else does.
    ///
    /// # Errors
    /// Those of [`get`](PState::get), for any of the documents;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a tree that would take more bytes or
    /// have more levels than it may, with the largest depth that is within the limits.
    ///
    /// # Cost
    /// Two look-ups if nothing has changed. Otherwise one read for each 1,024 documents of a level
    /// that are not cached, at least one for each level, and parsing and copying everything. What
    /// is refused is not built: at most each document that was read, once, is in memory.
    pub async fn get_resolved(&self, key: impl AsKey, depth: usize) -> Result<Option<Arc<Value>>> {
        let depth = depth.min(MAX_DEPTH);
        // On the fast path, so that what is known takes two look-ups and no more.
        let root = match key.unchecked().ok_or(None).and_then(|key| self.look_up(key)) {
            Ok(hit) => {
                let min_epoch = self.cache.epochs().fast_path();
                let root = hit.document;
                if hit.should_yield {
                    yield_now().await;
                }
                let Some(root) = root else { return Ok(None) };
                if let Some(value) = root.derived(depth, min_epoch) {
                    return Ok(Some(value));
                }
                Ok((root, min_epoch))
            }
            Err(miss) => Err(miss),
        };
        // Boxed, so that the future of what is known is small.
        Box::pin(self.resolve(key.to_key().map_err(|error| error.in_operation(NAME))?, root, depth))
            .await
    }

    /// Resolves a document from its root, as far as the fast path has found that: with the epoch
    /// from which on what is cached is fresh.
    async fn resolve(
        &self,
        key: Key,
        root: Result<(Document, u64), Option<Miss>>,
        depth: usize,
    ) -> Result<Option<Arc<Value>>> {
        let call = self.call(NAME, Some(key.borrow()));
        let resolve = async {
            let (root, min_epoch) = match root {
                Ok(root) => root,
                Err(miss) => {
                    let min_epoch = self.engine().wait_until_fresh(self.policy).await;
                    let root = self.get_from_store(&key, NAME, miss).await?;
                    let Some(root) = root else { return Ok(None) };
                    if let Some(value) = root.derived(depth, min_epoch) {
                        return Ok(Some(value));
                    }
                    (root, min_epoch)
                }
            };
            self.expand(call, root, depth, min_epoch).await.map(Some)
        };
        call.run(resolve).await
    }

    /// Expands the references of a document, level by level.
    async fn expand(
        &self,
        call: Call<'_>,
        root: Document,
        depth: usize,
        min_epoch: u64,
    ) -> Result<Arc<Value>> {
        let mut resolving = Resolving::begin(&self.cache, depth, min_epoch);
        let mut expansion = Expansion::new(&root, depth, self.max_resolved_bytes())?;
        for _ in 0..depth {
            let level = expansion.next_level();
            if level.is_empty() {
                break;
            }
            for keys in level.chunks(KEYS_PER_READ) {
                resolving.depend_on(keys.iter().map(|key| self.cache_key(key)));
                let operation = self.engine().operation(call, Operation::MultiGet, keys.len());
                let load =
                    async { Ok(self.engine().load(&operation, keys, self.policy, None).await) };
                let loads = operation.run(load).await?;
                operation.end(keys.first().map(Key::borrow), keys.len());
                for document in loads.documents {
                    if let Some(document) = document? {
                        expansion.add(&document)?;
                    }
                }
            }
        }
        let value = Arc::new(expansion.tree()?);
        resolving.finish(&root, &value, |key| expansion.revision(&key.key));
        Ok(value)
    }

    fn cache_key(&self, key: &Key) -> CacheKey {
        CacheKey { space: self.space.clone(), key: key.clone() }
    }
}

#[cfg(all(test, not(feature = "_shuttle")))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::storage::MemoryAdapter;

    #[tokio::test]
    async fn dependencies_are_forgotten_with_the_values_that_had_them() {
        let adapter = Arc::new(MemoryAdapter::new());
        let pstate = PState::builder(adapter).cache_bytes(1 << 20).build().unwrap();
        for deck in 0..1_000 {
            let reference = |card: usize| json!({"$ref": format!("card:{}", deck + card)});
            let cards: Vec<Value> = (0..10).map(reference).collect();
            pstate.put(format!("deck:{deck}"), &json!({"cards": cards})).await.unwrap();
            pstate.get_resolved(format!("deck:{deck}"), 1).await.unwrap().unwrap();
        }
        // Most decks have been evicted.
        let dependencies = pstate.cache.dependencies();
        assert!((10..9_000).contains(&dependencies), "{dependencies}");
        pstate.clear_space().await.unwrap();
        assert_eq!(pstate.cache.dependencies(), 0);
    }
}
