//! What all handles on one store share: loading through the cache, storing around it, and their
//! life from start to close.

mod batcher;
mod classification;
mod counters;
mod engine;
mod events;
mod graph;
mod loader;
mod loads;
mod observed_adapter;
mod publishing;
mod readable;
mod undeclared;
mod write_back_queue;
mod writer;

pub(crate) use classification::{Classification, classify};
pub(crate) use engine::{Engine, EngineParts};
pub(crate) use graph::load_graph;
#[cfg(feature = "metrics")]
pub(crate) use publishing::Publish;
pub(crate) use publishing::Publishing;
pub(crate) use readable::{check_readable, stranded};
pub(crate) use write_back_queue::{QueueLimits, WriteBackQueue};
pub(crate) use writer::StoreItem;
