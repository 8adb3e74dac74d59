//! Applying batches, within a transaction that is open.

use pstate_core::{
    Batch, BatchMode, Change, Error, ErrorKind, Expect, Outcome, Revision, Space, Write,
};
use rusqlite::{CachedStatement, Connection, Result as SqlResult};

use crate::connection::Database;
use crate::error::{During, is_about_one_row};
use crate::value::{Stored, bytes};

/// Refuses a value that is too long.
pub(crate) fn check_len(write: &Write, space: &Space, max: usize) -> Result<(), Error> {
    match &write.change {
        Change::Put(bytes) if bytes.len() > max => {
            let message = format!("a value of {} bytes, at most {max} are allowed", bytes.len());
            Err(Error::new(ErrorKind::InvalidInput, message)
                .in_operation("write")
                .in_space(space)
                .at_key(&write.key))
        }
        _ => Ok(()),
    }
}

/// Does what `batch` asks for. After an error the transaction has to be rolled back.
pub(crate) fn apply(
    connection: &Connection,
    database: &Database,
    space: &Space,
    batch: &Batch,
) -> SqlResult<Vec<Outcome>> {
    let mut table = Statements {
        connection,
        database,
        space,
        get: Prepared::default(),
        put: Prepared::default(),
        replace: Prepared::default(),
        delete: Prepared::default(),
    };
    match batch.mode {
        BatchMode::Atomic => table.apply_atomically(&batch.writes),
        BatchMode::Each => batch.writes.iter().map(|write| table.apply_alone(write)).collect(),
    }
}

/// The statements of one batch, each looked up among the prepared ones when it is first needed.
struct Statements<'a> {
    connection: &'a Connection,
    database: &'a Database,
    space: &'a Space,
    get: Prepared<'a>,
    put: Prepared<'a>,
    replace: Prepared<'a>,
    delete: Prepared<'a>,
}

#[derive(Default)]
struct Prepared<'a>(Option<CachedStatement<'a>>);

impl<'a> Prepared<'a> {
    fn get(
        &mut self,
        connection: &'a Connection,
        sql: &str,
    ) -> SqlResult<&mut CachedStatement<'a>> {
        let statement = match self.0.take() {
            Some(statement) => statement,
            None => connection.prepare_cached(sql)?,
        };
        Ok(self.0.insert(statement))
    }
}

impl Statements<'_> {
    fn apply_atomically(&mut self, writes: &[Write]) -> SqlResult<Vec<Outcome>> {
        let holds = writes.iter().map(|write| self.holds(write)).collect::<SqlResult<Vec<_>>>()?;
        if holds.iter().all(|&holds| holds) {
            return writes.iter().map(|write| self.change(write)).collect();
        }
        let outcome = |holds| if holds { Outcome::Aborted } else { Outcome::Conflict };
        Ok(holds.into_iter().map(outcome).collect())
    }

    fn apply_alone(&mut self, write: &Write) -> SqlResult<Outcome> {
        if let Err(error) = check_len(write, self.space, self.database.config.max_value_len) {
            return Ok(Outcome::Failed(error));
        }
        if !self.holds(write)? {
            return Ok(Outcome::Conflict);
        }
        self.change(write).or_else(|error| {
            if is_about_one_row(&error) && !self.connection.is_autocommit() {
                let error = self.database.error(error, During::Unchanged);
                let error = error.in_operation("write").in_space(self.space).at_key(&write.key);
                return Ok(Outcome::Failed(error));
            }
            Err(error)
        })
    }

    /// Whether what is stored is as `write` expects.
    fn holds(&mut self, write: &Write) -> SqlResult<bool> {
        let expected = match write.expect {
            Expect::Any => return Ok(true),
            Expect::Absent => None,
            Expect::Revision(revision) => Some(revision),
        };
        let statement = self.get.get(self.connection, &self.database.table.get)?;
        let mut rows = statement.query([self.space.as_str(), write.key.as_str()])?;
        let stored = match rows.next()? {
            Some(row) => Some(Revision::of_content(&bytes(row.get_ref(0)?))),
            None => None,
        };
        Ok(stored == expected)
    }

    /// Does what `write` says, whose expectation holds.
    fn change(&mut self, write: &Write) -> SqlResult<Outcome> {
        let (space, key) = (self.space.as_str(), write.key.as_str());
        let table = &self.database.table;
        match &write.change {
            Change::Put(bytes) => {
                let statement = match write.expect {
                    // It is there.
                    Expect::Revision(_) => self.replace.get(self.connection, &table.replace)?,
                    Expect::Any | Expect::Absent => self.put.get(self.connection, &table.put)?,
                };
                statement.execute((space, key, Stored(bytes)))?;
                Ok(Outcome::Stored(Revision::of_content(bytes)))
            }
            Change::Delete => {
                self.delete.get(self.connection, &table.delete)?.execute((space, key))?;
                Ok(Outcome::Deleted)
            }
        }
    }
}
