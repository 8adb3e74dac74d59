//! Reading records by key.

use std::sync::Arc;

use pstate_core::{Key, ReadMode, Record, Result, Space};
use sled::Tree;

use crate::layout::{KeyBuffer, record};
use crate::store::Store;

/// How many keys are read in place: about 0.1 ms.
const KEYS_IN_PLACE: usize = 256;
/// How many bytes of values are read in place, likewise.
const BYTES_IN_PLACE: usize = 256 * 1024;

type Records = Vec<Option<Record>>;

pub(crate) async fn multi_get(store: &Arc<Store>, space: &Space, keys: &[Key]) -> Result<Records> {
    let in_place = store.config.read_mode == ReadMode::InPlace && keys.len() <= KEYS_IN_PLACE;
    if in_place && let Some(read) = store.try_read(|tree| read(tree, space, keys, BYTES_IN_PLACE)) {
        let records = read?;
        if records.len() == keys.len() {
            return Ok(records);
        }
    }
    // From the beginning, because all records have to be one snapshot.
    let (space, keys) = (space.clone(), keys.to_vec());
    let read = move |tree: &Tree| read(tree, &space, &keys, usize::MAX);
    store.run_blocking(move |store| store.read(read)).await
}

/// Stops early after `max_bytes`.
fn read(tree: &Tree, space: &Space, keys: &[Key], max_bytes: usize) -> sled::Result<Records> {
    let mut records = Vec::with_capacity(keys.len());
    let mut buffer = KeyBuffer::new(space);
    let mut bytes = 0_usize;
    for key in keys {
        let found = tree.get(buffer.stored(key))?;
        bytes += found.as_ref().map_or(0, |value| value.len());
        records.push(found.as_ref().map(record));
        if bytes >= max_bytes {
            break;
        }
    }
    Ok(records)
}
