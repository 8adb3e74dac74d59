//! What the adapter promises, against real files.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, and says where")]

mod another_process;
mod backup;
mod batches;
mod bytes;
mod changes;
mod concurrency;
mod failures;
mod fixture;
mod foreign_rows;
mod full_disk;
mod held_lock;
mod lifecycle;
mod log;
mod moved;
mod opening;
mod reading;
mod tools;
