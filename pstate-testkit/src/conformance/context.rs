use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use pstate_core::{Atomicity, Capabilities, Durability, Result};

use super::case_error::{CaseError, CaseResult};
use super::harness::Harness;
use super::peer::{PeerAdapter, PeerTask};
use super::sizes::SIZES;
use super::store::{Store, up_to_max_batch};
use crate::recording::{OperationLog, RecordingLayer};
use crate::settings::Settings;

/// What is found out once, and holds for every case.
#[derive(Debug, Default)]
pub(super) struct Known {
    capabilities: OnceLock<Capabilities>,
    second_handle: Openable,
    second_process: Openable,
}

/// Whether the store can be opened once more, as the first case that tried it has found out.
#[derive(Debug, Default)]
struct Openable {
    was_opened: AtomicBool,
    refused: OnceLock<String>,
}

impl Openable {
    /// Ignores the case if the store was refused before.
    fn check(&self) -> CaseResult {
        self.refused.get().map_or(Ok(()), |reason| Err(CaseError::ignored(reason)))
    }

    /// Ignores the case if the store is refused, unless it was opened before: then it has to be.
    fn judge<T>(&self, opened: Result<T>, refused: &str) -> CaseResult<T> {
        match opened {
            Ok(opened) => {
                self.was_opened.store(true, Relaxed);
                Ok(opened)
            }
            Err(error) if self.was_opened.load(Relaxed) => Err(error.into()),
            Err(error) => {
                let reason = self.refused.get_or_init(|| format!("{refused}: {error}"));
                Err(CaseError::ignored(reason))
            }
        }
    }
}

/// A handle in another process.
pub(super) struct Peer {
    pub(super) adapter: Arc<PeerAdapter>,
    pub(super) store: Store,
}

/// The context of one run of one case: its stores, its log, and the settings.
pub(super) struct Context {
    pub(super) harness: Arc<dyn Harness>,
    pub(super) settings: Settings,
    /// The name of the store in the suite. A child process finds the harness by it.
    pub(super) store: &'static str,
    /// What other cases have found out about the adapter.
    known: Arc<Known>,
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
        known: Arc<Known>,
    ) -> Self {
        Self {
            harness,
            settings,
            store,
            known,
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

    /// What the adapter declares.
    pub(super) async fn read_capabilities(&self) -> CaseResult<Capabilities> {
        if let Some(known) = self.known.capabilities.get() {
            return Ok(*known);
        }
        let store = self.open().await?;
        let capabilities = *self.known.capabilities.get_or_init(|| store.capabilities());
        store.close().await?;
        self.reset().await?;
        Ok(capabilities)
    }

    /// What the adapter declares, known before the case begins.
    pub(super) fn capabilities(&self) -> Capabilities {
        let unlimited = Capabilities::new(Atomicity::Key, Durability::None);
        self.known.capabilities.get().copied().unwrap_or(unlimited)
    }

    /// Opens a store that is open already, or ignores the case.
    pub(super) async fn open_second_handle(&self) -> CaseResult<Store> {
        self.known.second_handle.check()?;
        let opened = self.open_recorded().await;
        self.known.second_handle.judge(opened, "the store cannot be opened while it is open")
    }

    /// The same for a case that also makes sense with one handle.
    pub(super) async fn second_handle_if_any(&self) -> CaseResult<Option<Store>> {
        if self.capabilities().durability == Durability::None {
            return Ok(None);
        }
        match self.open_second_handle().await {
            Err(CaseError::Ignored(_)) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Opens the store, which is open already, in a second process, or ignores the case.
    pub(super) async fn open_in_second_process(&self) -> CaseResult<Peer> {
        self.known.second_process.check()?;
        let opened = self.start_peer().await;
        self.known.second_process.judge(opened, "a second process cannot open the store")
    }

    /// Opens the store, which is not open in this process, in another one.
    pub(super) async fn open_in_another_process(&self) -> CaseResult<Peer> {
        Ok(self.start_peer().await?)
    }

    async fn start_peer(&self) -> Result<Peer> {
        let task = PeerTask { store: self.store.to_owned(), id: self.id() };
        let adapter = Arc::new(PeerAdapter::start(&task, self.capabilities()).await?);
        let recorded = RecordingLayer::with_log(adapter.clone(), self.log());
        Ok(Peer { adapter, store: Store::new(Arc::new(recorded)) })
    }

    async fn open_recorded(&self) -> Result<Store> {
        let adapter = self.harness.open(&self.id()).await?;
        Ok(Store::new(Arc::new(RecordingLayer::with_log(adapter, self.log()))))
    }

    pub(super) fn log(&self) -> Arc<OperationLog> {
        self.log.lock().clone()
    }

    /// So many writes, or as many as one call may hold. Ignores the case if a smaller size tries as
    /// many.
    pub(super) fn size_of_batch(&self, size: usize) -> CaseResult<usize> {
        let possible = self.up_to_max_batch(size);
        let smaller = SIZES.into_iter().rev().find(|&other| other < size).unwrap_or(4);
        if possible > smaller {
            Ok(possible)
        } else {
            Err(CaseError::ignored(format!("a batch of {size} is more than its max_batch")))
        }
    }

    /// `count`, or as much of it as one call may hold.
    pub(super) fn up_to_max_batch(&self, count: usize) -> usize {
        up_to_max_batch(&self.capabilities(), count)
    }

    /// The seeds of the rounds of a random case.
    pub(super) fn rounds(&self, default: usize) -> impl Iterator<Item = u64> {
        (0..self.settings.rounds(default)).map(|round| self.settings.round_seed(round))
    }
}
