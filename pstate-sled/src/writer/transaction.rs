//! Several batches, stored together.

use std::collections::BTreeMap;

use pstate_core::{
    BatchMode, Capabilities, Change, Expect, Outcome, Result, Revision, Space, Write,
};
use sled::{IVec, Tree};

use crate::error::{Phase, guarded};
use crate::layout::stored_key;
use crate::store::Store;

/// Batches that are stored together, in their order. Make it and store it under the store's
/// exclusive lock.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    store: &'a Store,
    tree: &'a Tree,
    capabilities: Capabilities,
    /// What will be stored under a key; `None` is nothing.
    pending: BTreeMap<Vec<u8>, Option<IVec>>,
    /// Whether a batch has to be stored wholly or not at all.
    atomic: bool,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(store: &'a Store, tree: &'a Tree) -> Self {
        let capabilities = store.capabilities();
        Self { store, tree, capabilities, pending: BTreeMap::new(), atomic: false }
    }

    /// Adds a batch behind the earlier ones, and returns its outcomes if all are stored. After an
    /// error it changes nothing.
    pub(crate) fn add(
        &mut self,
        space: &Space,
        mode: BatchMode,
        writes: &[Write],
    ) -> Result<Vec<Outcome>> {
        match mode {
            BatchMode::Atomic => self.add_atomically(space, writes),
            BatchMode::Each => {
                Ok(writes.iter().map(|write| self.add_alone(space, write)).collect())
            }
        }
    }

    /// Stores everything.
    pub(crate) fn store(self) -> Result<()> {
        let Self { store, tree, pending, atomic, .. } = self;
        store.preserve(tree, &pending.keys())?;
        store.change(|| {
            // A batch of sled's costs as much as two hundred single changes.
            if !atomic || pending.len() < 2 {
                return pending.into_iter().try_for_each(|(key, value)| {
                    match value {
                        Some(value) => tree.insert(key, value),
                        None => tree.remove(key),
                    }
                    .map(drop)
                });
            }
            let mut batch = sled::Batch::default();
            for (key, value) in pending {
                match value {
                    Some(value) => batch.insert(key, value),
                    None => batch.remove(key),
                }
            }
            tree.apply_batch(batch)
        })
    }

    fn add_atomically(&mut self, space: &Space, writes: &[Write]) -> Result<Vec<Outcome>> {
        let keys: Vec<_> = writes.iter().map(|write| stored_key(space, &write.key)).collect();
        let holds = writes.iter().zip(&keys).map(|(write, key)| self.holds(write, key));
        let holds = holds.collect::<Result<Vec<_>>>()?;
        if holds.iter().all(|&holds| holds) {
            self.atomic |= writes.len() > 1;
            return Ok(writes
                .iter()
                .zip(keys)
                .map(|(write, key)| self.change(write, key))
                .collect());
        }
        let outcome = |holds| if holds { Outcome::Aborted } else { Outcome::Conflict };
        Ok(holds.into_iter().map(outcome).collect())
    }

    fn add_alone(&mut self, space: &Space, write: &Write) -> Outcome {
        let key = stored_key(space, &write.key);
        let holds = write.check_len(&self.capabilities).and_then(|()| self.holds(write, &key));
        match holds {
            Ok(true) => self.change(write, key),
            Ok(false) => Outcome::Conflict,
            Err(error) => {
                Outcome::Failed(error.in_operation("write").in_space(space).at_key(&write.key))
            }
        }
    }

    /// Whether what is stored, or pending, is as `write` expects.
    fn holds(&self, write: &Write, key: &[u8]) -> Result<bool> {
        let expected = match write.expect {
            Expect::Any => return Ok(true),
            Expect::Absent => None,
            Expect::Revision(revision) => Some(revision),
        };
        let revision = |value: &IVec| Revision::of_content(value);
        if let Some(pending) = self.pending.get(key) {
            return Ok(pending.as_ref().map(revision) == expected);
        }
        let stored = guarded(&self.store.path, Phase::Read, || self.tree.get(key))?;
        Ok(stored.as_ref().map(revision) == expected)
    }

    fn change(&mut self, write: &Write, key: Vec<u8>) -> Outcome {
        match &write.change {
            Change::Put(bytes) => {
                self.pending.insert(key, Some(IVec::from(&**bytes)));
                Outcome::Stored(Revision::of_content(bytes))
            }
            Change::Delete => {
                self.pending.insert(key, None);
                Outcome::Deleted
            }
        }
    }
}
