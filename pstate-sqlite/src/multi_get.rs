//! Reading records by key.

use std::sync::Arc;

use pstate_core::{ErrorKind, Key, ReadMode, Record, Result, Space};
use rusqlite::{Connection, Result as SqlResult};
use tokio::task::yield_now;

use crate::error::{Phase, is_busy};
use crate::layout::{Table, record};
use crate::store::{Reader, Readers};

/// How many keys are read before the task yields: about 0.1 ms.
const KEYS_PER_YIELD: usize = 64;
/// How many bytes of values are read before the task yields, likewise.
const BYTES_PER_YIELD: usize = 256 * 1024;

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
    if readers.store().config.read_mode == ReadMode::InPlace {
        let mut records = Vec::with_capacity(keys.len());
        match in_place(readers.take().await?, space, keys, &mut records).await {
            Ok(()) => return Ok(records),
            // Waiting for a lock would block the executor's thread.
            Err(error) if is_busy(&error) => {}
            Err(error) => {
                let error = readers.store().error(error, Phase::Uncommitted);
                // The first key without a record is the one that could not be read.
                return Err(match keys.get(records.len()) {
                    Some(key) if error.kind() == ErrorKind::Corrupt => error.at_key(key),
                    _ => error,
                });
            }
        }
    }
    let (space, keys) = (space.clone(), keys.to_vec());
    readers.run_blocking(move |connection, table| at_once(connection, table, &space, &keys)).await
}

/// Borrows the connection for each portion, because no borrow may live across the yield. If the
/// future is dropped there, dropping the reader ends the transaction.
async fn in_place(
    mut reader: Reader,
    space: &Space,
    keys: &[Key],
    records: &mut Records,
) -> SqlResult<()> {
    if keys.len() == 1 {
        return reader.run(|connection, table| {
            read(connection, table, space, keys, records, BYTES_PER_YIELD)
        });
    }
    reader.run(|connection, _| begin(connection))?;
    loop {
        let left = &keys[records.len()..];
        let portion = &left[..left.len().min(KEYS_PER_YIELD)];
        reader.run(|connection, table| {
            read(connection, table, space, portion, records, BYTES_PER_YIELD)
        })?;
        if records.len() == keys.len() {
            break;
        }
        yield_now().await;
    }
    reader.run(|connection, _| end(connection))
}

fn at_once(
    connection: &Connection,
    table: &Table,
    space: &Space,
    keys: &[Key],
) -> SqlResult<Records> {
    let mut records = Vec::with_capacity(keys.len());
    begin(connection)?;
    read(connection, table, space, keys, &mut records, usize::MAX)?;
    end(connection)?;
    Ok(records)
}

/// Looks each key up with the same statement: faster than any single statement for all keys, and
/// without a limit on their number. Stops early after `max_bytes`.
fn read(
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
