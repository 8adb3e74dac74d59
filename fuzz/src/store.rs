//! A store in memory, and a runtime to work on it.

use std::sync::Arc;

use pstate::{Adapter, Batch, Key, MemoryAdapter, PState, Result, Space, Write};
use tokio::runtime::Builder;

/// Runs a target that reads and writes, in a runtime of its own: what its handles do in the
/// background ends with it.
pub(crate) fn block_on(run: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_time().build().unwrap().block_on(run);
}

/// A store of its own.
pub(crate) fn empty() -> Arc<MemoryAdapter> {
    Arc::new(MemoryAdapter::new())
}

/// A handle that has read nothing yet.
pub(crate) fn open(store: &Arc<MemoryAdapter>) -> PState {
    PState::builder(store.clone()).build().unwrap()
}

/// Stores bytes as another program might: PState checks nothing.
pub(crate) async fn store(store: &MemoryAdapter, key: &str, bytes: &[u8]) -> Result<()> {
    let key: Key = key.parse()?;
    store.write(&Space::default(), &Batch::each(vec![Write::put(key, bytes)])).await?;
    Ok(())
}
