//! An SQLite file in a temporary directory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use pstate::Adapter;
use pstate::sqlite::{SqliteAdapter, SqliteConfig, Synchronous};
use tempfile::TempDir;

use crate::Result;
use crate::baseline;

use super::contract::Backend;

/// The page cache of each connection, PState's and the baseline's.
pub(crate) const PAGE_CACHE_BYTES: u64 = 16 << 20;

/// A file for PState and one for the baseline, with `synchronous=FULL`.
#[derive(Debug)]
pub struct Sqlite {
    adapter: Arc<SqliteAdapter>,
    directory: TempDir,
}

impl Sqlite {
    fn path(&self) -> &Path {
        self.adapter.path()
    }

    fn open(path: &Path) -> Result<Arc<SqliteAdapter>> {
        let config =
            SqliteConfig::default().synchronous(Synchronous::Full).cache_size(PAGE_CACHE_BYTES);
        Ok(Arc::new(SqliteAdapter::open_with(path, config)?))
    }
}

impl Backend for Sqlite {
    type Baseline = baseline::Sqlite;

    async fn create() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let adapter = Self::open(&directory.path().join("bench.db"))?;
        Ok(Self { adapter, directory })
    }

    async fn reopen(&mut self) -> Result<bool> {
        self.adapter = Self::open(self.path())?;
        Ok(true)
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        self.adapter.clone()
    }

    async fn baseline(&self) -> Result<baseline::Sqlite> {
        baseline::Sqlite::create(&self.directory.path().join("by-hand.db"), PAGE_CACHE_BYTES)
    }

    async fn settle(&self) -> Result<()> {
        Ok(self.adapter.checkpoint().await?)
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        self.adapter.checkpoint().await?;
        Ok(Some(fs::metadata(self.path())?.len()))
    }

    async fn version(&self) -> Result<String> {
        Ok(format!("SQLite {}", rusqlite::version()))
    }
}
