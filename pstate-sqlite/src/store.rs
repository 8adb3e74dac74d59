//! The open file: how connections to it are made, and the pool of those that read.

mod companions;
mod connection;
mod opened_file;
mod readers;
mod store;

pub(crate) use companions::{companions, with_suffix};
pub(crate) use connection::checked_path;
pub(crate) use opened_file::{real_path, refuse_hard_links};
pub(crate) use readers::{Readers, stopped};
pub(crate) use store::Store;
