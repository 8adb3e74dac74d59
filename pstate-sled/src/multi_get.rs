//! Reading records by key.

use std::sync::Arc;

use pstate_core::{Key, Record, Result, Revision, Space};
use sled::{IVec, Tree};

use crate::config::ReadMode;
use crate::database::Database;
use crate::stored_key::KeyBuffer;

/// How many keys are read in place: about 0.1 ms.
const PORTION: usize = 256;
/// How many bytes of values are read in place, likewise.
const PORTION_BYTES: usize = 256 * 1024;

type Records = Vec<Option<Record>>;

pub(crate) async fn multi_get(
    database: &Arc<Database>,
    space: &Space,
    keys: &[Key],
) -> Result<Records> {
    let in_place = database.config.read_mode == ReadMode::InPlace && keys.len() <= PORTION;
    if in_place && let Some(read) = database.try_read(|tree| read(tree, space, keys, PORTION_BYTES))
    {
        let records = read?;
        if records.len() == keys.len() {
            return Ok(records);
        }
    }
    // From the beginning, since what was read must be one snapshot.
    let (space, keys) = (space.clone(), keys.to_vec());
    let read = move |tree: &Tree| read(tree, &space, &keys, usize::MAX);
    database.run_blocking(move |database| database.read(read)).await
}

/// Stops early after `most_bytes`.
fn read(tree: &Tree, space: &Space, keys: &[Key], most_bytes: usize) -> sled::Result<Records> {
    let mut records = Vec::with_capacity(keys.len());
    let mut buffer = KeyBuffer::new(space);
    let mut bytes = 0_usize;
    for key in keys {
        let found = tree.get(buffer.stored(key))?;
        bytes += found.as_ref().map_or(0, |value| value.len());
        records.push(found.as_ref().map(record));
        if bytes >= most_bytes {
            break;
        }
    }
    Ok(records)
}

pub(crate) fn record(value: &IVec) -> Record {
    Record { bytes: Arc::from(&**value), revision: Revision::of_content(value) }
}
