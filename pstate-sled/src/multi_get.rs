//! Reading records by key.

use std::sync::Arc;

use pstate_core::{Key, ReadMode, Record, Result, Space};
use sled::{IVec, Tree};

use crate::layout::{KeyBuffer, record};
use crate::store::{Caller, Snapshot, Store};

/// How many keys are read under the lock at once: about 0.1 ms.
const KEYS_AT_ONCE: usize = 256;
/// How many bytes of values close a portion, likewise.
const BYTES_AT_ONCE: usize = 256 * 1024;

type Records = Vec<Option<Record>>;

pub(crate) async fn multi_get(store: &Arc<Store>, space: &Space, keys: &[Key]) -> Result<Records> {
    let short = keys.len() <= KEYS_AT_ONCE;
    let in_place = store.config.read_mode == ReadMode::InPlace && short;
    if in_place && let Some(read) = store.try_read(|tree| read_portion(tree, space, keys)) {
        let records = read?;
        if records.len() == keys.len() {
            return Ok(records);
        }
    }
    // From the beginning, because all records have to be one snapshot.
    let (space, keys) = (space.clone(), keys.to_vec());
    let read = move |store: &Store, caller: &Caller| {
        if short {
            let records = store.read(|tree| read_portion(tree, &space, &keys))?;
            if records.len() == keys.len() {
                return Ok(records);
            }
        }
        let mut read = LongRead::begin(store, &space, &keys)?;
        while read.next_portion()? {
            caller.check()?;
        }
        Ok(read.records)
    };
    store.run_blocking(read).await
}

/// Reads until a portion is full.
fn read_portion(tree: &Tree, space: &Space, keys: &[Key]) -> sled::Result<Records> {
    let mut records = Vec::with_capacity(keys.len());
    let mut buffer = KeyBuffer::new(space);
    read_into(&mut records, keys, |key| tree.get(buffer.stored(key)))?;
    Ok(records)
}

/// Reads the keys until the portion is full.
fn read_into(
    records: &mut Records,
    keys: &[Key],
    mut get: impl FnMut(&Key) -> sled::Result<Option<IVec>>,
) -> sled::Result<()> {
    let mut bytes = 0_usize;
    for key in keys.iter().take(KEYS_AT_ONCE) {
        let found = get(key)?;
        bytes += found.as_ref().map_or(0, |value| value.len());
        records.push(found.as_ref().map(record));
        if bytes >= BYTES_AT_ONCE {
            break;
        }
    }
    Ok(())
}

/// A read in several portions. Writers have their turn between two of them; a lock held throughout
/// would make them wait, and all other reads behind them.
struct LongRead<'a> {
    store: &'a Store,
    keys: &'a [Key],
    buffer: KeyBuffer,
    snapshot: Arc<Snapshot>,
    records: Records,
}

impl<'a> LongRead<'a> {
    fn begin(store: &'a Store, space: &Space, keys: &'a [Key]) -> Result<Self> {
        let mut buffer = KeyBuffer::new(space);
        let wanted = keys.iter().map(|key| buffer.stored(key).to_vec()).collect();
        let snapshot = store.snapshot(wanted)?;
        Ok(Self { store, keys, buffer, snapshot, records: Vec::with_capacity(keys.len()) })
    }

    /// Reads on. `false` when all keys are read.
    fn next_portion(&mut self) -> Result<bool> {
        let Self { store, keys, buffer, snapshot, records } = self;
        let rest = &keys[records.len()..];
        store
            .read(|tree| read_into(records, rest, |key| snapshot.get(tree, buffer.stored(key))))?;
        Ok(self.records.len() < self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::config::SledConfig;
    use crate::layout::stored_key;

    fn keys(count: usize) -> Vec<Key> {
        (0..count).map(|n| Key::new("card", &n.to_string()).expect("a key")).collect()
    }

    fn open(directory: &TempDir) -> Store {
        Store::open(&directory.path().join("app"), SledConfig::default()).expect("a store")
    }

    /// Writes as a transaction does. `None` if a read holds the lock.
    fn try_write(store: &Store, keys: &[Key], value: Option<&str>) -> Option<Result<()>> {
        let stored: Vec<_> = keys.iter().map(|key| stored_key(&Space::default(), key)).collect();
        store.try_write(|tree| {
            store.preserve(tree, &stored.iter())?;
            for key in &stored {
                let done = match value {
                    Some(value) => tree.insert(key, value),
                    None => tree.remove(key),
                };
                done.expect("written");
            }
            Ok(())
        })
    }

    fn values(records: &[Option<Record>]) -> Vec<Option<&[u8]>> {
        records.iter().map(|record| record.as_ref().map(|record| &*record.bytes)).collect()
    }

    #[test]
    fn a_long_read_lets_writers_in_and_is_one_snapshot() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = open(&directory);
        let (space, keys) = (Space::default(), keys(3 * KEYS_AT_ONCE));
        let (stored, absent) = keys.split_at(2 * KEYS_AT_ONCE);
        try_write(&store, stored, Some("old")).expect("no lock").expect("stored");
        let mut read = LongRead::begin(&store, &space, &keys).expect("a read");
        let mut more = true;
        while more {
            for value in [Some("new"), Some("newer"), None] {
                let written = try_write(&store, &keys, value);
                written.expect("a long read makes writers wait").expect("stored");
            }
            more = read.next_portion().expect("a portion");
        }
        let expected = stored.iter().map(|_| Some(b"old".as_slice()));
        let expected: Vec<_> = expected.chain(absent.iter().map(|_| None)).collect();
        assert_eq!(values(&read.records), expected);
    }

    #[test]
    fn a_portion_is_bounded_in_keys_and_in_bytes() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = open(&directory);
        let (space, keys) = (Space::default(), keys(4));
        let value = "x".repeat(BYTES_AT_ONCE / 2);
        try_write(&store, &keys, Some(&value)).expect("no lock").expect("stored");
        let mut read = LongRead::begin(&store, &space, &keys).expect("a read");
        assert!(read.next_portion().expect("a portion"));
        assert_eq!(read.records.len(), 2);
    }
}
