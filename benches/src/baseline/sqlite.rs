//! rusqlite alone.
//!
//! Connections with the adapter's settings, cached statements, one transaction for each batch, and
//! in it one look-up for each key, which is faster than `IN (...)`. The documents are there twice:
//! under their keys in one table, with lists of keys; and in a table for each kind, without such
//! lists, with a column that names the parent and an index of it.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use pstate::Key;
use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, types::ValueRef};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::Result;
use crate::documents::plain::{Card, Document, Record};

use super::contract::{Baseline, Depth, Replacement};
use super::graph::Graph;
use super::look_up::LookUp;
use super::shape::{GraphOf, Shape, Structs, Trees, migrate};

const SCHEMA: &str = "
    CREATE TABLE document (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE deck (id TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE card (id TEXT PRIMARY KEY, deck TEXT, body TEXT NOT NULL);
    CREATE INDEX card_deck ON card (deck);
    CREATE TABLE translation (id TEXT PRIMARY KEY, card TEXT, body TEXT NOT NULL);
    CREATE INDEX translation_card ON translation (card);";

const GET: &str = "SELECT body FROM document WHERE key = ?1";
const PUT: &str = "INSERT INTO document (key, body) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET body = excluded.body";
const REPLACE: &str = "UPDATE document SET body = ?2 WHERE key = ?1 AND body = ?3";
const DELETE: &str = "DELETE FROM document WHERE key = ?1";
const SCAN: &str = "SELECT key, body FROM document WHERE key >= ?1 ORDER BY key";
const MIGRATE: &str = "UPDATE document
    SET body = json_set(body, '$.rank', CAST(body ->> '$.rank' AS INTEGER))
    WHERE key >= 'base_card:' AND key < 'base_card;' AND json_type(body, '$.rank') = 'text'";

const DECK: &str = "SELECT body FROM deck WHERE id = ?1";
const CARDS: &str = "SELECT body FROM card WHERE deck = ?1 ORDER BY rowid";
// One join: a card is parsed once, when its first translation comes.
const CARDS_AND_TRANSLATIONS: &str = "SELECT card.rowid, card.body, translation.body FROM card
    LEFT JOIN translation ON translation.card = card.id
    WHERE card.deck = ?1 ORDER BY card.rowid, translation.rowid";
const PUT_DECK: &str = "INSERT INTO deck (id, body) VALUES (?1, ?2)
    ON CONFLICT (id) DO UPDATE SET body = excluded.body";
const PUT_CARD: &str = "INSERT INTO card (id, deck, body) VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET deck = excluded.deck, body = excluded.body";
const PUT_TRANSLATION: &str = "INSERT INTO translation (id, card, body) VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET card = excluded.card, body = excluded.body";

/// How many connections read at the same time: one for each worker.
const READERS: usize = 2;

/// Connections to a file: one to write, and others to read.
#[derive(Debug, Clone)]
pub struct Sqlite {
    write: Arc<Mutex<Connection>>,
    read: Arc<Mutex<Connection>>,
    readers: Arc<[Arc<Mutex<Connection>>]>,
}

impl Sqlite {
    /// Creates a file with the tables, and opens the connections.
    pub(crate) fn create(path: &Path, page_cache_bytes: u64) -> Result<Self> {
        let connect = || -> Result<_> {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "full")?;
            let kibibytes = i64::try_from(page_cache_bytes / 1024)?;
            connection.pragma_update(None, "cache_size", -kibibytes)?;
            Ok(Arc::new(Mutex::new(connection)))
        };
        let write = connect()?;
        write.lock().execute_batch(SCHEMA)?;
        let readers: Arc<[_]> = (0..READERS).map(|_| connect()).collect::<Result<_>>()?;
        Ok(Self { write, read: readers[0].clone(), readers })
    }

    /// Looks up keys, all in one transaction.
    fn look_up_all<R>(&self, read: impl FnOnce(&mut Statement<'_>) -> Result<R>) -> Result<R> {
        let mut connection = self.read.lock();
        let transaction = connection.transaction()?;
        let mut statement = Statement(transaction.prepare_cached(GET)?);
        let done = read(&mut statement)?;
        drop(statement);
        transaction.commit()?;
        Ok(done)
    }

    /// Reads a deck with one query for each kind, in one transaction.
    fn by_index<S: Shape>(&self, key: &Key, depth: Depth) -> Result<GraphOf<S>> {
        let mut connection = self.read.lock();
        let transaction = connection.transaction()?;
        let deck = Statement(transaction.prepare_cached(DECK)?).look_up(key.as_str())?;
        let cards = match depth {
            Depth::Cards => cards::<S>(&transaction, key)?,
            Depth::Translations => cards_and_translations::<S>(&transaction, key)?,
        };
        transaction.commit()?;
        Ok(Graph { deck: deck.ok_or("no deck")?, cards })
    }

    /// Writes all in one transaction, which takes the lock at once: it cannot fail to get it later.
    fn write_all<R>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<R>) -> Result<R> {
        let mut connection = self.write.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = write(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

/// The statement that finds the document under a key.
struct Statement<'a>(CachedStatement<'a>);

impl LookUp for Statement<'_> {
    fn look_up<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        let mut rows = self.0.query([key])?;
        rows.next()?.map(|row| parse(row.get_ref(0)?)).transpose()
    }
}

fn parse<T: DeserializeOwned>(text: ValueRef<'_>) -> Result<T> {
    Ok(serde_json::from_str(text.as_str()?)?)
}

type CardsOf<S> = Vec<(<S as Shape>::Card, Vec<<S as Shape>::Translation>)>;

fn cards<S: Shape>(transaction: &Transaction<'_>, deck: &Key) -> Result<CardsOf<S>> {
    let mut statement = transaction.prepare_cached(CARDS)?;
    let mut rows = statement.query([deck.as_str()])?;
    let mut cards = Vec::new();
    while let Some(row) = rows.next()? {
        cards.push((parse(row.get_ref(0)?)?, Vec::new()));
    }
    Ok(cards)
}

fn cards_and_translations<S: Shape>(
    transaction: &Transaction<'_>,
    deck: &Key,
) -> Result<CardsOf<S>> {
    let mut statement = transaction.prepare_cached(CARDS_AND_TRANSLATIONS)?;
    let mut rows = statement.query([deck.as_str()])?;
    let mut cards: CardsOf<S> = Vec::new();
    let mut current = None;
    while let Some(row) = rows.next()? {
        let card: i64 = row.get(0)?;
        if current != Some(card) {
            cards.push((parse(row.get_ref(1)?)?, Vec::new()));
            current = Some(card);
        }
        let translation = row.get_ref(2)?;
        if let (true, Some((_, translations))) = (translation != ValueRef::Null, cards.last_mut()) {
            translations.push(parse(translation)?);
        }
    }
    Ok(cards)
}

impl Baseline for Sqlite {
    type Card = Card;
    type Graph = Graph;
    type Stored = String;

    async fn get(&mut self, key: &Key) -> Result<Option<Card>> {
        let connection = self.read.lock();
        Statement(connection.prepare_cached(GET)?).look_up(key.as_str())
    }

    async fn multi_get(&mut self, keys: &[Key]) -> Result<Vec<Option<Card>>> {
        self.look_up_all(|statement| {
            keys.iter().map(|key| statement.look_up(key.as_str())).collect()
        })
    }

    async fn graph(&mut self, key: &Key, depth: Depth) -> Result<Graph> {
        self.look_up_all(|statement| statement.graph::<Structs>(key.as_str(), depth))
    }

    async fn tree(&mut self, key: &Key) -> Result<Value> {
        let graph = self
            .look_up_all(|statement| statement.graph::<Trees>(key.as_str(), Depth::Translations))?;
        Ok(graph.into_tree())
    }

    async fn indexed_graph(&mut self, key: &Key, depth: Depth) -> Result<Graph> {
        self.by_index::<Structs>(key, depth)
    }

    async fn indexed_tree(&mut self, key: &Key) -> Result<Value> {
        Ok(self.by_index::<Trees>(key, Depth::Translations)?.into_tree())
    }

    async fn scan(&mut self, prefix: &str) -> Result<Vec<(String, Card)>> {
        let connection = self.read.lock();
        let mut statement = connection.prepare_cached(SCAN)?;
        let mut rows = statement.query([prefix])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let key = row.get_ref(0)?.as_str()?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push((key.to_owned(), parse(row.get_ref(1)?)?));
        }
        Ok(found)
    }

    async fn put(&mut self, key: &Key, card: &Card) -> Result<()> {
        let text = serde_json::to_string(card)?;
        let connection = self.write.lock();
        connection.prepare_cached(PUT)?.execute((key.as_str(), text))?;
        Ok(())
    }

    async fn multi_put(&mut self, cards: &[(Key, Card)]) -> Result<()> {
        self.write_all(|transaction| {
            let mut put = transaction.prepare_cached(PUT)?;
            for (key, card) in cards {
                put.execute((key.as_str(), serde_json::to_string(card)?))?;
            }
            Ok(())
        })
    }

    async fn update(&mut self, key: &Key, rank: u64) -> Result<()> {
        self.write_all(|transaction| {
            let mut get = Statement(transaction.prepare_cached(GET)?);
            let mut card: Card = get.look_up(key.as_str())?.ok_or("a card is missing")?;
            card.rank = rank;
            let text = serde_json::to_string(&card)?;
            transaction.prepare_cached(PUT)?.execute((key.as_str(), text))?;
            Ok(())
        })
    }

    async fn load(&mut self, records: &[Record]) -> Result<()> {
        self.write_all(|transaction| {
            let mut put = transaction.prepare_cached(PUT)?;
            for Record { key, document, .. } in records {
                put.execute((key.as_str(), serde_json::to_string(document)?))?;
            }
            Ok(())
        })
    }

    async fn indexed_load(&mut self, records: &[Record]) -> Result<()> {
        self.write_all(|transaction| {
            let mut deck = transaction.prepare_cached(PUT_DECK)?;
            let mut card = transaction.prepare_cached(PUT_CARD)?;
            let mut translation = transaction.prepare_cached(PUT_TRANSLATION)?;
            for Record { key, parent, document } in records {
                let text = serde_json::to_string(document)?;
                match document {
                    Document::Deck(_) => deck.execute((key.as_str(), text))?,
                    Document::Card(_) | Document::OldCard(_) => {
                        card.execute((key.as_str(), parent, text))?
                    }
                    Document::Translation(_) => {
                        translation.execute((key.as_str(), parent, text))?
                    }
                };
            }
            Ok(())
        })
    }

    async fn migrate(&mut self, keys: &[Key]) -> Result<Vec<Replacement<String>>> {
        let mut connection = self.read.lock();
        let transaction = connection.transaction()?;
        let mut statement = transaction.prepare_cached(GET)?;
        let mut migrated = Vec::with_capacity(keys.len());
        for key in keys {
            let old: String = statement.query_row([key.as_str()], |row| row.get(0))?;
            let new = migrate(&old)?;
            migrated.push(Replacement { key: key.clone(), old, new });
        }
        drop(statement);
        transaction.commit()?;
        Ok(migrated)
    }

    async fn replace(&mut self, replacements: Vec<Replacement<String>>) -> Result<()> {
        self.write_all(|transaction| {
            let mut replace = transaction.prepare_cached(REPLACE)?;
            for Replacement { key, old, new } in &replacements {
                if replace.execute((key.as_str(), new, old))? != 1 {
                    return Err(format!("{key} has changed since it was read").into());
                }
            }
            Ok(())
        })
    }

    async fn sweep(&mut self, _keys: &[Key]) -> Result<usize> {
        self.write_all(|transaction| Ok(transaction.prepare_cached(MIGRATE)?.execute([])?))
    }

    async fn touch(&mut self, keys: &[Key]) -> Result<()> {
        self.look_up_all(|statement| {
            keys.iter().try_for_each(|key| statement.look_up::<IgnoredAny>(key.as_str()).map(drop))
        })
    }

    async fn remove(&mut self, keys: &[Key]) -> Result<()> {
        self.write_all(|transaction| {
            let mut delete = transaction.prepare_cached(DELETE)?;
            for key in keys {
                delete.execute([key.as_str()])?;
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
