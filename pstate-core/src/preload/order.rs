//! Ordering documents by what they hold.

use std::cmp::Ordering;

use serde_json::Value;

use super::value_order::{compare, rank};
use crate::document::Document;
use crate::model::Result;

/// The field that documents are ordered by, and the direction.
///
/// Missing and null come last in either direction; before them booleans, numbers, text, and what
/// has no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub(super) field: String,
    pub(super) descending: bool,
}

impl Order {
    /// From least to greatest.
    pub fn ascending(field: &str) -> Self {
        Self { field: field.to_owned(), descending: false }
    }

    /// From greatest to least.
    pub fn descending(field: &str) -> Self {
        Self { field: field.to_owned(), descending: true }
    }

    /// Sorts documents; those that the field does not tell apart stay in their order.
    pub(super) fn sort(&self, documents: &mut Vec<&Document>) -> Result<()> {
        let mut keyed = Vec::with_capacity(documents.len());
        for &document in documents.iter() {
            keyed.push((document.get(&self.field)?.unwrap_or(&Value::Null), document));
        }
        keyed.sort_by(|(a, _), (b, _)| self.compare(a, b));
        documents.clear();
        documents.extend(keyed.into_iter().map(|(_, document)| document));
        Ok(())
    }

    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        if a.is_null() || b.is_null() {
            return a.is_null().cmp(&b.is_null());
        }
        let ordering = rank(a).cmp(&rank(b)).then_with(|| compare(a, b).unwrap_or(Ordering::Equal));
        if self.descending { ordering.reverse() } else { ordering }
    }
}
