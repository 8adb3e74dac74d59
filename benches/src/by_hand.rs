//! The work as a careful program does it with rusqlite alone.
//!
//! One connection with the settings that the adapter has, cached statements, one transaction for
//! each batch, and one look-up for each key in it, which is faster than `IN (...)`.

use std::hint::black_box;
use std::sync::Arc;

use pstate::{Key, Schema, Space};
use pstate_testkit::workload::schema;
use rusqlite::{CachedStatement, Connection};
use serde_json::Value;

use crate::Result;
use crate::contest::{COLD_GETS, WARM_KEYS, WARM_PASSES, WRITES};
use crate::fixture::{BATCH, Card, DECK, Fixture, PAGE_CACHE_BYTES};
use crate::operation::Operation;
use crate::timing::timed_here;

const GET: &str = "SELECT value FROM pstate WHERE space = ?1 AND key = ?2";
const PUT: &str = "INSERT INTO pstate (space, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (space, key) DO UPDATE SET value = excluded.value";
const UPDATE: &str = "UPDATE pstate SET value = ?3 WHERE space = ?1 AND key = ?2 AND value IS ?4";

/// A card and its translations.
type CardWith<T> = (Value, Vec<T>);

#[derive(Debug)]
pub(crate) struct ByHand {
    fixture: Arc<Fixture>,
    connection: Connection,
    schema: Schema,
}

impl ByHand {
    pub(crate) fn new(fixture: Arc<Fixture>) -> Result<Self> {
        let connection = Connection::open(fixture.path())?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        let kibibytes = i64::try_from(PAGE_CACHE_BYTES / 1024)?;
        connection.pragma_update(None, "cache_size", -kibibytes)?;
        Ok(Self { fixture, connection, schema: schema()? })
    }

    /// One sample or more, each in nanoseconds; reads return parsed documents.
    pub(crate) fn turn(
        &mut self,
        operation: Operation,
        round: usize,
        edition: usize,
    ) -> Result<Vec<f64>> {
        match operation {
            Operation::GetWarmTyped => self.get_warm(parse::<Card>),
            Operation::MultiPutOverwrite | Operation::MultiPutNew => {
                self.multi_put(operation, round, edition)
            }
            Operation::Flush => self.flush(round),
            _ => self.read(operation, round, parse::<Value>),
        }
    }

    /// The same, but what need not be parsed to find references stays text.
    pub(crate) fn raw_turn(&mut self, operation: Operation, round: usize) -> Result<Vec<f64>> {
        self.read(operation, round, |text| Ok(text.to_owned()))
    }

    fn read<T>(
        &mut self,
        operation: Operation,
        round: usize,
        parse: impl Fn(&str) -> Result<T>,
    ) -> Result<Vec<f64>> {
        // Our side has just filled its cache with these: what reads them is as warm here.
        let filling = self.fixture.filling.clone();
        black_box(self.multi_get(&filling, &parse)?);
        match operation {
            Operation::GetCold | Operation::GetColdValues => self.get_cold(round, parse),
            Operation::MultiGet | Operation::MultiGetValues => {
                let keys = self.fixture.keys(round, BATCH);
                Ok(vec![timed_here(|| self.multi_get(&keys, &parse))?])
            }
            Operation::Preload | Operation::PreloadValues => {
                Ok(vec![timed_here(|| self.preload(&parse))?])
            }
            Operation::PreloadDeep | Operation::PreloadDeepValues => {
                Ok(vec![timed_here(|| self.preload_deep(&parse))?])
            }
            _ => self.get_warm(parse),
        }
    }

    /// What has no cache reads each time.
    fn get_warm<T>(&self, parse: impl Fn(&str) -> Result<T>) -> Result<Vec<f64>> {
        let keys = self.fixture.keys(0, WARM_KEYS);
        let read = || {
            for key in (0..WARM_PASSES).flat_map(|_| &keys) {
                black_box(self.get(key, &parse)?);
            }
            Ok(())
        };
        // As on our side, the first time is not counted.
        timed_here(read)?;
        let nanos = timed_here(read)?;
        Ok(vec![nanos / f64::from(u32::try_from(WARM_KEYS * WARM_PASSES)?)])
    }

    fn get_cold<T>(&self, round: usize, parse: impl Fn(&str) -> Result<T>) -> Result<Vec<f64>> {
        let keys = self.fixture.keys(round, COLD_GETS);
        keys.iter().map(|key| timed_here(|| self.get(key, &parse))).collect()
    }

    fn get<T>(&self, key: &Key, parse: impl Fn(&str) -> Result<T>) -> Result<Option<T>> {
        let mut statement = self.connection.prepare_cached(GET)?;
        look_up(&mut statement, key.as_str(), parse)
    }

    fn multi_get<T>(
        &mut self,
        keys: &[Key],
        parse: impl Fn(&str) -> Result<T>,
    ) -> Result<Vec<Option<T>>> {
        let transaction = self.connection.transaction()?;
        let mut statement = transaction.prepare_cached(GET)?;
        let found = keys.iter().map(|key| look_up(&mut statement, key.as_str(), &parse)).collect();
        drop(statement);
        transaction.commit()?;
        found
    }

