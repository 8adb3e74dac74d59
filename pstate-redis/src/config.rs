//! How a store is opened: the settings, and the addresses that stand for them.

mod address;
mod placement;
mod redis_config;

pub use placement::Placement;
pub use redis_config::RedisConfig;
