//! Warnings of writes under types that look like misspellings of declared ones.

use std::collections::HashSet;

use super::writer::StoreItem;
use crate::model::Change;
use crate::runtime::Mutex;
use crate::schema::Schema;

/// How many undeclared types are remembered, at most: a program that makes types up at run time
/// must not fill memory.
const MAX_SEEN: usize = 1_000;

/// The undeclared types that documents were written under.
#[derive(Default)]
pub(super) struct UndeclaredWrites {
    seen: Mutex<HashSet<String>>,
}

impl UndeclaredWrites {
    /// Warns once of each undeclared type whose name is similar to that of a declared one. Such
    /// documents are neither checked nor migrated, and the typed reads of the declared type do not
    /// find them.
    pub(super) fn warn(&self, schema: &Schema, items: &[StoreItem]) {
        let mut last = "";
        for item in items {
            let entity_type = item.write.key.entity_type();
            let is_put = matches!(item.write.change, Change::Put(_));
            // The documents of a batch are mostly of one type.
            if !is_put || entity_type == std::mem::replace(&mut last, entity_type) {
                continue;
            }
            if schema.entity(entity_type).is_some() || !self.is_first(entity_type) {
                continue;
            }
            if let Some(similar) = schema.similar_type(entity_type) {
                tracing::warn!(
                    key = %item.write.key,
                    similar,
                    "a document is put under a type that the schema does not declare: it is neither \
                     checked nor migrated; is it a misspelling of the declared type?"
                );
            }
        }
    }

    /// Whether a type was not seen before.
    fn is_first(&self, entity_type: &str) -> bool {
        let mut seen = self.seen.lock();
        let is_first = seen.len() < MAX_SEEN && !seen.contains(entity_type);
        is_first && seen.insert(entity_type.to_owned())
    }
}
