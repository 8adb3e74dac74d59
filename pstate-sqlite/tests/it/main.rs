//! What the adapter promises, against real files.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, and says where")]

mod backup;
mod batches;
mod bytes;
mod changes;
mod concurrency;
mod failures;
mod fixture;
mod foreign_rows;
mod lifecycle;
mod opening;
mod reading;
mod tools;
