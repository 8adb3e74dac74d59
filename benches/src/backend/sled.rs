//! A sled database in a temporary directory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use pstate::Adapter;
use pstate::sled::{SledAdapter, SledConfig};
use tempfile::TempDir;

use crate::Result;
use crate::baseline;

use super::contract::Backend;

/// How much each database keeps in memory.
pub(crate) const CACHE_BYTES: u64 = 128 << 20;

/// Two databases, since sled opens a database only once. Each write flushes in both.
#[derive(Debug)]
pub struct Sled {
    adapter: Arc<SledAdapter>,
    directory: TempDir,
}

impl Sled {
    fn open(path: &Path) -> Result<Arc<SledAdapter>> {
        let config = SledConfig::default().cache_capacity(CACHE_BYTES);
        Ok(Arc::new(SledAdapter::open_with(path, config)?))
    }
}

impl Backend for Sled {
    type Baseline = baseline::Sled;

    async fn create() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let adapter = Self::open(&directory.path().join("pstate"))?;
        Ok(Self { adapter, directory })
    }

    async fn reopen(&mut self) -> Result<bool> {
        self.adapter = Self::open(self.adapter.path())?;
        Ok(true)
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        self.adapter.clone()
    }

    async fn baseline(&self) -> Result<baseline::Sled> {
        baseline::Sled::open(&self.directory.path().join("by-hand"), CACHE_BYTES)
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        self.adapter.flush().await?;
        Ok(Some(bytes_within(self.adapter.path())?))
    }

    async fn version(&self) -> Result<String> {
        Ok("sled 0.34".to_owned())
    }
}

fn bytes_within(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { bytes_within(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
