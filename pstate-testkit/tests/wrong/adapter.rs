//! A handle to a store. Its faults are those between the caller and the store.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Atomicity, Batch, Capabilities, ChangeHub, CountVersions, Durability, Error,
    ErrorKind, Extensions, HubSubscription, Key, Outcome, Page, Record, Result, Scan, Space,
    VersionCounts,
};

use crate::fault::Fault;
use crate::store::{Shared, log_error};

/// A handle to a store with at most one fault.
#[derive(Debug)]
pub(crate) struct LogAdapter {
    pub(crate) shared: Arc<Shared>,
    pub(crate) capabilities: Capabilities,
    closed: AtomicBool,
    /// For [`Fault::CachesPerHandle`].
    pub(crate) cache: Mutex<HashMap<(Space, Key), Option<Record>>>,
    /// For [`Fault::LocksPerHandle`].
    pub(crate) own_lock: tokio::sync::Mutex<()>,
    /// The writes of this handle, for [`Fault::ReportsOwnWritesOnly`].
    pub(crate) own_writes: ChangeHub,
    /// The subscription that all others share, for [`Fault::ReportsOnce`].
    pub(crate) shared_subscription: Arc<Mutex<HubSubscription>>,
}

fn open_stores() -> &'static Mutex<HashMap<PathBuf, Weak<Shared>>> {
    static OPEN: OnceLock<Mutex<HashMap<PathBuf, Weak<Shared>>>> = OnceLock::new();
    OPEN.get_or_init(Mutex::default)
}

impl LogAdapter {
    pub(crate) fn open(path: &Path, fault: Option<Fault>, narrow: bool) -> io::Result<Self> {
        let mut open = open_stores().lock();
        let shared = if let Some(shared) = open.get(path).and_then(Weak::upgrade) {
            shared
        } else {
            let shared = Arc::new(Shared::open(path, fault)?);
            open.insert(path.to_path_buf(), Arc::downgrade(&shared));
            shared
        };
        let atomicity = match fault {
            Some(Fault::AcceptsAnyAtomicBatch) => Atomicity::Key,
            _ if narrow => Atomicity::Key,
            _ => Atomicity::Batch,
        };
        let mut capabilities = Capabilities::new(atomicity, Durability::Process);
        if narrow || matches!(fault, Some(Fault::TruncatesBatches)) {
            capabilities = capabilities.max_batch(NonZeroUsize::new(4).unwrap());
        }
        if narrow || matches!(fault, Some(Fault::CutsLongValues | Fault::QuotesValues)) {
            capabilities = capabilities.max_value_len(70_000);
        }
        let shared_subscription = Arc::new(Mutex::new(shared.hub.subscribe()));
        Ok(Self {
            shared,
            capabilities,
            own_writes: ChangeHub::new(),
            shared_subscription,
            closed: AtomicBool::new(false),
            cache: Mutex::default(),
            own_lock: tokio::sync::Mutex::default(),
        })
    }

    /// Makes a record unreadable, until the process ends.
    pub(crate) fn damage(&self, space: &Space, key: &Key) {
        let place = self.shared.place(space, key);
        self.shared.state.lock().damaged.insert(place);
        // The file does not record the damage, so the store must stay open.
        mem::forget(self.shared.clone());
    }

    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.shared.fault == Some(fault)
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        let is_closed = self.closed.load(SeqCst) || self.shared.are_all_closed();
        if is_closed && !self.is(Fault::IgnoresClose) {
            return Err(Error::new(ErrorKind::Unavailable, "the store is closed"));
        }
        Ok(())
    }
}

#[async_trait]
impl Adapter for LogAdapter {
    fn name(&self) -> &'static str {
        "log"
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().count_versions(self).change_feed(self).maintenance(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let _connection = self.shared.connection(Fault::HoldsInReads).await;
        if self.is(Fault::QueuesReads) {
            self.shared.use_connection().await;
        }
        self.read_records(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.write_batch(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let _connection = self.shared.connection(Fault::HoldsInScans).await;
        self.read_page(space, scan)
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        let _connection = self.shared.connection(Fault::HoldsInSpaces).await;
        self.check_open()?;
        let state = self.shared.current().map_err(log_error)?;
        let mut spaces: Vec<_> = if self.is(Fault::ListsEmptySpaces) {
            state.spaces.iter().cloned().collect()
        } else {
            state.records.keys().map(|place| place.0.clone()).collect()
        };
        spaces.retain(|space| !space.is_empty());
        spaces.sort();
        spaces.dedup();
        spaces.iter().map(|space| space.parse()).collect()
    }

    async fn flush(&self) -> Result<()> {
        let _connection = self.shared.connection(Fault::HoldsInFlush).await;
        self.check_open()
    }

    async fn close(&self) -> Result<()> {
        let _connection = self.shared.connection(Fault::HoldsInClose).await;
        self.closed.store(true, SeqCst);
        let mut state = self.shared.current().map_err(log_error)?;
        let unwritten = mem::take(&mut state.unwritten);
        state.append_late(&unwritten).map_err(log_error)
    }
}

#[async_trait]
impl CountVersions for LogAdapter {
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        let _connection = self.shared.connection(Fault::HoldsInCounts).await;
        let spaces = if self.is(Fault::CountsEverySpace) {
            self.spaces().await?
        } else {
            vec![space.clone()]
        };
        let everything =
            Scan { prefix: String::new(), after: None, limit: NonZeroUsize::new(1 << 20).unwrap() };
        let mut counts = VersionCounts::default();
        for space in &spaces {
            for (key, record) in self.scan(space, &everything).await?.records {
                let mut value = record.bytes.to_vec();
                if self.is(Fault::CountsBeginnings)
                    && value.starts_with(br#"{"$v":"#)
                    && let Some(end) = value.iter().position(|byte| *byte == b',')
                {
                    value.truncate(end);
                    value.push(b'}');
                }
                counts.add(key.as_str(), &value);
            }
        }
        Ok(counts)
    }
}
