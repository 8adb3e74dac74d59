//! The handle over a store that fails, answers late, in the wrong order, or not at all: at random,
//! from a seed.
//!
//! Each test is repeated for a number of rounds, each with a seed of its own. A round that fails
//! says how to repeat it. With the clock paused everything runs on one thread, and the same seed
//! gives the same order of events; on several threads it gives the same operations and faults, and
//! the scheduler does the rest.

mod client;
mod preload;
mod round;
mod sweeps;
mod users;
mod witness;
mod write_backs;
