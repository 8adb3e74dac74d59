//! Processes of their own, and their memory.

mod child;
mod memory;

pub use child::ChildProcess;
pub use memory::{mebibytes, peak, reset_peak, resident};
