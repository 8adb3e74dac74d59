//! The stores that every test runs on, and the schema most of them use.

use std::path::PathBuf;
use std::sync::Arc;

use pstate::sqlite::SqliteAdapter;
use pstate::{Adapter, Builder, MemoryAdapter, PState, Staleness};
use pstate_testkit::workload::{self, Deck};
use pstate_testkit::{CountingLayer, FaultLayer};
use tempfile::TempDir;

/// A store that is empty at first, and gone when it is dropped.
pub(crate) struct Store {
    adapter: Arc<dyn Adapter>,
    dir: Option<TempDir>,
}

impl Store {
    pub(crate) fn memory() -> Self {
        Self { adapter: Arc::new(MemoryAdapter::new()), dir: None }
    }

    pub(crate) fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let adapter = SqliteAdapter::open(dir.path().join("app.db")).unwrap();
        Self { adapter: Arc::new(adapter), dir: Some(dir) }
    }

    /// All are on one server, which ends with this process, and each has a prefix of its own.
    #[cfg(feature = "redis")]
    pub(crate) async fn redis() -> Self {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

        static SERVER: OnceLock<pstate_testkit::redis::Server> = OnceLock::new();
        static STORES: AtomicUsize = AtomicUsize::new(0);
        let port = SERVER.get_or_init(pstate_testkit::redis::Server::start).port();
        let prefix = format!("store-{}", STORES.fetch_add(1, Relaxed));
        let config = pstate::redis::RedisConfig::default().host("127.0.0.1", port).prefix(prefix);
        let adapter = pstate::redis::RedisAdapter::connect_with(config).await.unwrap();
        Self { adapter: Arc::new(adapter), dir: None }
    }

    #[cfg(feature = "sled")]
    pub(crate) fn sled() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let adapter = pstate::sled::SledAdapter::open(dir.path().join("app")).unwrap();
        Self { adapter: Arc::new(adapter), dir: Some(dir) }
    }

    pub(crate) fn adapter(&self) -> Arc<dyn Adapter> {
        self.adapter.clone()
    }

    /// The SQLite file, if it is one.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let path = self.dir.as_ref()?.path().join("app.db");
        path.exists().then_some(path)
    }

    /// A handle without a schema and with a cache of its own, without another writer: what
    /// it has cached stays, however long the test takes.
    pub(crate) fn plain(&self) -> PState {
        self.builder().staleness(Staleness::Unbounded).build().unwrap()
    }

    /// The same with the schema of the workload.
    pub(crate) fn with_schema(&self) -> PState {
        let builder = self.builder().staleness(Staleness::Unbounded);
        builder.schema(workload::schema().unwrap()).build().unwrap()
    }

    pub(crate) fn builder(&self) -> Builder {
        PState::builder(self.adapter())
    }

    /// A layer that counts what is asked of this store.
    pub(crate) fn counting(&self) -> Arc<CountingLayer> {
        Arc::new(CountingLayer::new(self.adapter()))
    }

    /// A layer that makes calls of this store fail or wait.
    pub(crate) fn faults(&self) -> Arc<FaultLayer> {
        Arc::new(FaultLayer::new(self.adapter()))
    }
}

/// A deck of so many cards with three translations each.
pub(crate) fn deck_of(cards: usize) -> Deck {
    Deck { id: "spanish", cards, translations: 3 }
}

/// Runs each test on every store.
macro_rules! on_each_store {
    ($($(#[$attribute:meta])* async fn $name:ident($store:ident: Store) $body:block)*) => {
        $($(#[$attribute])* async fn $name($store: crate::stores::Store) $body)*

        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::stores::Store::memory()).await;
            })*
        }

        #[cfg(feature = "redis")]
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::stores::Store::redis().await).await;
            })*
        }

        #[cfg(feature = "sled")]
        mod sled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::stores::Store::sled()).await;
            })*
        }

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::stores::Store::sqlite()).await;
            })*
        }
    };
}
pub(crate) use on_each_store;
