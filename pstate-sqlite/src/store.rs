//! The open file: how connections to it are made, and the pool of those that read.

mod connection;
mod readers;
mod store;

pub(crate) use connection::checked_path;
pub(crate) use readers::{Reader, Readers, stopped};
pub(crate) use store::Store;
