//! The table, and the statements on it.

use pstate_core::{Error, ErrorKind};
use rusqlite::{Connection, OptionalExtension, Result as SqlResult};

use super::has_revision::HAS_REVISION;
use crate::config::TableLayout;

/// How many bytes a value has at most that is read in a run, as the one behind its end is as well.
const LONGEST_IN_RUN: usize = 16 * 1024;

/// A table of the right shape, with the text of its statements.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) layout: TableLayout,
    /// `?1` space, `?2` key.
    pub(crate) get: String,
    /// `?1` space, `?2` key, `?3` value.
    pub(crate) put: String,
    /// The same for a row that exists.
    pub(crate) replace: String,
    /// The same for a row of a revision, `?4`.
    pub(crate) replace_revision: String,
    /// `?1` space, `?2` key.
    pub(crate) delete: String,
    /// `?1` space, `?2` the first key.
    pub(crate) scan_from: String,
    /// The same, without the values that are longer than a look-up costs.
    pub(crate) run_from: String,
    /// `?1` space, `?2` the key before the first.
    pub(crate) scan_after: String,
    /// `?1` space. In any order.
    pub(crate) records: String,
    /// The same past the records of all spaces, in the order in which they are stored, if the table
    /// has one that is not that of the keys.
    pub(crate) records_as_stored: Option<String>,
    /// `?1` space. How many records it has, and at most how many about there are in all spaces.
    pub(crate) share: String,
    /// `?1` the space before.
    pub(crate) next_space: String,
}

/// The statement that creates the table. Its name matches `[A-Za-z_][A-Za-z0-9_]*`, and is quoted
/// because it may be a keyword.
pub(crate) fn create_table(name: &str, layout: TableLayout) -> String {
    let (constraint, suffix) = match layout {
        TableLayout::Rowid => ("UNIQUE", ""),
        TableLayout::WithoutRowid => ("PRIMARY KEY", " WITHOUT ROWID"),
    };
    format!(
        "CREATE TABLE \"{name}\" (
            space TEXT NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            {constraint} (space, key)
        ){suffix}"
    )
}

