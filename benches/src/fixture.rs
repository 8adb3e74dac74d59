//! The file that both sides work on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pstate::sqlite::{SqliteAdapter, SqliteConfig, Synchronous};
use pstate::{Key, PState, Ref};
use pstate_testkit::workload::Deck;
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
        adapter.checkpoint().await?;

        let cards = (0..MANY.cards).map(|card| MANY.card_key(card).parse());
        let filling = (0..MANY.cards).step_by(3).map(|card| {
            let id = MANY.card_key(card);
            Key::new("translation", &format!("{}-es", id.trim_start_matches("base_card:")))
        });
        Ok(Self {
            adapter,
            filling: filling.collect::<Result<_, _>>()?,
            cards: cards.collect::<Result<_, _>>()?,
            _directory: directory,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.adapter.path()
    }

    /// Keys of cards: distinct, scattered, and others in each round.
    pub(crate) fn keys(&self, round: usize, count: usize) -> Vec<Key> {
        let at = |card| (round * count + card) * STRIDE % self.cards.len();
        (0..count).map(|card| self.cards[at(card)].clone()).collect()
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
