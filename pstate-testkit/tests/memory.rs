//! The memory adapter keeps the contract.

use std::sync::Arc;

use async_trait::async_trait;
use pstate_core::{Adapter, MemoryAdapter, Result};
use pstate_testkit::conformance::Harness;

struct Memory;

#[async_trait]
impl Harness for Memory {
    /// Memory does not outlive its adapter, so ids need not be distinguished.
    async fn open(&self, _id: &str) -> Result<Arc<dyn Adapter>> {
        Ok(Arc::new(MemoryAdapter::new()))
    }

    async fn remove(&self, _id: &str) -> Result<()> {
        Ok(())
    }
}

pstate_testkit::conformance!(Memory);
