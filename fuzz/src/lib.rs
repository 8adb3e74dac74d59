//! Fuzz targets: each takes arbitrary bytes, uses PState with them, and panics where a promise is
//! broken.
//!
//! `cargo xtask fuzz` runs them under libFuzzer. The test of this package runs each on its seeds in
//! `corpus/NAME`, and on what was found in `findings/NAME`.

#![allow(clippy::unwrap_used, reason = "a promise that is broken panics: that is the finding")]

mod bytes;
mod members;
mod store;
mod table;
mod targets;

pub use table::{TARGETS, Target};
