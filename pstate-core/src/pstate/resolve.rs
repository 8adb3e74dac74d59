//! Documents with their references expanded.

use std::sync::Arc;

use serde_json::Value;

use super::PState;
use crate::cache::CacheKey;
use crate::document::Document;
use crate::document::references::{collect_all, reference};
use crate::error::{Error, Result};
use crate::key::{AsKey, Key, KeyMap, KeySet};
use crate::record::Revision;

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
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # let pstate = pstate_core::PState::builder(Arc::new(pstate_core::MemoryAdapter::new())).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("card:1", &json!({"deck": {"$ref": "deck:es"}})).await?;
    /// pstate.put("deck:es", &json!({"name": "Spanish", "first": {"$ref": "card:1"}})).await?;
    /// assert_eq!(
    ///     *pstate.get_resolved("card:1", 9).await?.unwrap(),
    ///     json!({"deck": {"name": "Spanish", "first": {"$ref": "card:1"}}})
    /// );
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// What was resolved is kept with the document in the cache, as deeply as it was asked for last, and
    /// counts in the cache's [bound](super::Builder::cache_bytes); what would take more than a 32nd of
    /// that is not kept. A write of any document in it makes it be resolved anew when it is next asked for,
    /// and nothing else does but what evicts the document.
    ///
    /// # Errors
    /// Those of [`get`](PState::get), for any of the documents;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if more than a million documents are expanded, which
    /// a graph does that shares much and is deep.
    ///
    /// # Cost
    /// Two look-ups if nothing has changed. Otherwise at most one read for each level, of what is not cached,
    /// and parsing and copying everything.
    pub async fn get_resolved(&self, key: impl AsKey, depth: usize) -> Result<Option<Arc<Value>>> {
        let depth = depth.min(MAX_DEPTH);
        let valid_since = self.engine().valid_since(self.policy).await;
        let Some(root) = self.get(key).await? else { return Ok(None) };
        if let Some(value) = root.resolved(depth, valid_since) {
            return Ok(Some(value));
        }
        // Boxed, so that the future of what is known is small.
        Box::pin(self.resolve(root, depth, valid_since)).await.map(Some)
    }

    async fn resolve(&self, root: Document, depth: usize, valid_since: u64) -> Result<Arc<Value>> {
        let mut resolving = self.engine().cache.begin_resolve(depth, valid_since);
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
            let loaded = self.multi_get(&found).await?;
            level.clear();
            for document in loaded.into_iter().flatten() {
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
            return Err(Error::invalid_input(why).at_key(key).in_operation("get_resolved"));
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
