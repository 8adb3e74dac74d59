//! Instruments and workloads for testing PState's adapters and programs that use it.
//!
//! - [`CountingLayer`] counts what an adapter is asked for: how many round trips, how many keys.
//! - [`ScriptedLayer`] makes chosen calls fail, or holds them at a chosen point until the test lets
//!   them go on, so that a race is a sequence and not a matter of luck.
//! - [`workload`] has the documents that tests and benchmarks share.

pub mod conformance;
mod counting;
pub mod history;
pub mod migrations;
mod operation;
mod recording;
mod scripted;
mod settings;
pub mod workload;

pub use counting::{CountingLayer, Counts};
pub use operation::{Operation, Request, Response};
pub use recording::{OperationLog, RecordingLayer};
pub use scripted::{Call, Hold, Moment, ScriptedLayer};
pub use settings::Settings;
