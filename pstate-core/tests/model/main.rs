//! The core under the model checker [shuttle](https://docs.rs/shuttle), in thousands of schedules:
//! at each lock, each wait and each timer, the scheduler chooses the task that runs next.
//!
//! The invariant in every schedule: *once all work has settled, the store holds for each key either
//! the last user write, or that write migrated.* A delete is a user write too: then the store holds
//! nothing. The cache agrees with the store, no read returned less than a write that was
//! acknowledged to the same handle before, and no queue holds anything.
//!
//! A schedule that fails is printed; [`schedules`] describes how to replay it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod close;
mod planted;
mod scenarios;
mod schedules;
mod store;
mod store_adapter;
mod user;
