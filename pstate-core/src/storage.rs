//! Storage: the trait that every backend implements, what wraps it, and the store in memory.

mod adapter;
mod batch_check;
mod capabilities;
mod change_feed;
mod extensions;
mod layer;
mod memory;
mod page;

pub use adapter::Adapter;
pub use capabilities::{Atomicity, Capabilities, Durability};
pub use change_feed::{
    ChangeFeed, ChangeHub, ChangeSubscription, ChangedRecord, ChangedTo, Changes, HubSubscription,
};
pub use extensions::{CountVersions, Extensions};
pub use layer::{RetryLayer, TimeoutLayer};
pub use memory::MemoryAdapter;
pub use page::{Page, Scan};
