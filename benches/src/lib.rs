//! Measures PState beside the same work done with each backend's own crate.
//!
//! | module | holds |
//! |---|---|
//! | [`Backend`] | the stores that are measured |
//! | [`baseline`] | the same work without PState, in the best way that each backend's crate has |
//! | [`operations`] | each operation, by PState and by its baseline in turns |
//! | [`scale`] | what grows with the number of documents |
//! | [`throughput`] | many tasks at once |
//! | [`Results`] | all three, as tables, as JSON and as plots |
//!
//! The binary `bench` (`cargo xtask bench`) reads the arguments and holds the suites that use none
//! of these. The Criterion benchmark `operations` measures each contender by itself, to compare one
//! version of PState with the next.

mod backend;
mod bare_cache;
pub mod baseline;
mod documents;
mod error;
mod json;
pub mod measure;
pub mod operations;
pub mod process;
mod report;
mod runtime;
pub mod scale;
mod table;
pub mod throughput;

#[cfg(feature = "redis")]
pub use backend::Redis;
#[cfg(feature = "sled")]
pub use backend::Sled;
#[cfg(feature = "sqlite")]
pub use backend::Sqlite;
pub use backend::{Backend, BackendName, Memory, OnBackend};
pub use bare_cache::{BareCache, Place};
#[cfg(feature = "sqlite")]
pub use documents::create_sqlite_file;
pub use documents::plain;
pub use error::{Error, Result};
pub use json::Json;
pub use report::{Columns, Machine, Results, draw, save};
pub use runtime::{grown_runtime, runtime};
