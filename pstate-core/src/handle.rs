//! The handle that programs use, and all of its methods.

mod batch;
mod builder;
mod collection;
mod get;
mod link;
mod maintenance;
mod preload;
mod pstate;
mod put;
mod resolve;
mod scan;
mod store_maintenance;
mod update;

pub use batch::WriteBatch;
pub use builder::Builder;
pub use collection::Collection;
pub use pstate::PState;
pub use scan::{DocumentPage, ScanQuery, ScanStream};
pub use store_maintenance::StoreMaintenance;
