//! The documents of a load, and what it took.

use crate::document::Document;
use crate::model::Result;
use crate::runtime::Instant;

/// Which call has read a document: what matters is whether the call was for this key alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// None: it was in the cache.
    Cache,
    /// A call for other readers as well.
    SharedCall,
    /// A call of its own.
    OwnCall,
}

/// Documents in the order of the keys that were asked for.
pub(crate) type Documents = Vec<Result<Option<Document>>>;

/// The documents of a load, and what they cost.
pub(crate) struct Loads {
    pub(crate) documents: Documents,
    /// Calls of the adapter that were made for it.
    pub(crate) round_trips: usize,
    /// What the cache had, if an observer wants to know.
    pub(super) looked_up: Option<LookedUp>,
}

/// What the cache had of a load's keys, and when that was known.
pub(super) struct LookedUp {
    pub(super) from_cache: Vec<bool>,
    pub(super) at: Instant,
}

impl LookedUp {
    /// None of so many keys, now.
    pub(super) fn nothing(keys: usize) -> Self {
        Self { from_cache: vec![false; keys], at: Instant::now() }
    }
}
