//! The adapter that keeps everything in memory: the reference for all others, and what tests use.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use async_trait::async_trait;
use parking_lot::RwLock;

use super::adapter::Adapter;
use super::capabilities::{Atomicity, Capabilities, Durability};
use super::change_feed::{ChangeFeed, ChangeHub, ChangeSubscription};
use super::extensions::{CountVersions, Extensions};
use super::page::{Page, Scan};
use crate::model::{
    Batch, BatchMode, Change, Error, ErrorKind, Expect, Key, Outcome, Record, Result, Revision,
    Space, VersionCounts, Write,
};

/// Storage in an ordered map in memory. It ends with the adapter.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> pstate_core::Result<()> {
/// use pstate_core::{Adapter, Batch, MemoryAdapter, Space, Write};
///
/// let adapter = MemoryAdapter::new();
/// let (space, key) = (Space::default(), "card:1".parse()?);
/// adapter.write(&space, &Batch::atomic(vec![Write::put(key, *b"{}")])).await?;
/// assert!(adapter.multi_get(&space, &["card:1".parse()?]).await?[0].is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct MemoryAdapter {
    state: RwLock<State>,
    changes: ChangeHub,
}

#[derive(Default)]
struct State {
    spaces: BTreeMap<Space, BTreeMap<ByText, Record>>,
    /// How many records were ever stored: the next one's revision.
    stored: u128,
    closed: bool,
}

/// A key that can be searched for by the beginning of its text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ByText(Key);

impl Borrow<str> for ByText {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

impl MemoryAdapter {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl State {
    fn check_open(&self, operation: &'static str) -> Result<()> {
        if self.closed {
            return Err(Error::new(ErrorKind::Unavailable, "the memory adapter is closed")
                .in_operation(operation));
        }
        Ok(())
    }

    fn expectation_holds(&self, space: &Space, write: &Write) -> bool {
        let stored = self.spaces.get(space).and_then(|records| records.get(write.key.as_str()));
        match write.expect {
            Expect::Any => true,
            Expect::Absent => stored.is_none(),
            Expect::Revision(revision) => stored.is_some_and(|record| record.revision == revision),
        }
    }

    fn apply(&mut self, space: &Space, write: &Write) -> Outcome {
        match &write.change {
            Change::Put(bytes) => {
                let revision = Revision::from_number(self.stored);
                self.stored += 1;
                self.spaces
                    .entry(space.clone())
                    .or_default()
                    .insert(ByText(write.key.clone()), Record { bytes: bytes.clone(), revision });
                Outcome::Stored(revision)
            }
            Change::Delete => {
                if let Some(records) = self.spaces.get_mut(space) {
                    records.remove(write.key.as_str());
                    if records.is_empty() {
                        self.spaces.remove(space);
                    }
                }
                Outcome::Deleted
            }
        }
    }
}

#[async_trait]
impl Adapter for MemoryAdapter {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        // Gathering reads takes longer than a look-up.
        Capabilities::new(Atomicity::Batch, Durability::None).batch_reads(false)
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().count_versions(self).change_feed(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let state = self.state.read();
        state.check_open("multi_get")?;
        let Some(records) = state.spaces.get(space) else { return Ok(vec![None; keys.len()]) };
        Ok(keys.iter().map(|key| records.get(key.as_str()).cloned()).collect())
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        batch.check(&self.capabilities()).map_err(|error| error.in_operation("write"))?;
        let mut state = self.state.write();
        state.check_open("write")?;
        if batch.mode == BatchMode::Atomic {
            let holds: Vec<bool> =
                batch.writes.iter().map(|write| state.expectation_holds(space, write)).collect();
            if holds.contains(&false) {
                return Ok(holds
                    .into_iter()
                    .map(|holds| if holds { Outcome::Aborted } else { Outcome::Conflict })
                    .collect());
            }
        }
        let outcomes: Vec<Outcome> = batch
            .writes
            .iter()
            .map(|write| {
                if state.expectation_holds(space, write) {
                    state.apply(space, write)
                } else {
                    Outcome::Conflict
                }
            })
            .collect();
        // Before the next write gets a turn, so that changes are published in their order. A reader
        // that learns of this one waits for the lock.
        self.changes.publish(space, &batch.writes, &outcomes);
        drop(state);
        Ok(outcomes)
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        let state = self.state.read();
        state.check_open("scan")?;
        let Some(records) = state.spaces.get(space) else { return Ok(Page::default()) };
        let prefix = scan.prefix.as_str();
        let from = match &scan.after {
            Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(prefix),
        };
        let mut matching = records
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.0.as_str().starts_with(prefix));
        let records: Vec<_> = matching
            .by_ref()
            .take(scan.limit.get())
            .map(|(key, record)| (key.0.clone(), record.clone()))
            .collect();
        let next = matching.next().and_then(|_| records.last().map(|(key, _)| key.clone()));
        Ok(Page { records, unreadable: Vec::new(), next })
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        let state = self.state.read();
        state.check_open("spaces")?;
        Ok(state.spaces.keys().cloned().collect())
    }

    async fn flush(&self) -> Result<()> {
        self.state.read().check_open("flush")
    }

    async fn close(&self) -> Result<()> {
        self.state.write().closed = true;
        Ok(())
    }
}

#[async_trait]
impl ChangeFeed for MemoryAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        self.state.read().check_open("subscribe")?;
        Ok(Box::new(self.changes.subscribe()))
    }
}

#[async_trait]
impl CountVersions for MemoryAdapter {
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        let state = self.state.read();
        state.check_open("count_versions")?;
        let mut counts = VersionCounts::default();
        for (key, record) in state.spaces.get(space).into_iter().flatten() {
            counts.add(key.0.as_str(), &record.bytes);
        }
        Ok(counts)
    }
}

impl fmt::Debug for MemoryAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.read();
        f.debug_struct("MemoryAdapter")
            .field("records", &state.spaces.values().map(BTreeMap::len).sum::<usize>())
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::storage::{ChangedRecord, ChangedTo, Changes};

    #[test]
    fn changes_are_told_in_the_order_in_which_they_were_made() {
        let adapter = MemoryAdapter::new();
        let mut subscription = adapter.changes.subscribe();
        let write = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let put = Write::put(Key::new("card", "1").unwrap(), *b"{}");
            let (space, batch) = (Space::default(), Batch::each(vec![put]));
            for _ in 0..10_000 {
                runtime.block_on(adapter.write(&space, &batch)).unwrap();
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(write);
            }
        });
        let Changes::Records(told) = subscription.take() else { panic!("not so many") };
        assert_eq!(told.len(), 40_000);
        let revision = |changed: &ChangedRecord| match changed.now {
            ChangedTo::Revision(revision) => Some(revision.as_number()),
            _ => None,
        };
        assert!(told.is_sorted_by_key(revision));
    }
}
