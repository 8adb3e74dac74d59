//! Documents with their references expanded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::PState;
use crate::document::Document;
use crate::document::references::{collect_all, reference};
use crate::error::Result;
use crate::key::{AsKey, Key};

/// How deep references are expanded at most; bounds the stack that a resolved tree needs.
const MAX_DEPTH: usize = 32;

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
    /// # Errors
    /// Those of [`get`](PState::get), for any of the documents.
    ///
    /// # Cost
    /// At most one read for each level, of what is not cached.
    pub async fn get_resolved(&self, key: impl AsKey, depth: usize) -> Result<Option<Arc<Value>>> {
        let key = key.to_key()?;
        let depth = depth.min(MAX_DEPTH);
        let Some(root) = self.get(&key).await? else { return Ok(None) };
        let mut documents: HashMap<Key, Document> = HashMap::new();
        let mut seen = HashSet::from([key.clone()]);
        let mut level = vec![root];
        for _ in 0..depth {
            let mut found = Vec::new();
            for document in &level {
                collect_all(document.value()?, &mut found);
            }
            found.retain(|key| seen.insert(key.clone()));
            if found.is_empty() {
                break;
            }
            let loaded = self.multi_get(&found).await?;
            documents.extend(level.drain(..).map(|document| (document.key().clone(), document)));
            level = loaded.into_iter().flatten().collect();
        }
        documents.extend(level.into_iter().map(|document| (document.key().clone(), document)));

        let mut within = Vec::new();
        let mut expand = Expand { documents: &documents, within: &mut within };
        expand.document(&documents[&key], depth).map(|value| Some(Arc::new(value)))
    }
}

struct Expand<'a> {
    documents: &'a HashMap<Key, Document>,
    /// The keys of the documents around the one that is expanded.
    within: &'a mut Vec<Key>,
}

impl Expand<'_> {
    fn document(&mut self, document: &Document, depth: usize) -> Result<Value> {
        self.within.push(document.key().clone());
        let expanded = self.value(document.value()?, depth);
        self.within.pop();
        expanded
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<Value> {
        if let Some(key) = reference(value) {
            return match self.documents.get(&key) {
                Some(document) if depth > 0 && !self.within.contains(&key) => {
                    self.document(document, depth - 1)
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
