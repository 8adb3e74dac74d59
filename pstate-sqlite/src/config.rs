//! How a store is opened: its settings, and the URL that holds them.

mod address;
mod sqlite_config;

pub use sqlite_config::{SqliteConfig, Synchronous, TableLayout};
