//! The stores that are measured.
//!
//! Each is chosen by a feature of this package, has its file in `backend/`, and beside it, in `by_hand/`,
//! the same work done with its own crate.

mod memory;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;
use pstate::Adapter;

use crate::Result;
use crate::by_hand::ByHand;

pub use memory::Memory;
#[cfg(feature = "redis")]
pub use redis::Redis;
#[cfg(feature = "sled")]
pub use sled::Sled;
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;

/// A new store, which ends with this value.
pub trait Backend: fmt::Debug + Send + Sync + Sized + 'static {
    /// What does the same work without PState.
    type ByHand: ByHand;

    /// Whether [`by_hand`](Self::by_hand) reads and writes what PState has stored. If not, it has a
    /// store of its own, of the same kind, and has to be given the same documents.
    const IS_SHARED: bool;

    /// An empty store.
    ///
    /// # Errors
    /// What the store reports.
    fn create() -> impl Future<Output = Result<Self>> + Send;

    /// Opens it again, after what PState was built on was closed; `false` if it is empty then, because
    /// nothing is kept.
    ///
    /// # Errors
    /// What the store reports.
    fn reopen(&mut self) -> impl Future<Output = Result<bool>> + Send;

    /// What PState is built on.
    fn adapter(&self) -> Arc<dyn Adapter>;

    /// The other side.
    ///
    /// # Errors
    /// What the store reports.
    fn by_hand(&self) -> impl Future<Output = Result<Self::ByHand>> + Send;

    /// The bytes that what PState has stored takes outside of this process; `None` if it lies in it.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn stored_bytes(&self) -> impl Future<Output = Result<Option<u64>>> + Send;

    /// Which version of the store's own software this is.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn version(&self) -> impl Future<Output = Result<String>> + Send;
}

/// The backends that are compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// A file.
    #[cfg(feature = "sqlite")]
    Sqlite,
    /// A server.
    #[cfg(feature = "redis")]
    Redis,
    /// A directory.
    #[cfg(feature = "sled")]
    Sled,
    /// An ordered map in this process.
    Memory,
}

/// Something to do on a backend.
pub trait OnBackend {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<B: Backend>(self, name: BackendName) -> Self::Output;
}

impl BackendName {
    /// All that are compiled in.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Its name in reports: what [`Adapter::name`] says.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => "sqlite",
            #[cfg(feature = "redis")]
            Self::Redis => "redis",
            #[cfg(feature = "sled")]
            Self::Sled => "sled",
            Self::Memory => "memory",
        }
    }

    /// Does something on it.
    pub fn run<W: OnBackend>(self, work: W) -> W::Output {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => work.run::<Sqlite>(self),
            #[cfg(feature = "redis")]
            Self::Redis => work.run::<Redis>(self),
            #[cfg(feature = "sled")]
            Self::Sled => work.run::<Sled>(self),
            Self::Memory => work.run::<Memory>(self),
        }
    }
}
