//! The open directory, and the mark that says where its log ends.

mod end_mark;
mod store;

pub(crate) use store::Store;
