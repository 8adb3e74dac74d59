//! The core's own code under the model checker [shuttle](https://docs.rs/shuttle), in thousands of
//! schedules: which task goes on is decided anew at each lock, each wait and each timer.
//!
//! What holds in every one of them: *after everything settles, for each key the store holds either
//! the last user write, or that write migrated.* A delete is a user write too: then it holds nothing.
//! And the cache agrees with the store, no read was older than a write that had been acknowledged to
//! the same handle, and nothing is left in a queue.
//!
//! A schedule that fails is printed; see [`schedules`] for how to run it again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod close;
mod planted;
mod scenarios;
mod schedules;
mod store;
mod user;
