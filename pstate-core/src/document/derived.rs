//! What is made from a document and others.

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

/// What was made from documents, and has to know when the cache no longer holds one of them. The
/// cache's locks may be held.
pub(crate) trait Dependent: Send + Sync {
    /// A document was changed, or may have been.
    fn document_changed(&self);

    /// The cache had to make room, and would not learn of a change any more.
    fn document_evicted(&self);
}
