//! Reading records by key.

use std::sync::Arc;

use pstate_core::{Error, ErrorKind, Key, ReadMode, Record, Result, Space};
use rusqlite::{Connection, Result as SqlResult};

use crate::error::{Phase, is_busy};
use crate::layout::{Table, record};
use crate::store::Readers;

/// How many keys are read in place: 0.3 to 0.5 ms.
const KEYS_IN_PLACE: usize = 320;
/// How many bytes of values are read in place, likewise.
const BYTES_IN_PLACE: usize = 256 * 1024;

type Records = Vec<Option<Record>>;

pub(crate) async fn multi_get(
    readers: &Arc<Readers>,
    space: &Space,
    keys: &[Key],
) -> Result<Records> {
    readers.check_open()?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(records) = in_place(readers, space, keys)? {
        return Ok(records);
    }
    // From the beginning, because all records have to be one snapshot.
    let (space, keys) = (space.clone(), keys.to_vec());
    readers
        .run_job(move |reader| {
            let mut records = Vec::with_capacity(keys.len());
            reader
                .run_patiently(|connection, table| {
                    read(connection, table, &space, &keys, &mut records, usize::MAX)
                })
                .map_err(|error| at_unread_key(error, &keys, &records))?;
            Ok(records)
        })
        .await
}

/// Reads now, if that is allowed, quick, and possible without waiting.
fn in_place(readers: &Arc<Readers>, space: &Space, keys: &[Key]) -> Result<Option<Records>> {
    let store = readers.store();
    if store.config.read_mode != ReadMode::InPlace || keys.len() > KEYS_IN_PLACE {
        return Ok(None);
    }
    let Some(mut reader) = readers.try_take() else {
        return Ok(None);
    };
    let mut records = Vec::with_capacity(keys.len());
    let done = reader.run(|connection, table| {
        read(connection, table, space, keys, &mut records, BYTES_IN_PLACE)
    });
    match done {
        Ok(()) => Ok((records.len() == keys.len()).then_some(records)),
        // Waiting for a lock would block the executor's thread.
        Err(error) if is_busy(&error) => Ok(None),
        Err(error) => Err(at_unread_key(store.error(error, Phase::Uncommitted), keys, &records)),
    }
}

/// The first key without a record is the one that could not be read.
fn at_unread_key(error: Error, keys: &[Key], records: &Records) -> Error {
    match keys.get(records.len()) {
        Some(key) if error.kind() == ErrorKind::Corrupt => error.at_key(key),
        _ => error,
    }
}

/// Reads the keys in one snapshot. Stops early after `max_bytes`.
fn read(
    connection: &Connection,
    table: &Table,
    space: &Space,
    keys: &[Key],
    records: &mut Records,
    max_bytes: usize,
) -> SqlResult<()> {
    // One statement is a snapshot by itself.
    if keys.len() == 1 {
        return look_up(connection, table, space, keys, records, max_bytes);
    }
    begin(connection)?;
    look_up(connection, table, space, keys, records, max_bytes)?;
    end(connection)
}

/// Looks each key up with the same statement: faster than any single statement for all keys, and
/// without a limit on their number. Stops early after `max_bytes`.
fn look_up(
    connection: &Connection,
    table: &Table,
    space: &Space,
    keys: &[Key],
    records: &mut Records,
    max_bytes: usize,
) -> SqlResult<()> {
    let mut bytes = 0_usize;
    let mut statement = connection.prepare_cached(&table.get)?;
    statement.raw_bind_parameter(1, space.as_str())?;
    for key in keys {
        statement.raw_bind_parameter(2, key.as_str())?;
        let mut rows = statement.raw_query();
        let found = match rows.next()? {
            Some(row) => Some(record(row.get_ref(0)?)),
            None => None,
        };
        bytes += found.as_ref().map_or(0, |record| record.bytes.len());
        records.push(found);
        if bytes >= max_bytes {
            break;
        }
    }
    Ok(())
}

/// Begins a snapshot, which the next read takes.
fn begin(connection: &Connection) -> SqlResult<()> {
    connection.prepare_cached("BEGIN DEFERRED")?.execute([]).map(drop)
}

fn end(connection: &Connection) -> SqlResult<()> {
    connection.prepare_cached("COMMIT")?.execute([]).map(drop)
}
