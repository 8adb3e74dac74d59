//! Tests of the whole: the handle on each store that a feature brings.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_input;
mod batching;
mod cache_size;
mod coherence;
mod confidential;
mod copy;
mod defects;
mod error_names;
mod faults;
mod freshness;
mod layers;
mod life;
mod maintenance;
mod migrations;
mod n_plus_one;
mod outside_runtime;
mod preload;
mod processes;
mod resolved;
mod round_trips;
mod spawned;
mod stored_format;
mod stores;
mod sweep;
mod telemetry;
mod typed;
mod warm;
mod writer;
mod writer_dies;
