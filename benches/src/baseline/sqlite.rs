//! rusqlite alone.
//!
//! Connections with the adapter's settings, cached statements, one transaction for each batch, and
//! in it one look-up for each key, which is faster than `IN (...)`.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use pstate::{Key, Space};
use rusqlite::{CachedStatement, Connection};
use serde_json::Value;

use crate::Result;

use super::contract::{Baseline, DeepDeck, Replacement};
use super::graph::LookUp;
use super::parse::Parse;

const GET: &str = "SELECT value FROM pstate WHERE space = ?1 AND key = ?2";
const PUT: &str = "INSERT INTO pstate (space, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (space, key) DO UPDATE SET value = excluded.value";
const UPDATE: &str = "UPDATE pstate SET value = ?3 WHERE space = ?1 AND key = ?2 AND value IS ?4";
const DELETE: &str = "DELETE FROM pstate WHERE space = ?1 AND key = ?2";
const SCAN: &str = "SELECT key, value FROM pstate WHERE space = ?1 AND key >= ?2 ORDER BY key";

/// How many connections read at the same time: one for each worker.
const READERS: usize = 2;

/// Connections to the file that PState uses: one to write, and others to read.
#[derive(Debug, Clone)]
pub struct Sqlite {
    write: Arc<Mutex<Connection>>,
    read: Arc<Mutex<Connection>>,
    readers: Arc<[Arc<Mutex<Connection>>]>,
}

impl Sqlite {
    /// Opens the connections.
    pub(crate) fn open(path: &Path, page_cache_bytes: u64) -> Result<Self> {
        let connect = || -> Result<_> {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "full")?;
            let kibibytes = i64::try_from(page_cache_bytes / 1024)?;
            connection.pragma_update(None, "cache_size", -kibibytes)?;
            Ok(Arc::new(Mutex::new(connection)))
        };
        let readers: Arc<[_]> = (0..READERS).map(|_| connect()).collect::<Result<_>>()?;
        Ok(Self { write: connect()?, read: readers[0].clone(), readers })
    }

    /// Reads all in one transaction.
    fn read_all<R>(&self, read: impl FnOnce(&mut Statement<'_>) -> Result<R>) -> Result<R> {
        let mut connection = self.read.lock();
        let transaction = connection.transaction()?;
        let mut statement = Statement(transaction.prepare_cached(GET)?);
        let done = read(&mut statement)?;
        drop(statement);
        transaction.commit()?;
        Ok(done)
    }

    /// Executes a statement any number of times in one transaction.
    fn write_all(
        &self,
        sql: &str,
        write: impl FnOnce(&mut CachedStatement<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut connection = self.write.lock();
        let transaction = connection.transaction()?;
        let mut statement = transaction.prepare_cached(sql)?;
        write(&mut statement)?;
        drop(statement);
        Ok(transaction.commit()?)
    }
}

/// The statement that finds the value under a key.
struct Statement<'a>(CachedStatement<'a>);

impl LookUp for Statement<'_> {
    fn look_up<T>(&mut self, key: &str, parse: Parse<T>) -> Result<Option<T>> {
        let mut rows = self.0.query((Space::DEFAULT, key))?;
        rows.next()?.map(|row| parse(row.get_ref(0)?.as_str()?)).transpose()
    }
}

impl Baseline for Sqlite {
    async fn get<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<Option<T>> {
        let connection = self.read.lock();
        let mut statement = Statement(connection.prepare_cached(GET)?);
        statement.look_up(key.as_str(), parse)
    }

    async fn multi_get<T: Send>(
        &mut self,
        keys: &[Key],
        parse: Parse<T>,
    ) -> Result<Vec<Option<T>>> {
        self.read_all(|statement| {
            keys.iter().map(|key| statement.look_up(key.as_str(), parse)).collect()
        })
    }

    async fn deck<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<(Value, Vec<T>)> {
        self.read_all(|statement| statement.deck(key.as_str(), parse))
    }

    async fn deep_deck<T: Send>(&mut self, key: &Key, parse: Parse<T>) -> Result<DeepDeck<T>> {
        self.read_all(|statement| statement.deep_deck(key.as_str(), parse))
    }

    async fn scan<T: Send>(&mut self, prefix: &str, parse: Parse<T>) -> Result<Vec<(String, T)>> {
        let connection = self.read.lock();
        let mut statement = connection.prepare_cached(SCAN)?;
        let mut rows = statement.query((Space::DEFAULT, prefix))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let key = row.get_ref(0)?.as_str()?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push((key.to_owned(), parse(row.get_ref(1)?.as_str()?)?));
        }
        Ok(found)
    }

    async fn put(&mut self, key: &Key, document: &Value) -> Result<()> {
        let text = serde_json::to_string(document)?;
        let connection = self.write.lock();
        let mut statement = connection.prepare_cached(PUT)?;
        statement.execute((Space::DEFAULT, key.as_str(), text))?;
        Ok(())
    }

    async fn multi_put(&mut self, documents: &[(Key, Value)]) -> Result<()> {
        self.write_all(PUT, |statement| {
            for (key, document) in documents {
                let text = serde_json::to_string(document)?;
                statement.execute((Space::DEFAULT, key.as_str(), text))?;
            }
            Ok(())
        })
    }

    async fn replace(&mut self, replacements: &[Replacement]) -> Result<()> {
        self.write_all(UPDATE, |statement| {
            for Replacement { key, old, new } in replacements {
                let changed = statement.execute((Space::DEFAULT, key.as_str(), new, old))?;
                if changed != 1 {
                    return Err(format!("{key} has changed since it was read").into());
                }
            }
            Ok(())
        })
    }

    async fn load(&mut self, texts: &[(Key, String)]) -> Result<()> {
        self.write_all(PUT, |statement| {
            for (key, text) in texts {
                statement.execute((Space::DEFAULT, key.as_str(), text))?;
            }
            Ok(())
        })
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<()> {
        self.write_all(DELETE, |statement| {
            for key in keys {
                statement.execute((Space::DEFAULT, key.as_str()))?;
            }
            Ok(())
        })
    }

    /// Moves written pages into the main file. SQLite does so by itself after 1,000 pages, and
    /// contenders that take turns would always meet that at the same place.
    async fn settle(&mut self) -> Result<()> {
        self.write.lock().query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        Ok(())
    }

    fn for_task(&self, task: usize) -> Self {
        Self { read: self.readers[task % self.readers.len()].clone(), ..self.clone() }
    }
}
