//! Ordering documents by what they hold.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::value_order::{compare, rank};
use crate::document::Document;
use crate::model::{FieldName, Result};

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
    pub fn ascending(field: impl Into<String>) -> Self {
        Self { field: field.into(), descending: false }
    }

    /// From greatest to least.
    pub fn descending(field: impl Into<String>) -> Self {
        Self { field: field.into(), descending: true }
    }

    /// What a document is ordered by.
    pub(super) fn value<'a>(&self, document: &'a Document) -> Result<&'a Value> {
        Ok(document.get(&self.field)?.unwrap_or(&Value::Null))
    }

    /// Sorts documents by their [values](Self::value); those that these do not tell apart stay in
    /// their order.
    pub(super) fn sort<T>(&self, documents: &mut [(&Value, T)]) {
        documents.sort_by(|(a, _), (b, _)| self.compare(a, b));
    }

    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        if a.is_null() || b.is_null() {
            return a.is_null().cmp(&b.is_null());
        }
        let ordering = rank(a).cmp(&rank(b)).then_with(|| compare(a, b).unwrap_or(Ordering::Equal));
        if self.descending { ordering.reverse() } else { ordering }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, FieldName(&self.field))
    }
}
