//! An ordered map in this process.

use std::sync::Arc;

use pstate::{Adapter, MemoryAdapter};

use crate::Result;
use crate::baseline;

use super::contract::Backend;

/// PState's own store in memory; the baseline is a `BTreeMap` of structs behind a lock.
#[derive(Debug)]
pub struct Memory {
    adapter: Arc<MemoryAdapter>,
}

impl Backend for Memory {
    type Baseline = baseline::Memory;

    async fn create() -> Result<Self> {
        Ok(Self { adapter: Arc::new(MemoryAdapter::new()) })
    }

    async fn reopen(&mut self) -> Result<bool> {
        *self = Self::create().await?;
        Ok(false)
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        self.adapter.clone()
    }

    async fn baseline(&self) -> Result<baseline::Memory> {
        Ok(baseline::Memory::default())
    }

    async fn stored_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn version(&self) -> Result<String> {
        Ok("std BTreeMap".to_owned())
    }
}
