//! The file that both sides work on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use pstate::sqlite::{SqliteAdapter, SqliteConfig, Synchronous};
use pstate::{Adapter, Batch, Key, Outcome, PState, Ref, Space, Write};
use pstate_testkit::workload::{Deck, schema};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Result;
use crate::operation::Operation;

/// The page cache of each connection.
pub(crate) const PAGE_CACHE_BYTES: u64 = 16 << 20;

/// How many keys a batch has.
pub(crate) const BATCH: usize = 100;

/// What is in the store besides what is preloaded: 24,001 documents, so that the index has depth.
const MANY: Deck = Deck { id: "many", cards: 6_000, translations: 3 };

/// What is preloaded.
pub(crate) const DECK: Deck = Deck { id: "spanish", cards: BATCH, translations: 3 };

/// Cards that are read with a schema: twice the same number, at version 1 and at version 2.
const OLD: Deck = Deck { id: "past", cards: 6_000, translations: 3 };
const CURRENT: Deck = Deck { id: "here", cards: 6_000, translations: 3 };

/// How many of those are measured. The others fill caches.
const MEASURED: usize = 5_000;

/// Shares no factor with the number of cards: keys that are asked for together lie far apart.
const STRIDE: usize = 1_777;

/// A card as a program declares it.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "decoded, not looked at")]
pub(crate) struct Card {
    front: String,
    back: String,
    rank: u64,
    translations: BTreeMap<String, Ref>,
}

/// A store with many documents, on a file of its own that is removed with it.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) adapter: Arc<SqliteAdapter>,
    /// Keys of documents that are only ever read to fill caches.
    pub(crate) filling: Vec<Key>,
    cards: Vec<Key>,
    /// At version 1, and what is stored there.
    old: Vec<(Key, String)>,
    /// At version 2.
    current: Vec<Key>,
    /// At version 2, and not among `current`.
    pub(crate) current_filling: Vec<Key>,
    _directory: TempDir,
}

impl Fixture {
    /// Writes the file, in the directory for temporary files.
    pub(crate) async fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let config =
            SqliteConfig::default().synchronous(Synchronous::Full).cache_size(PAGE_CACHE_BYTES);
        let adapter =
            Arc::new(SqliteAdapter::open_with(directory.path().join("bench.db"), config)?);
        let pstate = PState::builder(adapter.clone()).cache_bytes(0).build()?;
        MANY.store(&pstate).await?;
        DECK.store(&pstate).await?;
        let old = cards_at(1, OLD, 0..OLD.cards)?;
        let mut current = cards_at(1, CURRENT, 0..CURRENT.cards)?;
        for (_, text) in &mut current {
            *text = schema()?.migrate_text("base_card", text)?;
        }
        store(&*adapter, &old).await?;
        store(&*adapter, &current).await?;
        adapter.checkpoint().await?;
        let mut current: Vec<Key> = current.into_iter().map(|(key, _)| key).collect();
        let current_filling = current.split_off(MEASURED);

        let cards = (0..MANY.cards).map(|card| MANY.card_key(card).parse());
        let filling = (0..MANY.cards).step_by(3).map(|card| {
            let id = MANY.card_key(card);
            Key::new("translation", &format!("{}-es", id.trim_start_matches("base_card:")))
        });
        Ok(Self {
            adapter,
            filling: filling.collect::<Result<_, _>>()?,
            cards: cards.collect::<Result<_, _>>()?,
            old,
            current,
            current_filling,
            _directory: directory,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.adapter.path()
    }

    /// Keys of cards: distinct, scattered, and others in each round.
    pub(crate) fn keys(&self, round: usize, count: usize) -> Vec<Key> {
        scattered(round, count, self.cards.len()).map(|at| self.cards[at].clone()).collect()
    }

    /// The same among the cards at version 2.
    pub(crate) fn current_keys(&self, round: usize, count: usize) -> Vec<Key> {
        scattered(round, count, MEASURED).map(|at| self.current[at].clone()).collect()
    }

    /// The same among the cards at version 1, with their text.
    pub(crate) fn old(&self, round: usize, count: usize) -> Vec<(Key, String)> {
        scattered(round, count, MEASURED).map(|at| self.old[at].clone()).collect()
    }

    /// What a batch of writes stores: other content for each `edition`.
    pub(crate) fn cards(
        &self,
        operation: Operation,
        round: usize,
        edition: usize,
    ) -> Result<Vec<(Key, Value)>> {
        let keys = match operation {
            Operation::MultiPutNew => new_keys(edition)?,
            _ => self.keys(round, BATCH),
        };
        Ok(keys.into_iter().enumerate().map(|(card, key)| (key, edited(card, edition))).collect())
    }
}

/// Places below `len`: distinct, scattered, and others in each round.
fn scattered(round: usize, count: usize, len: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |n| (round * count + n) * STRIDE % len)
}

/// Some of a deck's cards in their old shape, as they are stored.
///
/// # Errors
/// If the deck's id makes no keys.
pub(crate) fn cards_at(
    version: u32,
    deck: Deck,
    cards: Range<usize>,
) -> Result<Vec<(Key, String)>> {
    let card = |card| {
        let mut value = deck.old_card(card);
        value["$v"] = json!(version);
        Ok((deck.card_key(card).parse()?, value.to_string()))
    };
    cards.map(card).collect()
}

/// Stores texts as they are.
///
/// # Errors
/// The first that the store reports.
pub(crate) async fn store(adapter: &dyn Adapter, cards: &[(Key, String)]) -> Result<()> {
    for cards in cards.chunks(1_000) {
        let puts = cards.iter().map(|(key, text)| Write::put(key.clone(), text.as_bytes()));
        for outcome in adapter.write(&Space::default(), &Batch::each(puts.collect())).await? {
            if !matches!(outcome, Outcome::Stored(_)) {
                return Err(format!("not stored: {outcome:?}").into());
            }
        }
    }
    Ok(())
}

/// Writes a deck's cards, in their old shape, into a new file.
///
/// # Errors
/// The first that the store reports.
pub async fn seed(path: &Path, deck: Deck, version: u32) -> Result<()> {
    const PORTION: usize = 1_000;
    let config = SqliteConfig::default().synchronous(Synchronous::Off);
    let adapter = SqliteAdapter::open_with(path, config)?;
    for first in (0..deck.cards).step_by(PORTION) {
        let cards = first..deck.cards.min(first + PORTION);
        store(&adapter, &cards_at(version, deck, cards)?).await?;
    }
    adapter.checkpoint().await?;
    Ok(adapter.close().await?)
}

/// Keys that no other edition has.
fn new_keys(edition: usize) -> Result<Vec<Key>> {
    // Neither in ascending order nor next to each other, like keys of users.
    let id = |card| format!("new-{:05}-{edition:08}", (edition + card) * STRIDE % 10_007);
    let keys = (0..BATCH).map(|card| Key::new("base_card", &id(card)));
    Ok(keys.collect::<Result<_, _>>()?)
}

fn edited(card: usize, edition: usize) -> Value {
    let mut value = DECK.card(card);
    value["rank"] = json!(edition);
    value
}
