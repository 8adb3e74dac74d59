//! The cache of documents, and the protocol that keeps it coherent with the store.
//!
//! | question | file |
//! |---|---|
//! | what is cached when, and why it is never older than a write | [`cache`] |
//! | which entries are evicted (the cache crate decides, set up in `Cache::new`), what they weigh | [`entry`], [`cache`] |
//! | how others' changes reach the cache, and how long a read waits for them | [`freshness`], [`epochs`] |
//! | which preloads find their graph unchanged | [`graphs`], [`known_graph`] |
//! | how several readers share a load | [`flight`], [`load_guard`] |
//! | loads and writes under way, by key | [`pending`] |
//! | what a handle's reads do with the cache (`CachePolicy`) | [`policy`] |

mod cache;
mod counters;
mod entry;
mod epochs;
mod flight;
mod freshness;
mod graphs;
mod indeterminate;
mod key;
mod known_graph;
mod load_guard;
#[cfg(all(test, feature = "_shuttle"))]
mod model;
mod pending;
mod policy;
mod resolved;
mod resolving;
mod staleness;
mod write_guard;

pub(crate) use cache::{Cache, Hit, Miss};
#[cfg(feature = "metrics")]
pub(crate) use counters::CacheCounters;
pub(crate) use counters::TypeCounters;
pub(crate) use epochs::ALL_STALE;
pub(crate) use flight::{Flight, FlightResults};
pub(crate) use freshness::Freshness;
pub(crate) use graphs::MOST_CHANGED;
pub(crate) use indeterminate::IndeterminateWrites;
pub(crate) use key::CacheKey;
pub(crate) use known_graph::Known;
pub(crate) use load_guard::{Announced, LoadGuard};
pub use policy::CachePolicy;
pub(crate) use resolving::Resolving;
pub use staleness::Staleness;
pub(crate) use write_guard::WriteGuard;
