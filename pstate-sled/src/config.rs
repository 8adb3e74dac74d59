//! How a store is opened: its settings, and the URL that holds them.

mod address;
mod sled_config;

pub use sled_config::{Flush, SledConfig};
