//! A second process with the store open: the suite's own program, started once more, that does what
//! it is asked through its standard input and answers on its standard output.

mod adapter;
mod message;
mod process;
mod server;

pub(super) use adapter::PeerAdapter;
pub(super) use server::{PeerTask, task};
