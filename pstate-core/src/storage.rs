//! Storage: the trait that every backend implements, what wraps it, and the store in memory.

mod adapter;
mod adapter_use;
mod batch_check;
mod capabilities;
mod change_feed;
mod closed;
mod extensions;
mod group_commit;
mod layer;
mod memory;
mod page;
mod read_mode;
mod stored_name;

pub use adapter::Adapter;
pub(crate) use adapter_use::AdapterUse;
pub use capabilities::{Atomicity, Capabilities, Durability};
pub use change_feed::{
    ChangeFeed, ChangeHub, ChangeSubscription, ChangedRecord, ChangedTo, Changes, HubSubscription,
};
pub use extensions::{CountVersions, Extensions};
pub use group_commit::{
    GroupCommit, GroupConfig, GroupWriter, Reply, Response, WriteRequest, WriterClient,
};
pub use layer::{RetryLayer, TimeoutLayer};
pub use memory::MemoryAdapter;
pub use page::{Page, Scan};
pub use read_mode::ReadMode;
