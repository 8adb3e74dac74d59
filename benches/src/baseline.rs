//! The same work without PState, as a careful program does it with a backend's own crate.
//!
//! Each backend has a file with the best way that its crate has. `graph`, `shape` and
//! `look_up` hold the parts that do not depend on the backend.

mod contract;
mod graph;
#[cfg(any(feature = "sled", feature = "sqlite"))]
mod look_up;
mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "redis", feature = "sled", feature = "sqlite"))]
mod shape;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use contract::{Baseline, Depth, Replacement};
pub use graph::Graph;
pub use memory::Memory;
#[cfg(feature = "redis")]
pub use redis::Redis;
#[cfg(feature = "redis")]
pub(crate) use redis::connect as redis_connection;
#[cfg(feature = "sled")]
pub use sled::Sled;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
