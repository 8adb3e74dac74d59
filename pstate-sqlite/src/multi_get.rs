//! Reading records by key.

use std::sync::Arc;

use pstate_core::{ErrorKind, Key, Record, Result, Space};
use rusqlite::{Connection, Result as SqlResult};
use tokio::task::yield_now;

use crate::config::ReadMode;
use crate::error::{During, is_busy};
use crate::readers::{Reader, Readers};
use crate::table::Table;
use crate::value::record;

/// How many keys are read before other tasks have their turn: about 0.1 ms.
const PORTION: usize = 64;
/// How many bytes of values end a portion, likewise.
const PORTION_BYTES: usize = 256 * 1024;

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
    if readers.database().config.read_mode == ReadMode::InPlace {
        let mut records = Vec::with_capacity(keys.len());
        match in_place(readers.take().await?, space, keys, &mut records).await {
            Ok(()) => return Ok(records),
            // Waiting for a lock is nothing to do on an executor's thread.
            Err(error) if is_busy(&error) => {}
            Err(error) => {
                let error = readers.database().error(error, During::Unchanged);
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

/// Each portion borrows the connection anew, because no borrow may be held while others have their
/// turn. If the future is dropped then, dropping the reader ends the transaction.
async fn in_place(
    mut reader: Reader,
    space: &Space,
    keys: &[Key],
    records: &mut Records,
) -> SqlResult<()> {
    if keys.len() == 1 {
        return reader
            .run(|connection, table| read(connection, table, space, keys, records, PORTION_BYTES));
    }
    reader.run(|connection, _| begin(connection))?;
    loop {
        let left = &keys[records.len()..];
        let portion = &left[..left.len().min(PORTION)];
        reader.run(|connection, table| {
            read(connection, table, space, portion, records, PORTION_BYTES)
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

/// One look-up for each key with the same statement: faster than any single statement for all
/// keys, and without a limit on their number. Stops early after `most_bytes`.
fn read(
    connection: &Connection,
    table: &Table,
    space: &Space,
    keys: &[Key],
    records: &mut Records,
    most_bytes: usize,
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
        if bytes >= most_bytes {
            break;
        }
    }
    Ok(())
}

/// The snapshot is taken by the first read that follows.
fn begin(connection: &Connection) -> SqlResult<()> {
    connection.prepare_cached("BEGIN DEFERRED")?.execute([]).map(drop)
}

fn end(connection: &Connection) -> SqlResult<()> {
    connection.prepare_cached("COMMIT")?.execute([]).map(drop)
}
