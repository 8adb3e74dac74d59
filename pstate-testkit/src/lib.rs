//! For testing adapters, schemas, and programs that use PState.
//!
//! - [`mod@conformance`] holds any adapter to the contract of [`Adapter`](pstate_core::Adapter).
//! - [`migrations`] holds a schema's migrations to what they have to keep.
//! - [`FaultLayer`] makes calls fail, or holds them at a chosen point until the test lets them go on,
//!   so that a race is a sequence and not a matter of luck; or it does so at random, from a seed.
//! - [`RecordingLayer`] tells what an adapter was asked and what it answered, and [`history`] whether
//!   that is linearizable; [`CountingLayer`] counts round trips and keys.
//! - [`workload`] has the documents that tests and benchmarks share.

pub mod conformance;
mod counting;
mod fault;
pub mod history;
pub mod migrations;
mod operation;
mod recording;
#[cfg(feature = "redis-server")]
pub mod redis;
mod settings;
pub mod workload;

pub use counting::{CountingLayer, Counts};
pub use fault::{Call, FaultLayer, FaultRates, Hold, Moment};
pub use operation::{Operation, Request, Response};
pub use recording::{OperationLog, RecordingLayer};
pub use settings::Settings;
