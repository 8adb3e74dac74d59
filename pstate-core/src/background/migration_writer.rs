//! The migration writer: storing what reads have migrated.

mod command;
mod config;
mod policy;
mod running;
mod task;

pub use config::MigrationWriter;
pub(crate) use running::RunningWriter;
