//! What the adapter promises, against real servers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, and says where")]

mod access;
mod changes;
#[cfg(feature = "cluster")]
mod cluster;
mod connections;
mod fixture;
mod gathered;
mod index;
mod layout;
mod load;
mod lost;
mod memory;
mod opening;
mod restarts;
#[cfg(feature = "tls")]
mod tls;
