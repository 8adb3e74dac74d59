//! The SQLite adapter keeps the contract, in both layouts of its table.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use async_trait::async_trait;
use pstate_core::{Adapter, Error, ErrorKind, Key, Result, Space};
use pstate_sqlite::{SqliteAdapter, SqliteConfig, TableLayout};
use pstate_testkit::conformance::Harness;

struct Sqlite(TableLayout);

impl Sqlite {
    /// The same in a child process, so no temporary directory of this one.
    fn path(id: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{id}.db"))
    }
}

#[async_trait]
impl Harness for Sqlite {
    async fn open(&self, id: &str) -> Result<Arc<dyn Adapter>> {
        let config = SqliteConfig::default().layout(self.0);
        Ok(Arc::new(SqliteAdapter::open_with(Self::path(id), config)?))
    }

    async fn remove(&self, id: &str) -> Result<()> {
        for end in ["", "-wal", "-shm"] {
            let path = format!("{}{end}", Self::path(id).display());
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::new(ErrorKind::Other, "not removed").caused_by(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A key that is none, as only another program can write it.
    async fn damage(&self, id: &str, space: &Space, key: &Key) -> Result<bool> {
        let damaged = format!("{key} without a colon").replace(':', " ");
        let done = rusqlite::Connection::open(Self::path(id)).and_then(|connection| {
            connection.execute(
                "UPDATE pstate SET key = ?1 WHERE space = ?2 AND key = ?3",
                (damaged, space.as_str(), key.as_str()),
            )
        });
        let done = done.map_err(|error| Error::new(ErrorKind::Other, "damage").caused_by(error))?;
        Ok(done == 1)
    }
}

pstate_testkit::conformance!(
    "rowid" => Sqlite(TableLayout::Rowid),
    "without_rowid" => Sqlite(TableLayout::WithoutRowid),
);
