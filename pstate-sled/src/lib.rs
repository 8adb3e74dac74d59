//! sled storage for PState: an [`Adapter`](pstate_core::Adapter) that keeps everything in one directory.

mod backend;
mod config;
mod database;
mod ending;
mod error;
mod format;
mod group;
mod multi_get;
mod scan;
mod stored_key;
mod transaction;
mod writer;

pub use backend::SledAdapter;
pub use config::{Flush, ReadMode, SledConfig};
