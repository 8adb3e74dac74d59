//! What the suite needs to know about a store.

use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{Adapter, Key, Result, Space};

/// How to open and remove the stores that the suite tests.
///
/// Stores are told apart by an id: 1 to 40 bytes of `[a-z0-9-]`, made up by the suite and never
/// used twice, so cases run in parallel. What an id means is the harness's business: a file's
/// name, a database, a prefix of all keys. It has to mean the same in another process of the same
/// program: durability is tested by killing one.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Opens the store with this id. It is empty at first; opened again, it is the same store.
    ///
    /// A store may be opened while it is open already. If that can't be, this is an error, and the
    /// cases that need it are ignored.
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>>;

    /// Removes the store and all it holds. Also called for stores that are gone or never were.
    async fn remove(&self, id: &str) -> Result<()>;

    /// Damages what is stored under `key`, as a failing disk or a foreign program would, while the
    /// store is closed. Gives whether it could.
    ///
    /// Optional: without it the cases about damage are ignored.
    async fn damage(&self, id: &str, space: &Space, key: &Key) -> Result<bool> {
        let _ = (id, space, key);
        Ok(false)
    }
}
