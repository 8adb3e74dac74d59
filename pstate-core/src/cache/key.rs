//! What a document is cached under.

use std::hash::{Hash, Hasher};

use quick_cache::Equivalent;

use crate::model::{Key, Space};

/// The space and key of a cached document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheKey {
    pub(crate) space: Space,
    pub(crate) key: Key,
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (entity_type, id) = self.key.parts();
        CacheKeyRef { space: &self.space, entity_type, id }.hash(state);
    }
}

/// A [`CacheKey`] that borrows, so that a look-up allocates nothing. The cache holds well-formed
/// keys only, so a malformed one is never found and need not be checked first.
pub(super) struct CacheKeyRef<'a> {
    pub(super) space: &'a Space,
    pub(super) entity_type: &'a [u8],
    pub(super) id: &'a [u8],
}

impl Hash for CacheKeyRef<'_> {
    /// Part by part: to join them first costs half a hit.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.space.as_str().as_bytes());
        state.write(self.entity_type);
        state.write(self.id);
    }
}

impl Equivalent<CacheKey> for CacheKeyRef<'_> {
    #[inline]
    fn equivalent(&self, other: &CacheKey) -> bool {
        let (entity_type, id) = other.key.parts();
        id == self.id && entity_type == self.entity_type && other.space == *self.space
    }
}
