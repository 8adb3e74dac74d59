//! The documents that both sides work on.

use std::collections::BTreeMap;
use std::ops::Range;

use pstate::{Adapter, Batch, Key, Outcome, Ref, Space, Write};
use pstate_testkit::workload::{Deck, schema};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Result;

/// How many keys a batch has.
pub(crate) const BATCH: usize = 100;

/// Shares no factor with the numbers of cards: keys that are asked for together lie far apart.
const STRIDE: usize = 1_777;

/// How many documents are written at once where that is not measured.
const PORTION: usize = 1_000;

/// A card as a program declares it.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "decoded, not looked at")]
pub(crate) struct Card {
    front: String,
    back: String,
    rank: u64,
    translations: BTreeMap<String, Ref>,
}

/// Where a store stands.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    /// What is measured.
    pub(crate) cards: Vec<Key>,
    /// Documents that are only ever read to fill caches.
    pub(crate) filling: Vec<Key>,
    /// Decks of 100 cards.
    pub(crate) decks: Vec<Key>,
}

/// What is preloaded, and whose cards are stored again and again.
pub(crate) const DECK: Deck = Deck { id: "spanish", cards: BATCH, translations: 3 };

/// What is in the store besides: as many cards as in the guide's own benchmark.
const MANY: Deck = Deck { id: "many", cards: 1_000, translations: 3 };

impl Fixture {
    /// 1,000 cards with their translations, a deck of 100 others with theirs: 4,401 documents.
    pub(crate) fn small() -> Result<(Self, Vec<(Key, String)>)> {
        let texts = MANY.documents().into_iter().chain(DECK.documents());
        let texts: Vec<_> =
            texts.map(|(key, value)| with_key(&key, &value)).collect::<Result<_>>()?;
        // A translation of each card, two of every other one: as much as all that is measured.
        let filling = (0..MANY.cards)
            .flat_map(|card| (0..=card % 2).filter_map(move |at| MANY.translation_key(card, at)));
        let fixture = Self {
            cards: keys((0..MANY.cards).map(|card| MANY.card_key(card)))?,
            filling: keys(filling)?,
            decks: keys([DECK.key()])?,
        };
        Ok((fixture, texts))
    }

    /// So many cards, decks of which each refers to 100 that lie apart, and 11 documents whose keys begin
    /// with [`ELEVEN`].
    pub(crate) fn large(cards: usize) -> Result<(Self, Vec<(Key, String)>)> {
        const DECKS: usize = 64;
        let many = Deck { id: "many", cards, translations: 3 };
        let mut texts = Vec::with_capacity(cards + DECKS + 11);
        for card in 0..cards {
            texts.push(with_key(&many.card_key(card), &many.card(card))?);
        }
        let mut decks = Vec::new();
        for deck in 0..DECKS {
            let key = format!("base_deck:many-{deck:02}");
            texts.push(with_key(&key, &many.deck_of(scattered(deck, BATCH, cards)))?);
            decks.push(key);
        }
        texts.extend(eleven()?);
        let (measured, filling) = (cards - cards / 5, cards.min(10_000) / 5);
        let filling = (0..filling).map(|card| many.card_key(cards - 1 - card));
        let fixture = Self {
            cards: keys((0..measured).map(|card| many.card_key(card)))?,
            filling: keys(filling)?,
            decks: keys(decks)?,
        };
        Ok((fixture, texts))
    }

    /// Keys of cards: distinct, scattered, and others in each round.
    pub(crate) fn keys(&self, round: usize, count: usize) -> Vec<Key> {
        scattered(round, count, self.cards.len()).map(|at| self.cards[at].clone()).collect()
    }

    /// One of the decks.
    pub(crate) fn deck(&self, round: usize) -> &Key {
        &self.decks[round % self.decks.len()]
    }
}

/// What the keys of [`eleven`] documents begin with.
pub(crate) const ELEVEN: &str = "base_card:eleven-";

/// Documents whose keys begin alike.
pub(crate) fn eleven() -> Result<Vec<(Key, String)>> {
    let deck = Deck { id: "eleven", cards: 11, translations: 3 };
    (0..deck.cards).map(|card| with_key(&deck.card_key(card), &deck.card(card))).collect()
}

