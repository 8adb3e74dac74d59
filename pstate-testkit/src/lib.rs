//! Tools for testing adapters, schemas, and programs that use PState.
//!
//! - [`mod@conformance`] checks an adapter against the contract of
//!   [`Adapter`](pstate_core::Adapter).
//! - [`migrations`] checks the migrations of a schema.
//! - [`FaultLayer`] makes calls fail, holds them at a chosen point, or injects random faults from a
//!   seed, so that a test of a race runs a fixed sequence.
//! - [`RecordingLayer`] records the calls of an adapter, and [`history`] checks whether the
//!   recording is linearizable. [`CountingLayer`] counts round trips and keys.
//! - `redis` (feature `redis-server`) starts real Redis servers.
//! - [`workload`] has the documents that tests and benchmarks share.

pub mod conformance;
mod counting;
mod fault;
pub mod history;
pub mod migrations;
mod recording;
#[cfg(feature = "redis-server")]
pub mod redis;
mod settings;
pub mod workload;

pub use counting::{CountingLayer, Counts};
pub use fault::{Call, FaultLayer, FaultRates, Hold, Moment};
pub use recording::{Operation, OperationLog, RecordingLayer, Request, Response};
pub use settings::{Level, Settings};
