//! Long reads of several keys, which release the lock between portions and still see one state.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sled::{IVec, Tree};

/// What is stored, as it was when the read began.
///
/// While it exists, a writer keeps the old values of what it overwrites, as far as the read asks
/// for them. So the read needs no lock for longer than a portion, and takes at most the memory of
/// its result twice.
#[derive(Debug)]
pub(crate) struct Snapshot {
    wanted: HashSet<Vec<u8>>,
    overwritten: Mutex<HashMap<Vec<u8>, Option<IVec>>>,
}

impl Snapshot {
    /// Reads a key that was asked for when the read began. Call it under the store's lock.
    pub(crate) fn get(&self, tree: &Tree, stored: &[u8]) -> sled::Result<Option<IVec>> {
        if let Some(old) = self.overwritten.lock().get(stored) {
            return Ok(old.clone());
        }
        tree.get(stored)
    }
}

/// The long reads under way.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    open: Mutex<Vec<Weak<Snapshot>>>,
}

impl Snapshots {
    /// Begins a read of these keys. Call it under the store's lock.
    pub(super) fn begin(&self, wanted: HashSet<Vec<u8>>) -> Arc<Snapshot> {
        let snapshot = Arc::new(Snapshot { wanted, overwritten: Mutex::default() });
        self.open.lock().push(Arc::downgrade(&snapshot));
        snapshot
    }

    /// Keeps what is stored under these keys for the reads under way. Call it under the store's
    /// exclusive lock, before the keys are overwritten.
    pub(super) fn preserve<'a>(
        &self,
        tree: &Tree,
        keys: &(impl Iterator<Item = &'a Vec<u8>> + Clone),
    ) -> sled::Result<()> {
        let mut open = self.open.lock();
        open.retain(|snapshot| snapshot.strong_count() > 0);
        for snapshot in open.iter().filter_map(Weak::upgrade) {
            let mut overwritten = snapshot.overwritten.lock();
            for key in keys.clone().filter(|key| snapshot.wanted.contains(*key)) {
                if !overwritten.contains_key(key) {
                    overwritten.insert(key.clone(), tree.get(key)?);
                }
            }
        }
        Ok(())
    }
}
