//! Revisions within statements.

use pstate_core::Revision;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Result as SqlResult};

use super::value::{StoredRevision, bytes};

/// An SQL function of a value and a revision: whether the value has it. So compare-and-swap is one
/// statement, which finds the row once.
pub(super) const HAS_REVISION: &str = "pstate_has_revision";

/// Adds the function to a connection.
pub(crate) fn add_has_revision(connection: &Connection) -> SqlResult<()> {
    // For our own statements only: no trigger or view of a shared file may come to depend on it.
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function(HAS_REVISION, 2, flags, |call| {
        let stored = Revision::of_content(&bytes(call.get_raw(0)));
        Ok(StoredRevision::new(stored).is(call.get_raw(1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_revision_that_reading_it_gives() {
        let connection = Connection::open_in_memory().expect("memory");
        add_has_revision(&connection).expect("a function");
        let sql =
            format!("SELECT {HAS_REVISION}(column1, ?1) FROM (VALUES ('{{}}'), (7), (x'ff'))");
        for (place, bytes) in [b"{}".as_slice(), b"7", b"\xff"].into_iter().enumerate() {
            let mut statement = connection.prepare(&sql).expect("valid SQL");
            let revision = StoredRevision::new(Revision::of_content(bytes));
            let rows = statement.query_map([revision], |row| row.get::<_, bool>(0)).expect("rows");
            let found: Vec<bool> = rows.collect::<SqlResult<_>>().expect("booleans");
            assert_eq!(found, [0, 1, 2].map(|row| row == place));
        }
    }
}
