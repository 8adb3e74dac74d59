//! Each operation, by PState and by what it is compared with, in turns.
//!
//! Figures of two runs differ by more than what is looked for, since machines change their speed
//! from one second to the next. So the contenders of an [`Operation`] take turns, and their
//! relation within each round counts. A [`Suite`] prepares the stores of one backend and runs an
//! operation once for one contender; [`measure`] runs all of them and returns a [`Row`] for each
//! operation.

mod backlog;
mod columns;
mod contender;
mod effort;
mod fixture;
mod graphs;
mod loads;
mod migrations;
mod operation;
mod rounds;
mod row;
mod store;
mod structs;
mod suite;
mod sweeps;
mod targets;
mod tasks;
mod warm;
mod write_back;
mod writes;

pub(crate) use columns::{full, summary};
pub use contender::Contender;
pub use effort::Effort;
pub use operation::Operation;
pub use rounds::measure;
pub use row::Row;
pub use suite::Suite;
pub use targets::{Aims, REFERENCE};
