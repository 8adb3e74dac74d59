//! Applying a batch within an open transaction.

use pstate_core::{
    Batch, BatchMode, Capabilities, Change, Error, Expect, Outcome, Revision, Space, Write,
};
use rusqlite::{CachedStatement, Connection, Result as SqlResult};

use crate::error::{Phase, is_about_one_row};
use crate::layout::{Stored, StoredRevision, bytes};
use crate::store::Store;

/// Applies `batch`. After an error the caller rolls the transaction back.
pub(super) fn apply(
    connection: &Connection,
    store: &Store,
    space: &Space,
    batch: &Batch,
) -> SqlResult<Vec<Outcome>> {
    let mut table = Statements {
        connection,
        store,
        capabilities: store.capabilities(),
        space,
        get: Prepared::default(),
        put: Prepared::default(),
        replace: Prepared::default(),
        replace_revision: Prepared::default(),
        delete: Prepared::default(),
    };
    match batch.mode {
        BatchMode::Atomic => table.apply_atomically(&batch.writes),
        BatchMode::Each => batch.writes.iter().map(|write| table.apply_alone(write)).collect(),
    }
}

/// The statements of one batch, each taken from the cache when it is first needed.
struct Statements<'a> {
    connection: &'a Connection,
    store: &'a Store,
    capabilities: Capabilities,
    space: &'a Space,
    get: Prepared<'a>,
    put: Prepared<'a>,
    replace: Prepared<'a>,
    replace_revision: Prepared<'a>,
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
        if let Err(error) = write.check_len(&self.capabilities) {
            return Ok(self.failed(write, error));
        }
        let applied = match (&write.change, write.expect) {
            (Change::Put(bytes), Expect::Revision(revision)) => {
                self.compare_and_swap(write, bytes, revision)
            }
            _ if self.holds(write)? => self.change(write),
            _ => return Ok(Outcome::Conflict),
        };
        applied.or_else(|error| {
            if is_about_one_row(&error) && !self.connection.is_autocommit() {
                return Ok(self.failed(write, self.store.error(error, Phase::Uncommitted)));
            }
            Err(error)
        })
    }

    /// Replaces a value that has this revision.
    fn compare_and_swap(
        &mut self,
        write: &Write,
        bytes: &[u8],
        expected: Revision,
    ) -> SqlResult<Outcome> {
        let sql = &self.store.table.replace_revision;
        let statement = self.replace_revision.get(self.connection, sql)?;
        let (space, key) = (self.space.as_str(), write.key.as_str());
        let replaced =
            statement.execute((space, key, Stored(bytes), StoredRevision::new(expected)))?;
        Ok(match replaced {
            0 => Outcome::Conflict,
            _ => Outcome::Stored(Revision::of_content(bytes)),
        })
    }

    fn failed(&self, write: &Write, error: Error) -> Outcome {
        Outcome::Failed(error.in_operation("write").in_space(self.space).at_key(&write.key))
    }

    /// Whether what is stored is as `write` expects.
    fn holds(&mut self, write: &Write) -> SqlResult<bool> {
        let expected = match write.expect {
            Expect::Any => return Ok(true),
            Expect::Absent => None,
            Expect::Revision(revision) => Some(revision),
        };
        let statement = self.get.get(self.connection, &self.store.table.get)?;
        let mut rows = statement.query([self.space.as_str(), write.key.as_str()])?;
        let stored = match rows.next()? {
            Some(row) => Some(Revision::of_content(&bytes(row.get_ref(0)?))),
            None => None,
        };
        Ok(stored == expected)
    }

    /// Applies a write whose expectation holds.
    fn change(&mut self, write: &Write) -> SqlResult<Outcome> {
        let (space, key) = (self.space.as_str(), write.key.as_str());
        let table = &self.store.table;
        match &write.change {
            Change::Put(bytes) => {
                let statement = match write.expect {
                    // The row exists.
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
