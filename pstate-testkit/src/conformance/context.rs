use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use pstate_core::{Capabilities, Result};

use super::case_error::{CaseError, CaseResult};
use super::harness::Harness;
use super::store::{Store, up_to_max_batch};
use crate::recording::{OperationLog, RecordingLayer};
use crate::settings::Settings;

/// The context of one run of one case: its stores, its log, and the settings.
pub(super) struct Context {
    pub(super) harness: Arc<dyn Harness>,
    pub(super) settings: Settings,
    /// The name of the store in the suite. A child process finds the harness by it.
    pub(super) store: &'static str,
    /// The capabilities that the adapter declares.
    pub(super) capabilities: OnceLock<Capabilities>,
    id: String,
    stores: AtomicUsize,
    log: Mutex<Arc<OperationLog>>,
}

impl Context {
    pub(super) fn new(
        harness: Arc<dyn Harness>,
        settings: Settings,
        store: &'static str,
        id: String,
    ) -> Self {
        Self {
            harness,
            settings,
            store,
            capabilities: OnceLock::new(),
            id,
            stores: AtomicUsize::new(1),
            log: Mutex::default(),
        }
    }

    /// The id of the current store.
    pub(super) fn id(&self) -> String {
        format!("{}-{}", self.id, self.stores.load(Relaxed))
    }

    /// Replaces the store by an empty one, and the log by an empty log.
    pub(super) async fn reset(&self) -> CaseResult {
        self.remove().await?;
        self.stores.fetch_add(1, Relaxed);
        *self.log.lock() = Arc::default();
        Ok(())
    }

    pub(super) async fn remove(&self) -> CaseResult {
        Ok(self.harness.remove(&self.id()).await?)
    }

    /// Opens the store.
    pub(super) async fn open(&self) -> CaseResult<Store> {
        Ok(self.open_recorded().await?)
    }

    /// Opens a store that is open already, or ignores the case.
    pub(super) async fn open_second_handle(&self) -> CaseResult<Store> {
        let ignored = |error| {
            CaseError::ignored(format!("the store cannot be opened while it is open: {error}"))
        };
        self.open_recorded().await.map_err(ignored)
    }

    async fn open_recorded(&self) -> Result<Store> {
        let adapter = self.harness.open(&self.id()).await?;
        Ok(Store::new(Arc::new(RecordingLayer::with_log(adapter, self.log()))))
    }

    pub(super) fn log(&self) -> Arc<OperationLog> {
        self.log.lock().clone()
    }

    /// `count`, or as much of it as one call may hold.
    pub(super) fn up_to_max_batch(&self, count: usize) -> usize {
        self.capabilities.get().map_or(count, |declared| up_to_max_batch(declared, count))
    }

    /// The seeds of the rounds of a random case.
    pub(super) fn rounds(&self, default: usize) -> impl Iterator<Item = u64> {
        (0..self.settings.rounds(default)).map(|round| self.settings.round_seed(round))
    }
}
