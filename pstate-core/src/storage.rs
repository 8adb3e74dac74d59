//! Storage: the trait that every backend implements, what wraps it, and the store in memory.

mod adapter;
mod adapter_use;
mod batch_check;
mod capabilities;
mod change_feed;
mod closed;
mod extensions;
mod file_url;
mod group_commit;
mod layer;
mod maintenance;
mod memory;
mod page;
mod path_error;
mod read_mode;
mod stored_name;

pub use adapter::Adapter;
pub(crate) use adapter_use::AdapterUse;
pub use capabilities::{Atomicity, Capabilities, Durability};
pub use change_feed::{
    ChangeFeed, ChangeHub, ChangeSubscription, ChangedRecord, ChangedTo, Changes, HubSubscription,
};
pub use extensions::{CountVersions, Extensions};
pub use file_url::{FileUrl, UrlOption};
pub use group_commit::{
    GroupCommit, GroupConfig, GroupWriter, Reply, Response, WriteRequest, WriterClient,
};
pub use layer::{RetryLayer, TimeoutLayer};
pub use maintenance::Maintenance;
pub use memory::MemoryAdapter;
pub use page::{Page, Scan};
pub use path_error::path_error;
pub use read_mode::ReadMode;
