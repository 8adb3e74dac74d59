//! The file's header: whose it is, and in which format.

use std::path::Path;

use pstate_core::{Error, ErrorKind};
use rusqlite::{Connection, OptionalExtension, Result as SqlResult};

/// `PSta`, in the file's header.
const APPLICATION_ID: i32 = 0x5053_7461;

/// The version of the table's format, in the file's header as `user_version`.
const FORMAT_VERSION: i32 = 1;

/// The statements that mark a file as ours, for messages.
const MARK: &str = "PRAGMA application_id = 0x50537461; PRAGMA user_version = 1";

/// The first version of SQLite without the defect by which a checkpoint that meets a reset of the
/// log can damage the file.
const OLDEST_LIBRARY: i32 = 3_051_003;

/// What a file's header and schema say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    application_id: i32,
    user_version: i32,
    encoding: String,
    /// The names of a few tables.
    tables: Vec<String>,
    /// A table that looks like ours, in a file that does not say that it is.
    unmarked: Option<String>,
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Free: the file is empty.
    Unclaimed,
    /// This crate.
    PState,
    /// Another program, which shares it.
    Host,
}

impl Header {
    /// Reads it in one snapshot: another process may be claiming the file.
    pub(crate) fn read(connection: &Connection) -> SqlResult<Self> {
        if !connection.is_autocommit() {
            return Self::read_in_transaction(connection);
        }
        // Rolls back when it is dropped; there is nothing to commit.
        let _transaction = connection.unchecked_transaction()?;
        Self::read_in_transaction(connection)
    }

    fn read_in_transaction(connection: &Connection) -> SqlResult<Self> {
        let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get(0));
        let mut tables = connection.prepare(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
             AND substr(name, 1, 7) <> 'sqlite_' ORDER BY rowid LIMIT 4",
        )?;
        let application_id = number("PRAGMA application_id")?;
        Ok(Self {
            application_id,
            user_version: number("PRAGMA user_version")?,
            encoding: connection.query_row("PRAGMA encoding", [], |row| row.get(0))?,
            tables: tables.query_map([], |row| row.get(0))?.collect::<SqlResult<_>>()?,
            unmarked: if application_id == 0 { table_of_records(connection)? } else { None },
        })
    }

    /// Decides whose file it is. Fails if this program may not use it.
    pub(crate) fn owner(&self, path: &Path, shared: bool) -> Result<Owner, Error> {
        let at = path.display();
        let refuse = |why: String| Err(Error::new(ErrorKind::Config, why));
        if self.encoding != "UTF-8" {
            return refuse(format!(
                "{at} stores text as {}; keys keep their order only in UTF-8",
                self.encoding
            ));
        }
        if self.application_id == APPLICATION_ID {
            return match self.user_version {
                FORMAT_VERSION => Ok(Owner::PState),
                version if version > FORMAT_VERSION => refuse(format!(
                    "{at} was written by a newer version (format {version}, this program knows \
                     {FORMAT_VERSION}); update the program"
                )),
                0 => refuse(format!(
                    "{at} has PState's application_id, but no user_version; if a tool has copied \
                     it, mark it by: {MARK}"
                )),
                version => refuse(format!("{at} has format {version}, which never existed")),
            };
        }
        if shared {
            return Ok(Owner::Host);
        }
        if self.application_id == 0 && self.user_version == 0 && self.tables.is_empty() {
            return Ok(Owner::Unclaimed);
        }
        if let Some(table) = &self.unmarked
            && (0..=FORMAT_VERSION).contains(&self.user_version)
        {
            return refuse(format!(
                "{at} has a table like PState's ({table}), but not its mark, which sqlite3's .dump \
                 and .clone leave out; if it is such a copy, mark it by: {MARK}"
            ));
        }
        refuse(format!(
            "{at} belongs to another program (application_id {:#x}, {}); choose another path, or \
             allow it with SqliteConfig::shared_database(true)",
            self.application_id,
            describe(&self.tables)
        ))
    }

    /// Claims an empty file. Call it in a transaction.
    pub(crate) fn claim(connection: &Connection) -> SqlResult<()> {
        connection.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT_VERSION}"
        ))
    }
}

/// The name of a table with the columns of ours.
fn table_of_records(connection: &Connection) -> SqlResult<Option<String>> {
    connection
        .query_row(
            "SELECT name FROM sqlite_schema AS s WHERE type = 'table' AND (
                SELECT count(*) FROM pragma_table_info(s.name) AS c
                WHERE c.name IN ('space', 'key', 'value')
             ) = 3 ORDER BY rowid LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()
}

fn describe(tables: &[String]) -> String {
    let more = if tables.len() > 3 { ", .." } else { "" };
    match tables {
        [] => "no tables".to_owned(),
        [one] => format!("table {one}"),
        several => format!("tables {}{more}", several[..several.len().min(3)].join(", ")),
    }
}

/// Refuses a version of SQLite that can damage files; `version` is as
/// [`rusqlite::version_number`] says.
pub(crate) fn check_library(version: i32) -> Result<(), Error> {
    if version >= OLDEST_LIBRARY {
        return Ok(());
    }
    let dotted = |v: i32| format!("{}.{}.{}", v / 1_000_000, v / 1_000 % 1_000, v % 1_000);
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "SQLite {} can damage databases in WAL mode; at least {} is needed",
            dotted(version),
            dotted(OLDEST_LIBRARY)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(application_id: i32, user_version: i32, tables: &[&str]) -> Header {
        Header {
            application_id,
            user_version,
            encoding: "UTF-8".to_owned(),
            tables: tables.iter().map(|&name| name.to_owned()).collect(),
            unmarked: None,
        }
    }

    #[track_caller]
    fn refusal(header: &Header) -> String {
        let error = header.owner(Path::new("app.db"), false).expect_err("should be refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn libraries_with_the_defect_are_refused() {
        let error = check_library(3_051_002).expect_err("3.51.2 has the defect");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("SQLite 3.51.2"), "{error}");
        assert!(error.message().contains("at least 3.51.3"), "{error}");
        assert!(check_library(3_051_003).is_ok());
        assert!(check_library(4_000_000).is_ok());
    }

    #[test]
    fn the_statements_of_messages_are_those_that_claim_a_file() {
        let connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch(MARK).expect("valid SQL");
        let owner = Header::read(&connection).expect("a header").owner(Path::new("app.db"), false);
        assert_eq!(owner.expect("ours"), Owner::PState);
    }

    #[test]
    fn at_most_three_foreign_tables_are_named() {
        assert_eq!(
            refusal(&header(0, 0, &["a", "b", "c", "d"])),
            "app.db belongs to another program (application_id 0x0, tables a, b, c, ..); choose \
             another path, or allow it with SqliteConfig::shared_database(true)"
        );
    }

    #[test]
    fn an_empty_file_with_another_application_id_is_foreign() {
        assert!(refusal(&header(0x1234, 0, &[])).contains("application_id 0x1234, no tables"));
    }

    #[test]
    fn an_empty_file_is_free() {
        let owner = header(0, 0, &[]).owner(Path::new("app.db"), false);
        assert_eq!(owner.expect("a free file"), Owner::Unclaimed);
    }

    #[test]
    fn other_text_encodings_are_refused() {
        let header = Header { encoding: "UTF-16le".to_owned(), ..header(0, 0, &[]) };
        assert!(refusal(&header).contains("stores text as UTF-16le"));
    }
}
