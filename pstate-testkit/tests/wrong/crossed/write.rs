//! Writes of a handle that is wrong.

use std::collections::HashSet;
use std::time::Duration;

use pstate_core::{
    Adapter, Batch, BatchMode, Error, ErrorKind, Expect, Key, Outcome, Result, Space, Write,
};

use super::CrossedAdapter;
use crate::crossing::Deed;

impl CrossedAdapter {
    pub(super) async fn write_wrong(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let each = |writes: &[Write]| Batch::each(writes.to_vec());
        let has_expectations = batch.writes.iter().any(|write| write.expect != Expect::Any);
        match self.crossed.deed {
            Deed::Loses => Ok(self.pretended(batch)),
            Deed::LosesTheLast => {
                let mut kept = batch.clone();
                let last = kept.writes.pop();
                let mut outcomes = self.write_right(space, &kept).await?;
                outcomes.extend(self.pretended(&each(last.as_slice())));
                Ok(outcomes)
            }
            Deed::Delays | Deed::DelaysForEver if !has_expectations => {
                self.delayed.lock().push((space.clone(), batch.clone()));
                Ok(self.pretended(batch))
            }
            Deed::IgnoresExpectations => {
                let mut careless = batch.clone();
                careless.writes.iter_mut().for_each(|write| write.expect = Expect::Any);
                self.write_right(space, &careless).await
            }
            Deed::ComparesFirst(of) => {
                let _guard = self.memory(of).lock.lock().await;
                let keys: Vec<Key> = batch.writes.iter().map(|write| write.key.clone()).collect();
                let stored = self.inner.multi_get(space, &keys).await?;
                let holds =
                    batch.writes.iter().zip(&stored).all(|(write, stored)| match write.expect {
                        Expect::Any => true,
                        Expect::Absent => stored.is_none(),
                        Expect::Revision(expected) => stored
                            .as_ref()
                            .is_some_and(|stored| self.revision(&stored.bytes) == expected),
                    });
                if !holds || !has_expectations {
                    return self.write_right(space, batch).await;
                }
                // The fault: what a race slips into.
                tokio::time::sleep(Duration::from_millis(1)).await;
                let mut careless = batch.clone();
                careless.writes.iter_mut().for_each(|write| write.expect = Expect::Any);
                self.write_right(space, &careless).await
            }
            Deed::Tears if batch.mode == BatchMode::Atomic => {
                let outcomes = self.write_right(space, batch).await?;
                let conflict =
                    outcomes.iter().position(|outcome| matches!(outcome, Outcome::Conflict));
                if let Some(n) = conflict {
                    // A conflict at the first leaves nothing before it: then what is after it.
                    let done = if n == 0 { &batch.writes[1..] } else { &batch.writes[..n] };
                    self.write_right(space, &each(done)).await?;
                }
                Ok(outcomes)
            }
            Deed::Splits(count) => {
                let mut outcomes = Vec::new();
                for writes in batch.writes.chunks(count) {
                    outcomes.extend(self.write_right(space, &each(writes)).await?);
                    // The fault: a kill or a drop meets the batch between two pieces.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok(outcomes)
            }
            Deed::ReversesOutcomes => {
                let mut outcomes = self.write_right(space, batch).await?;
                outcomes.reverse();
                Ok(outcomes)
            }
            Deed::AcceptsKeysTwice => {
                let mut seen = HashSet::new();
                let mut kept = batch.clone();
                kept.writes.retain(|write| seen.insert(write.key.clone()));
                let mut outcomes = self.write_right(space, &kept).await?;
                let left = &batch.writes[outcomes.len()..];
                outcomes.extend(self.pretended(&each(left)));
                Ok(outcomes)
            }
            Deed::RefusesAll => {
                let outcomes = self.write_right(space, batch).await?;
                if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_))) {
                    return Err(Error::new(ErrorKind::InvalidInput, "a value is too long"));
                }
                Ok(outcomes)
            }
            _ => self.write_right(space, batch).await,
        }
    }
}
