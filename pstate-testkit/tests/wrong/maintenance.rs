//! Looking after the store, with faults.

use async_trait::async_trait;
use pstate_core::{Maintenance, Result};

use crate::adapter::LogAdapter;
use crate::fault::Fault;

#[async_trait]
impl Maintenance for LogAdapter {
    async fn verify(&self) -> Result<Vec<String>> {
        self.check_open().map(|()| Vec::new())
    }

    /// Nothing is left to do: what is deleted takes no space in memory.
    async fn compact(&self) -> Result<()> {
        self.check_open()?;
        if self.is(Fault::CompactsTooMuch) {
            self.shared.state.lock().records.pop_last();
        }
        Ok(())
    }
}
