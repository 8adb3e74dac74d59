//! Documents as the store keeps them.

use std::ops::Range;

use pstate::Key;
use pstate_testkit::workload::Deck;
use serde_json::{Value, json};

use crate::Result;

use super::keys::BATCH;

/// The deck that preloads read; writes store its cards again and again.
pub(super) const DECK: Deck = Deck { id: "spanish", cards: BATCH, translations: 3 };

/// The beginning of the keys of the documents of [`eleven`].
pub(crate) const ELEVEN: &str = "base_card:eleven-";

/// 11 documents whose keys begin alike.
pub(crate) fn eleven() -> Result<Vec<(Key, String)>> {
    let deck = Deck { id: "eleven", cards: 11, translations: 3 };
    (0..deck.cards).map(|card| with_key(&deck.card_key(card), &deck.card(card))).collect()
}

/// Some of a deck's cards in the shape of version 1, with any version.
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

/// A card with different content in each edition.
pub(crate) fn edited(card: usize, edition: usize) -> Value {
    let mut value = DECK.card(card % BATCH);
    value["rank"] = json!(edition);
    value
}

/// The text of a value, under a key.
pub(super) fn with_key(key: &str, value: &Value) -> Result<(Key, String)> {
    Ok((key.parse()?, value.to_string()))
}
