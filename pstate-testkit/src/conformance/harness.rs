use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{Adapter, Key, Result, Space};

/// Opens and removes the stores that the suite tests.
///
/// Each store has an id: 1 to 40 bytes of `[a-z0-9-]`, made by the suite and never reused, so that
/// cases run in parallel. The harness maps ids to stores: to the name of a file or a database, or
/// to a prefix of all keys. An id must mean the same store in another process of the same program,
/// because the suite tests durability by killing a process.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Opens the store with this id. The store is empty at first; opened again, it is the same
    /// store.
    ///
    /// The suite may open a store that is already open. If the adapter does not support that,
    /// return an error; the suite then ignores the cases that need it.
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>>;

    /// Removes the store and all its data. The suite also calls it for stores that do not exist.
    async fn remove(&self, id: &str) -> Result<()>;

    /// Damages the record under `key`, as a failing disk or a foreign program would, while the
    /// store is closed. Returns whether it did.
    ///
    /// Optional: the default does nothing, and the suite ignores the cases about damage.
    async fn damage(&self, id: &str, space: &Space, key: &Key) -> Result<bool> {
        let _ = (id, space, key);
        Ok(false)
    }
}
