//! Graphs: decks with their cards and translations.

use std::fmt;

use serde_json::Value;

use crate::documents::plain::{Card, Deck, Translation};

/// A deck, each of its cards, and the translations of each card.
pub struct Graph<D = Deck, C = Card, T = Translation> {
    pub(super) deck: D,
    pub(super) cards: Vec<(C, Vec<T>)>,
}

impl<D, C, T> fmt::Debug for Graph<D, C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("cards", &self.cards.len()).finish_non_exhaustive()
    }
}

impl Graph<Value, Value, Value> {
    /// One tree, with documents in the place of their keys.
    pub(super) fn into_tree(self) -> Value {
        let Self { mut deck, cards } = self;
        let cards = cards.into_iter().map(|(mut card, translations)| {
            card["translations"] = Value::Array(translations);
            card
        });
        deck["cards"] = cards.collect();
        deck
    }
}
