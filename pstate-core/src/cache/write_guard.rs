//! A write that is under way.

use std::sync::Arc;

use super::cache::Cache;
use super::key::CacheKey;
use crate::document::Document;

/// A write that has begun. It must be settled; if it is dropped, its keys are never cached again,
/// which is slow and never wrong.
#[must_use]
pub(crate) struct WriteGuard {
    cache: Arc<Cache>,
    keys: Vec<CacheKey>,
    epoch: u64,
}

impl WriteGuard {
    /// Announces a write of these keys, which must be distinct.
    pub(crate) fn begin(cache: &Arc<Cache>, keys: Vec<CacheKey>) -> Self {
        let epoch = cache.epochs().now();
        for key in &keys {
            cache.begin_write(key);
        }
        Self { cache: cache.clone(), keys, epoch }
    }

    /// Ends the write. `stored` says for each key what is stored now, in the order in which they
    /// were announced; `None` where that is not known.
    pub(crate) fn settle(self, stored: impl IntoIterator<Item = Option<Option<Document>>>) {
        let stored = stored.into_iter().chain(std::iter::repeat(None));
        for (key, stored) in self.keys.into_iter().zip(stored) {
            self.cache.end_write(key, stored, self.epoch);
        }
    }
}