/// Cards that are read with a schema.
#[derive(Debug)]
pub(crate) struct OldCards {
    /// At version 1, and what is stored there.
    old: Vec<(Key, String)>,
    /// At version 2.
    current: Vec<Key>,
    /// At version 2, and only read to fill caches.
    pub(crate) filling: Vec<Key>,
}

impl OldCards {
    const OLD: Deck = Deck { id: "past", cards: 1_000, translations: 3 };
    const CURRENT: Deck = Deck { id: "here", cards: 2_500, translations: 3 };
    /// How many of the current ones are measured.
    const MEASURED: usize = 1_000;

    pub(crate) fn new() -> Result<(Self, Vec<(Key, String)>)> {
        let old = cards_at(1, Self::OLD, 0..Self::OLD.cards)?;
        let mut texts = cards_at(1, Self::CURRENT, 0..Self::CURRENT.cards)?;
        let schema = schema()?;
        for (_, text) in &mut texts {
            *text = schema.migrate_text("base_card", text)?;
        }
        let mut current: Vec<Key> = texts.iter().map(|(key, _)| key.clone()).collect();
        let filling = current.split_off(Self::MEASURED);
        texts.extend(old.iter().cloned());
        Ok((Self { old, current, filling }, texts))
    }

    /// Keys of cards at version 2, as in [`Fixture::keys`].
    pub(crate) fn current_keys(&self, round: usize, count: usize) -> Vec<Key> {
        let places = scattered(round, count, self.current.len());
        places.map(|at| self.current[at].clone()).collect()
    }

    /// The same of cards at version 1, with their text.
    pub(crate) fn old(&self, round: usize, count: usize) -> Vec<(Key, String)> {
        scattered(round, count, self.old.len()).map(|at| self.old[at].clone()).collect()
    }
}

/// Places below `len`: distinct, scattered, and others in each round.
pub(crate) fn scattered(round: usize, count: usize, len: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |n| (round * count + n) * STRIDE % len)
}

fn keys(texts: impl IntoIterator<Item = String>) -> Result<Vec<Key>> {
    Ok(texts.into_iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}

fn with_key(key: &str, value: &Value) -> Result<(Key, String)> {
    Ok((key.parse()?, value.to_string()))
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
        with_key(&deck.card_key(card), &value)
    };
    cards.map(card).collect()
}

/// Stores texts as they are.
///
/// # Errors
/// The first that the store reports.
pub(crate) async fn store(adapter: &dyn Adapter, texts: &[(Key, String)]) -> Result<()> {
    for texts in texts.chunks(PORTION) {
        let puts = texts.iter().map(|(key, text)| Write::put(key.clone(), text.as_bytes()));
        write(adapter, Batch::each(puts.collect())).await?;
    }
    Ok(())
}

/// Removes documents.
///
/// # Errors
/// The first that the store reports.
pub(crate) async fn remove(adapter: &dyn Adapter, keys: &[Key]) -> Result<()> {
    write(adapter, Batch::each(keys.iter().cloned().map(Write::delete).collect())).await
}

async fn write(adapter: &dyn Adapter, batch: Batch) -> Result<()> {
    for outcome in adapter.write(&Space::default(), &batch).await? {
        if !matches!(outcome, Outcome::Stored(_) | Outcome::Deleted) {
            return Err(format!("not done: {outcome:?}").into());
        }
    }
    Ok(())
}

/// Keys that no other edition has.
pub(crate) fn new_keys(edition: usize, count: usize) -> Result<Vec<Key>> {
    // Neither in ascending order nor next to each other, like keys of users.
    let id = |card| format!("new-{:05}-{edition:08}", (edition + card) * STRIDE % 10_007);
    let keys = (0..count).map(|card| Key::new("base_card", &id(card)));
    Ok(keys.collect::<Result<_, _>>()?)
}

/// A card with other content in each edition.
pub(crate) fn edited(card: usize, edition: usize) -> Value {
    let mut value = DECK.card(card % BATCH);
    value["rank"] = json!(edition);
    value
}
