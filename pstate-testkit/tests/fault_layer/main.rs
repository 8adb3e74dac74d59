//! The faults of a `FaultLayer`: what the caller sees, whether the call takes effect, and what the
//! log shows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connection;
mod fixture;
mod log;
mod random;
mod scheduled;
