//! The thread that writes.
//!
//! One thread owns the only connection that writes, so no two transactions of this process meet.

mod commits;
mod committer;
mod foreign_commits;
mod group;
mod hold;
mod log;
mod maintenance;
mod transaction;

pub(crate) use commits::Commits;
pub(crate) use committer::{Command, start};
pub(crate) use foreign_commits::data_version;
pub(crate) use hold::Demand;
