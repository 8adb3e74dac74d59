//! The same work without PState, as a careful program does it with a backend's own crate.
//!
//! Each backend has a file with the best way that its crate has. `graph` and `card` hold the parts
//! that do not depend on the backend.

pub(crate) mod card;
mod contract;
pub(crate) mod graph;
mod memory;
mod parse;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use contract::{Baseline, DeepDeck, Replacement};
pub use memory::Memory;
pub use parse::Parse;
pub(crate) use parse::{keep, parse};
#[cfg(feature = "redis")]
pub use redis::Redis;
#[cfg(feature = "redis")]
pub(crate) use redis::connect as redis_connection;
#[cfg(feature = "sled")]
pub use sled::Sled;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
