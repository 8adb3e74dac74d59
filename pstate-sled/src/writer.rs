//! The thread that writes.

mod committer;
mod transaction;

pub(crate) use committer::{Command, start};
pub(crate) use transaction::Transaction;
