//! Group commit: one thread writes for all tasks, and waits for the disk once for many batches.
//!
//! While the thread commits one group, further batches queue up and form the next one. So the group
//! grows with the load, and a single writer never waits for others.

mod client;
mod commit;
mod config;
mod message;
mod request;
#[cfg(test)]
mod tests;
mod thread;
mod writer;

pub use client::WriterClient;
pub use commit::GroupCommit;
pub use config::GroupConfig;
pub use request::{Reply, Response, WriteRequest};
pub use writer::GroupWriter;
