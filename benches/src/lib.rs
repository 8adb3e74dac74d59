//! Benchmarks of PState against the same work done by hand, on each backend with its own crate.
//!
//! An [`Operation`] is done by each [`Side`] of a [`Contest`] in turns, on a [`Backend`]. The binary
//! `compare` [measures](measure()) the sides interleaved and [reports](Row) how they relate; the Criterion
//! benchmark `operations` measures each for itself, to compare one version with the next. The binary
//! `sweep` measures a sweep of a large store beside its users, the binary `cache` how much memory cached
//! documents take.

mod backend;
mod bare_cache;
pub mod by_hand;
pub mod concurrency;
mod contest;
mod fixture;
mod known;
mod machine;
mod measure;
pub mod memory;
mod migrations;
mod operation;
mod plot;
mod report;
mod results;
mod runtime;
pub mod scale;
mod scene;
#[cfg(feature = "sqlite")]
mod seed;
mod tasks;
mod timing;
mod warm;
mod writes;

#[cfg(feature = "redis")]
pub use backend::Redis;
#[cfg(feature = "sled")]
pub use backend::Sled;
#[cfg(feature = "sqlite")]
pub use backend::Sqlite;
pub use backend::{Backend, BackendName, Memory, OnBackend};
pub use bare_cache::{BareCache, Place};
pub use contest::{Contest, Side};
pub use known::{Aim, REFERENCE};
pub use machine::Machine;
pub use measure::{Effort, Measured, measure, quantile};
pub use operation::Operation;
pub use plot::draw;
pub use report::{Row, markdown, table};
pub use results::Results;
pub use runtime::runtime;
#[cfg(feature = "sqlite")]
pub use seed::seed;

/// What goes wrong in a benchmark is shown and ends it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of anything that touches the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;