    fn preload<T>(&mut self, parse: impl Fn(&str) -> Result<T>) -> Result<(Value, Vec<T>)> {
        self.load_deck(|statement, key| look_up(statement, key, &parse))
    }

    fn preload_deep<T>(
        &mut self,
        keep: impl Fn(&str) -> Result<T>,
    ) -> Result<(Value, Vec<CardWith<T>>)> {
        self.load_deck(|statement, key| {
            // Raw or not, a card has to be parsed: it says what its translations are.
            let Some(card) = look_up(statement, key, parse::<Value>)? else { return Ok(None) };
            let translations = references(&card, "translations")
                .filter_map(|key| look_up(statement, key, &keep).transpose())
                .collect::<Result<Vec<T>>>()?;
            Ok(Some((card, translations)))
        })
    }

    /// Reads all in one transaction, each document when its reference is met.
    fn load_deck<C>(
        &mut self,
        load_card: impl Fn(&mut CachedStatement<'_>, &str) -> Result<Option<C>>,
    ) -> Result<(Value, Vec<C>)> {
        let transaction = self.connection.transaction()?;
        let mut statement = transaction.prepare_cached(GET)?;
        let deck = look_up(&mut statement, &DECK.key(), parse::<Value>)?.ok_or("no deck")?;
        let cards = references(&deck, "cards")
            .filter_map(|key| load_card(&mut statement, key).transpose())
            .collect::<Result<Vec<C>>>()?;
        drop(statement);
        transaction.commit()?;
        Ok((deck, cards))
    }

    fn multi_put(
        &mut self,
        operation: Operation,
        round: usize,
        edition: usize,
    ) -> Result<Vec<f64>> {
        let mut samples = Vec::with_capacity(WRITES);
        // As on our side, the first write is not counted.
        for write in 0..=WRITES {
            let cards = self.fixture.cards(operation, round, edition + write)?;
            samples.push(timed_here(|| self.put_all(&cards))?);
        }
        Ok(samples.split_off(1))
    }

    /// Moves what was written into the main file. SQLite does so by itself after 1,000 pages, and
    /// sides that take turns would always meet that at the same place.
    pub(crate) fn empty_log(&self) -> Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Brings the cards that a turn is going to write back to version 1.
    pub(crate) fn store_old(&mut self, round: usize) -> Result<()> {
        let old = self.fixture.old(round, (WRITES + 1) * BATCH);
        let transaction = self.connection.transaction()?;
        let mut statement = transaction.prepare_cached(PUT)?;
        for (key, text) in old {
            statement.execute((Space::DEFAULT, key.as_str(), text))?;
        }
        drop(statement);
        Ok(transaction.commit()?)
    }

    /// Stores migrated cards, each if it is still what was read. What is to be stored is at hand.
    fn flush(&mut self, round: usize) -> Result<Vec<f64>> {
        let old = self.fixture.old(round, (WRITES + 1) * BATCH);
        let mut samples = Vec::with_capacity(WRITES);
        // As on our side, the first write is not counted.
        for batch in old.chunks(BATCH) {
            let keys: Vec<Key> = batch.iter().map(|(key, _)| key.clone()).collect();
            black_box(self.multi_get(&keys, parse::<Value>)?);
            let migrate = |text| self.schema.migrate_text("base_card", text);
            let new: Vec<String> =
                batch.iter().map(|(_, old)| migrate(old)).collect::<Result<_, _>>()?;
            samples.push(timed_here(|| self.update_all(batch, &new))?);
        }
        Ok(samples.split_off(1))
    }

    fn update_all(&mut self, old: &[(Key, String)], new: &[String]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let mut statement = transaction.prepare_cached(UPDATE)?;
        for ((key, old), new) in old.iter().zip(new) {
            let changed = statement.execute((Space::DEFAULT, key.as_str(), new, old))?;
            if changed != 1 {
                return Err(format!("{key} was not what was read").into());
            }
        }
        drop(statement);
        Ok(transaction.commit()?)
    }

    fn put_all(&mut self, documents: &[(Key, Value)]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let mut statement = transaction.prepare_cached(PUT)?;
        for (key, document) in documents {
            let text = serde_json::to_string(document)?;
            statement.execute((Space::DEFAULT, key.as_str(), text))?;
        }
        drop(statement);
        transaction.commit()?;
        Ok(())
    }
}

fn look_up<T>(
    statement: &mut CachedStatement<'_>,
    key: &str,
    parse: impl Fn(&str) -> Result<T>,
) -> Result<Option<T>> {
    let mut rows = statement.query((Space::DEFAULT, key))?;
    rows.next()?.map(|row| parse(row.get_ref(0)?.as_str()?)).transpose()
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_json::from_str(text)?)
}

fn references<'a>(document: &'a Value, member: &str) -> impl Iterator<Item = &'a str> {
    let members = document[member].as_object().into_iter().flat_map(|members| members.values());
    members.filter_map(|reference| reference["$ref"].as_str())
}
