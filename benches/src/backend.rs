//! The stores that are measured.
//!
//! A feature of this package chooses each of them. Each has a file here, and a file of the same
//! name in `baseline/`, which does the same work with the backend's own crate.

mod contract;
mod memory;
mod name;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use contract::Backend;
pub use memory::Memory;
pub use name::{BackendName, OnBackend};
#[cfg(feature = "redis")]
pub use redis::Redis;
#[cfg(feature = "sled")]
pub use sled::Sled;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
