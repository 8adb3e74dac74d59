//! Documents with their references expanded.

use std::sync::Arc;

use serde_json::Value;
use tokio::task::yield_now;

use super::pstate::PState;
use crate::cache::{CacheKey, Miss, Resolving};
use crate::document::{Document, collect_all, reference};
use crate::model::{AsKey, Error, Key, KeyMap, KeySet, Result, Revision};
use crate::telemetry::{Call, Operation};

/// The method, as errors name it.
const NAME: &str = "get_resolved";

/// How deep references are expanded at most; bounds the stack that a resolved tree needs.
const MAX_DEPTH: usize = 32;

/// How many documents are expanded at most, each as often as it is referred to.
const MOST_EXPANDED: usize = 1_000_000;

impl PState {
    /// The document under a key as a tree in which references are replaced by what they refer to,
    /// `depth` levels deep, at most 32; `None` if there is no such document.
    ///
    /// A reference stays as it is where the depth ends, where it would lead back to a document that
    /// it stands in (a cycle), and where nothing is stored (it dangles). A document that is
    /// referred to several times is expanded each time: mind the depth in a graph that shares much.
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
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if more than a million documents are
    /// expanded, which a graph does that shares much and is deep.
    ///
    /// # Cost
    /// Two look-ups if nothing has changed. Otherwise at most one read for each level, of what is
    /// not cached, and parsing and copying everything.
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
        let mut parts = KeyMap::from_iter([(root.key().clone(), Part::of(&root)?)]);
        let mut seen = KeySet::from_iter([root.key().clone()]);
        let mut level = vec![root.key().clone()];
        for _ in 0..depth {
            let mut found = Vec::new();
            for key in &level {
                collect_all(&parts[key].value, &mut found);
            }
            found.retain(|key| seen.insert(key.clone()));
            if found.is_empty() {
                break;
            }
            resolving.depend_on(found.iter().map(|key| self.cache_key(key)));
            let operation = self.engine().operation(call, Operation::MultiGet, found.len());
            let load = async { Ok(self.engine().load(&operation, &found, self.policy).await) };
            let loads = operation.run(load).await?;
            operation.end(found.first().map(Key::borrow), found.len());
            level.clear();
            for document in loads.documents {
                let Some(document) = document? else { continue };
                level.push(document.key().clone());
                parts.insert(document.key().clone(), Part::of(&document)?);
            }
        }
        let mut expand = Expand { parts: &parts, within: Vec::new(), expanded: 0 };
        let value = Arc::new(expand.document(root.key(), &parts[root.key()], depth)?);
        let revision = |key: &CacheKey| parts.get(&key.key).map(|part| part.revision);
        resolving.finish(&root, &value, revision);
        Ok(value)
    }

    fn cache_key(&self, key: &Key) -> CacheKey {
        CacheKey { space: self.space.clone(), key: key.clone() }
    }
}

/// A document of a graph. Its own tree, if it has one, is not used: the trees of all documents
/// would take several times the memory of the cache.
struct Part {
    revision: Revision,
    value: Value,
}

impl Part {
    fn of(document: &Document) -> Result<Self> {
        Ok(Self { revision: document.revision(), value: document.to_value()? })
    }
}

struct Expand<'a> {
    parts: &'a KeyMap<Part>,
    /// The documents around the one that is expanded.
    within: Vec<&'a Key>,
    /// How many documents were expanded.
    expanded: usize,
}

impl<'a> Expand<'a> {
    fn document(&mut self, key: &'a Key, part: &'a Part, depth: usize) -> Result<Value> {
        self.expanded += 1;
        if self.expanded > MOST_EXPANDED {
            let why =
                format!("more than {MOST_EXPANDED} documents are expanded: ask for less depth");
            return Err(Error::invalid_input(why).at_key(key));
        }
        self.within.push(key);
        let expanded = self.value(&part.value, depth);
        self.within.pop();
        expanded
    }

    fn value(&mut self, value: &'a Value, depth: usize) -> Result<Value> {
        if let Some(key) = reference(value) {
            return match self.parts.get_key_value(&key) {
                Some((key, part)) if depth > 0 && !self.within.contains(&key) => {
                    self.document(key, part, depth - 1)
                }
                _ => Ok(value.clone()),
            };
        }
        Ok(match value {
            Value::Array(items) => Value::Array(
                items.iter().map(|item| self.value(item, depth)).collect::<Result<_>>()?,
            ),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, member)| Ok((name.clone(), self.value(member, depth)?)))
                    .collect::<Result<_>>()?,
            ),
            scalar => scalar.clone(),
        })
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
