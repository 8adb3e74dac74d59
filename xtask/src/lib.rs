//! Checks of the workspace's own sources. `cargo xtask lint` runs them, `cargo xtask layers` runs
//! them alone and shows what the layers import.
//!
//! They read texts and build nothing, and they take everything that they read as an argument
//! ([`Sources`]), so tests hand them small trees that break one rule each.

mod check;
mod finding;
pub mod layers;
mod sources;
pub mod text;

pub use check::{Report, check};
pub use finding::Finding;
pub use sources::Sources;
