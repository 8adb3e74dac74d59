//! Choosing a backend by its name.

use clap::ValueEnum;

use super::contract::Backend;
use super::memory::Memory;
#[cfg(feature = "redis")]
use super::redis::Redis;
#[cfg(feature = "sled")]
use super::sled::Sled;
#[cfg(feature = "sqlite")]
use super::sqlite::Sqlite;

/// The backends that this program was built with.
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
    /// What it returns.
    type Output;

    /// Does it.
    fn run<B: Backend>(self, name: BackendName) -> Self::Output;
}

impl BackendName {
    /// All backends that this program was built with.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The name in reports: [`Adapter::name`](pstate::Adapter::name).
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

    /// Whether its baseline can find documents by an index of parents.
    pub fn has_index(self) -> bool {
        self.name() == "sqlite"
    }

    /// Does something on this backend.
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
