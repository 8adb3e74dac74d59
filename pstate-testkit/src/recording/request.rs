use pstate_core::{Batch, Key, Scan, Space};

/// A call of an adapter.
#[derive(Debug, Clone)]
pub enum Request {
    /// [`multi_get`](pstate_core::Adapter::multi_get)
    MultiGet(Space, Vec<Key>),
    /// [`write`](pstate_core::Adapter::write)
    Write(Space, Batch),
    /// [`scan`](pstate_core::Adapter::scan)
    Scan(Space, Scan),
    /// [`spaces`](pstate_core::Adapter::spaces)
    Spaces,
    /// [`flush`](pstate_core::Adapter::flush)
    Flush,
    /// [`close`](pstate_core::Adapter::close)
    Close,
}
