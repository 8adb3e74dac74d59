//! Values that are made from a document and others, and kept with it.

use std::sync::Arc;

use serde_json::Value;

/// A document with its references expanded. The cache implements it: it knows when a value that
/// contains other documents is no longer valid.
pub(crate) trait Derived: Send + Sync {
    /// The value, if it was expanded exactly so deep and still holds for a read that accepts
    /// nothing older than `min_epoch`.
    fn value(&self, depth: usize, min_epoch: u64) -> Option<Arc<Value>>;

    /// How many bytes of memory it takes.
    fn weight(&self) -> usize;
}
