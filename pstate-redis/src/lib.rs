//! Redis storage for PState.

mod address;
mod answer;
mod backend;
mod changes;
mod cluster;
mod config;
mod connection;
mod error;
mod index;
mod layout;
mod multi_get;
mod opening;
mod own_writes;
mod per_key;
mod per_space;
mod registry;
mod reindex;
mod scan;
mod script;
mod servers;
mod store;
mod under_way;
mod value;
mod writer;

pub use backend::RedisAdapter;
pub use config::{Placement, RedisConfig};