impl Table {
    /// Looks up a table: `None` if it does not exist, an error if it is another program's.
    pub(crate) fn find(
        connection: &Connection,
        name: &str,
    ) -> SqlResult<Option<Result<Self, Error>>> {
        let kind: Option<(bool, bool)> = connection
            .query_row(
                "SELECT wr, strict FROM pragma_table_list(?1) WHERE schema = 'main'",
                [name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let Some((without_rowid, strict)) = kind else {
            return Ok(None);
        };
        let columns: i64 = connection.query_row(
            "SELECT count(*) FROM pragma_table_info(?1) WHERE name IN ('space', 'key', 'value')",
            [name],
            |row| row.get(0),
        )?;
        // This index orders the keys and keeps them unique, and it has to compare bytes.
        let indexes: i64 = connection.query_row(
            "SELECT count(*) FROM pragma_index_list(?1) AS i
             WHERE i.\"unique\" = 1 AND i.partial = 0 AND (
                SELECT group_concat(c.name || ' ' || c.coll ORDER BY c.seqno)
                FROM pragma_index_xinfo(i.name) AS c WHERE c.key = 1
             ) = 'space BINARY,key BINARY'",
            [name],
            |row| row.get(0),
        )?;
        if columns != 3 || indexes == 0 {
            let message = format!(
                "table {name} belongs to another program: it needs columns space, key and value, \
                 and a unique index on (space, key) that compares bytes; choose another \
                 SqliteConfig::table"
            );
            return Ok(Some(Err(Error::new(ErrorKind::Config, message))));
        }
        let layout = if without_rowid { TableLayout::WithoutRowid } else { TableLayout::Rowid };
        if let Some(why) = unfit_column(connection, name, strict)? {
            let ddl: Vec<_> =
                create_table(name, layout).split_whitespace().map(str::to_owned).collect();
            let message = format!(
                "table {name}: {why}; choose another SqliteConfig::table, or create the table by: {}",
                ddl.join(" ")
            );
            return Ok(Some(Err(Error::new(ErrorKind::Config, message))));
        }
        Ok(Some(Ok(Self::new(name, layout))))
    }

    pub(crate) fn new(name: &str, layout: TableLayout) -> Self {
        let scan = |compare: &str| {
            format!(
                "SELECT key, value FROM \"{name}\" WHERE space = ?1 AND key {compare} ?2 ORDER BY key"
            )
        };
        Self {
            layout,
            get: format!("SELECT value FROM \"{name}\" WHERE space = ?1 AND key = ?2"),
            // A row that stays as it is costs a tenth if it is not written.
            put: format!(
                "INSERT INTO \"{name}\" (space, key, value) VALUES (?1, ?2, ?3)
                 ON CONFLICT (space, key) DO UPDATE SET value = excluded.value
                 WHERE \"{name}\".value IS NOT excluded.value"
            ),
            replace: format!("UPDATE \"{name}\" SET value = ?3 WHERE space = ?1 AND key = ?2"),
            replace_revision: format!(
                "UPDATE \"{name}\" SET value = ?3
                 WHERE space = ?1 AND key = ?2 AND {HAS_REVISION}(value, ?4)"
            ),
            delete: format!("DELETE FROM \"{name}\" WHERE space = ?1 AND key = ?2"),
            scan_from: scan(">="),
            // SQLite tells a length without reading the value.
            run_from: format!(
                "SELECT key, CASE WHEN octet_length(value) <= {LONGEST_IN_RUN} THEN value END
                 FROM \"{name}\" WHERE space = ?1 AND key >= ?2 ORDER BY key"
            ),
            scan_after: scan(">"),
            records: format!("SELECT key, value FROM \"{name}\" WHERE space = ?1"),
            records_as_stored: (layout == TableLayout::Rowid)
                .then(|| format!("SELECT key, value FROM \"{name}\" NOT INDEXED WHERE space = ?1")),
            share: format!(
                "SELECT (SELECT count(*) FROM \"{name}\" WHERE space = ?1),
                        (SELECT max(rowid) FROM \"{name}\")"
            ),
            next_space: format!("SELECT min(space) FROM \"{name}\" WHERE space > ?1"),
        }
    }
}

/// Why a column would give back other text than it was given, or take one key for another.
fn unfit_column(connection: &Connection, table: &str, strict: bool) -> SqlResult<Option<String>> {
    let mut columns = connection.prepare(
        "SELECT name, type FROM pragma_table_info(?1)
         WHERE name IN ('space', 'key', 'value') ORDER BY cid",
    )?;
    let mut rows = columns.query([table])?;
    while let Some(row) = rows.next()? {
        let (name, declared): (String, String) = (row.get(0)?, row.get(1)?);
        if !keeps_text(&declared, strict) {
            return Ok(Some(format!(
                "column {name} of type {declared} does not keep text as it is, as TEXT does"
            )));
        }
        let (_, collation, ..) = connection.column_metadata(Some("main"), table, name.as_str())?;
        if let Some(collation) = collation.filter(|collation| collation.to_bytes() != b"BINARY") {
            return Ok(Some(format!(
                "column {name} compares by {}, which takes different texts for the same",
                collation.to_string_lossy()
            )));
        }
    }
    Ok(None)
}

/// Whether a column of a declared type has TEXT affinity or none, by the rules of SQLite's
/// documentation, section "Determination Of Column Affinity".
fn keeps_text(declared: &str, strict: bool) -> bool {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if strict {
        return ["TEXT", "ANY"].contains(&&*declared);
    }
    !has("INT") && (["CHAR", "CLOB", "TEXT", "BLOB"].into_iter().any(has) || declared.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::add_has_revision;

    fn database(sql: &str) -> Connection {
        let connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch(sql).expect("valid SQL");
        connection
    }

    #[test]
    fn both_layouts_are_recognised() {
        for layout in [TableLayout::Rowid, TableLayout::WithoutRowid] {
            let database = database(&create_table("order", layout));
            let table = Table::find(&database, "order").expect("no SQL error");
            assert_eq!(table.expect("there").expect("ours").layout, layout);
        }
    }

    #[test]
    fn a_missing_table_is_none() {
        let found = Table::find(&database(""), "pstate").expect("no SQL error");
        assert!(found.is_none());
    }

    #[test]
    fn tables_without_the_index_or_that_compare_without_case_are_refused() {
        for sql in [
            "CREATE TABLE pstate (id INTEGER PRIMARY KEY)",
            "CREATE TABLE pstate (space, key, value)",
            "CREATE TABLE pstate (space, key TEXT COLLATE NOCASE, value, UNIQUE (space, key))",
            "CREATE TABLE pstate (space, key, value, UNIQUE (key, space))",
            "CREATE TABLE pstate (space, value, key AS (value), UNIQUE (space, key))",
            "CREATE VIEW pstate AS SELECT 1 AS space, 2 AS key, 3 AS value",
        ] {
            let found = Table::find(&database(sql), "pstate").expect("no SQL error");
            let error = found.expect("there").expect_err("not ours");
            assert_eq!(error.kind(), ErrorKind::Config, "{sql}");
        }
    }

    #[track_caller]
    fn found(sql: &str) -> Result<Table, Error> {
        Table::find(&database(sql), "pstate").expect("no SQL error").expect("there")
    }

    #[test]
    fn columns_that_alter_what_they_are_given_are_refused_with_a_table_that_works() {
        let ddl = "create the table by: CREATE TABLE \"pstate\" ( space TEXT NOT NULL, key TEXT NOT \
                   NULL, value TEXT NOT NULL, UNIQUE (space, key) )";
        for (columns, why) in [
            ("space, key, value NUMERIC", "column value of type NUMERIC does not keep text"),
            ("space, key, value JSON", "column value of type JSON"),
            ("space, key, value REAL", "column value of type REAL"),
            ("space, key, value STRING", "column value of type STRING"),
            ("space INTEGER, key, value", "column space of type INTEGER"),
            ("space, key CHARINT, value", "column key of type CHARINT"),
            ("space, key TEXT, value COLLATE RTRIM", "column value compares by RTRIM"),
        ] {
            let refused = found(&format!("CREATE TABLE pstate ({columns}, UNIQUE (space, key))"));
            let error = refused.expect_err(columns);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains(why), "{error}");
            assert!(error.message().ends_with(ddl), "{error}");
        }
        for column in ["space TEXT COLLATE NOCASE, key TEXT", "space TEXT, key TEXT COLLATE NOCASE"]
        {
            let error = found(&format!(
                "CREATE TABLE pstate ({column}, value TEXT);
                 CREATE UNIQUE INDEX i ON pstate (space COLLATE BINARY, key COLLATE BINARY)"
            ));
            let error = error.expect_err("a key would match another");
            assert!(error.message().contains("compares by NOCASE"), "{error}");
        }
        let strict =
            "CREATE TABLE pstate (space TEXT, key TEXT, value BLOB, UNIQUE (space, key)) STRICT";
        assert!(found(strict).is_err());
    }

    #[test]
    fn columns_that_keep_text_are_accepted() {
        for sql in [
            "CREATE TABLE pstate (space, key, value, UNIQUE (space, key))",
            "CREATE TABLE pstate (space varchar(64), key char(9), value clob, UNIQUE (space, key))",
            "CREATE TABLE pstate (id INTEGER PRIMARY KEY, space TEXT, key TEXT, value BLOB,
                                  at REAL DEFAULT 0, UNIQUE (space, key))",
            "CREATE TABLE pstate (space TEXT, key ANY, value TEXT, UNIQUE (space, key)) STRICT",
        ] {
            assert!(found(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn no_statement_reads_the_whole_table() {
        for layout in [TableLayout::Rowid, TableLayout::WithoutRowid] {
            let database = database(&create_table("pstate", layout));
            add_has_revision(&database).expect("a function");
            let table = Table::new("pstate", layout);
            for sql in [
                &table.get,
                &table.replace,
                &table.replace_revision,
                &table.delete,
                &table.scan_from,
                &table.run_from,
                &table.scan_after,
                &table.records,
                &table.next_space,
            ] {
                let plan: String = database
                    .query_row(
                        &format!("EXPLAIN QUERY PLAN {sql}"),
                        ["", "", "", ""]
                            .get(..count(sql))
                            .map(rusqlite::params_from_iter)
                            .expect("at most four parameters"),
                        |row| row.get(3),
                    )
                    .expect("a plan");
                assert!(plan.starts_with("SEARCH"), "{sql}: {plan}");
            }
        }
    }

    fn count(sql: &str) -> usize {
        (1..=4).rev().find(|number| sql.contains(&format!("?{number}"))).unwrap_or(0)
    }
}
