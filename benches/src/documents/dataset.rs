//! The documents of a store, and which of them are measured.

use pstate::Key;
use pstate_testkit::workload::Deck;

use crate::Result;

use super::keys::{BATCH, parsed, scattered};
use super::texts::{DECK, eleven, with_key};

/// The documents of a store, and which of them are measured.
#[derive(Debug, Clone)]
pub(crate) struct Dataset {
    /// The cards that are measured.
    pub(crate) cards: Vec<Key>,
    /// Documents that only fill caches.
    pub(crate) filling: Vec<Key>,
    /// Decks of 100 cards.
    pub(crate) decks: Vec<Key>,
}

/// As many cards as in the performance guide's own benchmark.
const MANY: Deck = Deck { id: "many", cards: 1_000, translations: 3 };

impl Dataset {
    /// 1,000 cards with their translations, and a deck of 100 others with theirs: 4,401 documents.
    pub(crate) fn small() -> Result<(Self, Vec<(Key, String)>)> {
        let texts = MANY.documents().into_iter().chain(DECK.documents());
        let texts: Vec<_> =
            texts.map(|(key, value)| with_key(&key, &value)).collect::<Result<_>>()?;
        // One translation of each card, and a second one of every other card: as many bytes as all
        // that is measured.
        let filling = (0..MANY.cards)
            .flat_map(|card| (0..=card % 2).filter_map(move |at| MANY.translation_key(card, at)));
        let dataset = Self {
            cards: parsed((0..MANY.cards).map(|card| MANY.card_key(card)))?,
            filling: parsed(filling)?,
            decks: parsed([DECK.key()])?,
        };
        Ok((dataset, texts))
    }

    /// Any number of cards, 64 decks of 100 cards that lie far apart, and 11 documents whose keys
    /// begin with [`ELEVEN`](super::ELEVEN).
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
        let dataset = Self {
            cards: parsed((0..measured).map(|card| many.card_key(card)))?,
            filling: parsed(filling)?,
            decks: parsed(decks)?,
        };
        Ok((dataset, texts))
    }

    /// Keys of cards: distinct, scattered, and different in each round.
    pub(crate) fn keys(&self, round: usize, count: usize) -> Vec<Key> {
        scattered(round, count, self.cards.len()).map(|at| self.cards[at].clone()).collect()
    }

    /// One of the decks.
    pub(crate) fn deck(&self, round: usize) -> &Key {
        &self.decks[round % self.decks.len()]
    }
}
