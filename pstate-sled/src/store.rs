//! The open directory, the mark that says where its log ends, and reads that take long.

mod caller;
mod end_mark;
mod snapshot;
mod snapshot_files;
mod store;

pub(crate) use caller::Caller;
pub(crate) use snapshot::Snapshot;
pub(crate) use store::Store;
