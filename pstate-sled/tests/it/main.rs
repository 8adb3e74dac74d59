//! What the adapter promises, against real directories.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, and says where")]

mod batches;
mod child;
mod durability;
mod fixture;
mod foreign_entries;
mod lifecycle;
mod locks;
mod opening;
mod reading;
mod snapshots;
mod stored_format;
