//! What the benchmarks need of a backend.

use std::fmt;
use std::sync::Arc;

use pstate::Adapter;

use crate::Result;
use crate::baseline::Baseline;

/// A new store. Dropping this value deletes it.
pub trait Backend: fmt::Debug + Send + Sync + Sized + 'static {
    /// The same work without PState.
    type Baseline: Baseline;

    /// Creates an empty store.
    ///
    /// # Errors
    /// What the store reports.
    fn create() -> impl Future<Output = Result<Self>> + Send;

    /// Opens the store again, after its adapter was closed. `false` if the store keeps nothing and
    /// is empty now.
    ///
    /// # Errors
    /// What the store reports.
    fn reopen(&mut self) -> impl Future<Output = Result<bool>> + Send;

    /// The adapter for PState.
    fn adapter(&self) -> Arc<dyn Adapter>;

    /// The same work without PState, on an empty store of its own of the same kind.
    ///
    /// # Errors
    /// What the store reports.
    fn baseline(&self) -> impl Future<Output = Result<Self::Baseline>> + Send;

    /// Finishes what earlier writes have deferred, such as a checkpoint. Not measured.
    ///
    /// # Errors
    /// What the store reports.
    fn settle(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// The bytes that PState's documents take outside of this process; `None` if the store lies in
    /// this process.
    ///
    /// # Errors
    /// If they cannot be counted.
    fn stored_bytes(&self) -> impl Future<Output = Result<Option<u64>>> + Send;

    /// The version of the store's own software.
    ///
    /// # Errors
    /// If the store does not say.
    fn version(&self) -> impl Future<Output = Result<String>> + Send;
}
