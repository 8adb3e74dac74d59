//! Reading records by key.

use std::sync::Arc;

use pstate_core::{Error, ErrorKind, Key, ReadMode, Record, Result, Space};
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, Result as SqlResult};

use crate::error::{Phase, is_busy, is_damage};
use crate::layout::{Table, record};
use crate::store::Readers;

/// How many keys are read in place: 0.3 to 0.5 ms.
const KEYS_IN_PLACE: usize = 320;
/// How many bytes of values are read in place, likewise.
const BYTES_IN_PLACE: usize = 256 * 1024;

/// From how many keys on some that follow each other are looked for.
const KEYS_IN_RUNS: usize = 8;
/// How many keys a run has at least that saves more than its last row costs, which no key asks for.
const RUN_THAT_PAYS: usize = 3;
/// How many keys are looked up between two runs at most.
const MOST_ALONE: usize = 64;

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
            let mut read = Read::new(&space, &keys, usize::MAX);
            reader
                .run_patiently(|connection, table| read.run(connection, table))
                .map_err(|error| read.locate(error))?;
            Ok(read.records)
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
    let mut read = Read::new(space, keys, BYTES_IN_PLACE);
    match reader.run(|connection, table| read.run(connection, table)) {
        Ok(()) => Ok(read.is_complete().then_some(read.records)),
        // Waiting for a lock would block the executor's thread.
        Err(error) if is_busy(&error) => Ok(None),
        Err(error) => Err(read.locate(store.error(error, Phase::Uncommitted))),
    }
}

/// The reading of keys in one snapshot.
struct Read<'a> {
    space: &'a Space,
    keys: &'a [Key],
    /// Those of the first keys: the next key is being read.
    records: Records,
    /// How many bytes have been read.
    bytes: usize,
    /// After how many bytes it stops.
    max_bytes: usize,
}

impl<'a> Read<'a> {
    fn new(space: &'a Space, keys: &'a [Key], max_bytes: usize) -> Self {
        Self { space, keys, records: Vec::with_capacity(keys.len()), bytes: 0, max_bytes }
    }

    fn is_complete(&self) -> bool {
        self.records.len() == self.keys.len()
    }

    /// Names the key that could not be read.
    fn locate(&self, error: Error) -> Error {
        match self.keys.get(self.records.len()) {
            Some(key) if error.kind() == ErrorKind::Corrupt => error.at_key(key),
            _ => error,
        }
    }

    /// Reads the keys. Stops early after `max_bytes`.
    fn run(&mut self, connection: &Connection, table: &Table) -> SqlResult<()> {
        // One statement is a snapshot by itself.
        if self.keys.len() == 1 {
            return self.look_up_each(connection, table);
        }
        if self.keys.len() >= KEYS_IN_RUNS {
            let done = begin(connection)
                .and_then(|()| self.look_up_runs(connection, table))
                .and_then(|()| end(connection));
            // What is damaged may be a row beside those that are asked for.
            if !done.as_ref().is_err_and(is_damage) {
                return done;
            }
            connection.execute_batch("ROLLBACK")?;
            *self = Self::new(self.space, self.keys, self.max_bytes);
        }
        begin(connection)?;
        self.look_up_each(connection, table)?;
        end(connection)
    }

    /// Looks each key up with the same statement: faster than any single statement for all keys,
    /// and without a limit on their number.
    fn look_up_each(&mut self, connection: &Connection, table: &Table) -> SqlResult<()> {
        let mut get = self.statement(connection, &table.get)?;
        while !self.is_complete() && self.bytes < self.max_bytes {
            self.look_up(&mut get)?;
        }
        Ok(())
    }

    /// Looks keys up, and takes those that follow each other in the tree from one row to the next,
    /// which costs a third of a look-up: a deck's cards and their translations mostly do.
    fn look_up_runs(&mut self, connection: &Connection, table: &Table) -> SqlResult<()> {
        let mut get = self.statement(connection, &table.get)?;
        let mut run = self.statement(connection, &table.run_from)?;
        // How many keys are looked up before the next run is tried: twice as many each time that
        // one does not pay, so that scattered keys cost hardly more than without.
        let (mut alone, mut next_alone) = (0, 1);
        while !self.is_complete() && self.bytes < self.max_bytes {
            if alone > 0 {
                alone -= 1;
                self.look_up(&mut get)?;
            } else if self.take_run(&mut run)? >= RUN_THAT_PAYS {
                next_alone = 1;
            } else {
                alone = next_alone;
                next_alone = (2 * next_alone).min(MOST_ALONE);
            }
        }
        Ok(())
    }

    /// A statement of which the first parameter is the space.
    fn statement<'c>(
        &self,
        connection: &'c Connection,
        sql: &str,
    ) -> SqlResult<CachedStatement<'c>> {
        let mut statement = connection.prepare_cached(sql)?;
        statement.raw_bind_parameter(1, self.space.as_str())?;
        Ok(statement)
    }

    /// Reads the next key.
    fn look_up(&mut self, get: &mut CachedStatement<'_>) -> SqlResult<()> {
        get.raw_bind_parameter(2, self.keys[self.records.len()].as_str())?;
        let mut rows = get.raw_query();
        let found = match rows.next()? {
            Some(row) => Some(record(row.get_ref(0)?)),
            None => None,
        };
        self.keep(found);
        Ok(())
    }

    /// Reads rows from the next key on, as long as each is the one that is asked for next. Returns
    /// how many were.
    fn take_run(&mut self, run: &mut CachedStatement<'_>) -> SqlResult<usize> {
        let keys = &self.keys[self.records.len()..];
        run.raw_bind_parameter(2, keys[0].as_str())?;
        let mut rows = run.raw_query();
        for (taken, key) in keys.iter().enumerate() {
            let Some(row) = rows.next()? else { return Ok(taken) };
            let value = row.get_ref(1)?;
            let is_next = row.get_ref(0)? == ValueRef::Text(key.as_str().as_bytes());
            // A value that is too long for a run is null here.
            if !is_next || value == ValueRef::Null {
                return Ok(taken);
            }
            self.keep(Some(record(value)));
            if self.bytes >= self.max_bytes {
                return Ok(taken + 1);
            }
        }
        Ok(keys.len())
    }

    fn keep(&mut self, record: Option<Record>) {
        self.bytes += record.as_ref().map_or(0, |record| record.bytes.len());
        self.records.push(record);
    }
}

/// Begins a snapshot, which the next read takes.
fn begin(connection: &Connection) -> SqlResult<()> {
    connection.prepare_cached("BEGIN DEFERRED")?.execute([]).map(drop)
}

fn end(connection: &Connection) -> SqlResult<()> {
    connection.prepare_cached("COMMIT")?.execute([]).map(drop)
}
