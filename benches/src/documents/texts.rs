//! Documents as the store keeps them.

use pstate::Key;
use pstate_testkit::workload::Deck;
use serde_json::{Value, json};

use crate::Result;

use super::card::Card;
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
    cards: impl IntoIterator<Item = usize>,
) -> Result<Vec<(Key, String)>> {
    let card = |card| {
        let mut value = deck.old_card(card);
        value["$v"] = json!(version);
        with_key(&deck.card_key(card), &value)
    };
    cards.into_iter().map(card).collect()
}

/// A card with different content in each edition.
pub(crate) fn edited(card: usize, edition: usize) -> Result<Card> {
    let mut card: Card = serde_json::from_value(DECK.card(card % BATCH))?;
    card.rank = edition as u64;
    Ok(card)
}

/// Whole decks with 100 cards each and their translations: 8,020 documents.
pub(crate) fn decks() -> Result<Vec<(Key, String)>> {
    const IDS: [&str; 20] = [
        "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "tr", "uk", "zh",
        "ar", "cs", "da", "el", "fi",
    ];
    let decks = IDS.map(|id| Deck { id, cards: BATCH, translations: 3 });
    let documents = decks.iter().flat_map(Deck::documents);
    documents.map(|(key, value)| with_key(&key, &value)).collect()
}

/// The text of a value, under a key.
pub(super) fn with_key(key: &str, value: &Value) -> Result<(Key, String)> {
    Ok((key.parse()?, value.to_string()))
}
