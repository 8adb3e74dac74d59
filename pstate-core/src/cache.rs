//! The cache of documents, and the protocol that keeps it coherent with the store.

mod cache;
mod counters;
mod entry;
mod epochs;
mod flight;
mod freshness;
mod indeterminate;
mod key;
mod load_guard;
#[cfg(all(test, feature = "_shuttle"))]
mod model;
mod policy;
mod resolved;
mod resolving;
mod shard;
mod staleness;
mod write_guard;

pub(crate) use cache::{Cache, Hit, Miss};
#[cfg(feature = "metrics")]
pub(crate) use counters::CacheCounters;
pub(crate) use counters::TypeCounters;
pub(crate) use epochs::ALL_STALE;
pub(crate) use flight::{Flight, FlightResults};
pub(crate) use freshness::Freshness;
pub(crate) use indeterminate::IndeterminateWrites;
pub(crate) use key::CacheKey;
pub(crate) use load_guard::{Announced, LoadGuard};
pub use policy::CachePolicy;
pub(crate) use resolving::Resolving;
pub use staleness::Staleness;
pub(crate) use write_guard::WriteGuard;
