//! Benchmarks of PState against the same work done by hand with rusqlite, on the same file.
//!
//! An [`Operation`] is done by each [`Side`] of a [`Contest`] in turns. The binary `compare`
//! [measures](measure()) the sides interleaved and [reports](Row) how they relate; the Criterion
//! benchmark `sqlite` measures each for itself, to compare one version with the next. The binary `sweep`
//! measures a sweep of a large store beside its users, the binary `cache` how much memory cached documents
//! take.

mod by_hand;
mod contest;
mod fixture;
mod measure;
pub mod memory;
mod migrations;
mod operation;
mod ours;
mod report;
mod runtime;
mod timing;

pub use contest::{Contest, Side};
pub use fixture::seed;
pub use measure::{Effort, Measured, measure, quantile};
pub use operation::Operation;
pub use report::{Row, table};
pub use runtime::runtime;

/// What goes wrong in a benchmark is shown and ends it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of anything that touches the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;
