//! What a read does with the cache.

/// What the reads of a handle do with the cache; see
/// [`PState::cache_policy`](crate::PState::cache_policy).
///
/// Writes keep the cache right in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CachePolicy {
    /// What is cached is served; what is not is read and cached.
    #[default]
    Use,
    /// Everything is read from the store, and cached for others.
    Refresh,
    /// Everything is read from the store, and the cache is left as it is: for large reads that
    /// happen once.
    Bypass,
}
