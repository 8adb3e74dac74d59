//! What a store's documents are decoded into.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::graph::Graph;
use crate::Result;
use crate::documents::plain::{Card, Deck, OldCard, Translation};

/// What a read of a graph makes of the documents.
pub(super) trait Shape {
    type Deck: DeserializeOwned + Send + Sync;
    type Card: DeserializeOwned + Send + Sync;
    type Translation: DeserializeOwned + Send + Sync;

    /// The keys of a deck's cards.
    fn cards(deck: &Self::Deck) -> impl Iterator<Item = &str>;

    /// The keys of a card's translations.
    fn translations(card: &Self::Card) -> impl Iterator<Item = &str>;
}

/// Structs of the program.
pub(super) struct Structs;

/// JSON trees.
pub(super) struct Trees;

impl Shape for Structs {
    type Deck = Deck;
    type Card = Card;
    type Translation = Translation;

    fn cards(deck: &Deck) -> impl Iterator<Item = &str> {
        deck.cards.iter().map(String::as_str)
    }

    fn translations(card: &Card) -> impl Iterator<Item = &str> {
        card.translations.iter().map(String::as_str)
    }
}

impl Shape for Trees {
    type Deck = Value;
    type Card = Value;
    type Translation = Value;

    fn cards(deck: &Value) -> impl Iterator<Item = &str> {
        strings(&deck["cards"])
    }

    fn translations(card: &Value) -> impl Iterator<Item = &str> {
        strings(&card["translations"])
    }
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

pub(super) type GraphOf<S> =
    Graph<<S as Shape>::Deck, <S as Shape>::Card, <S as Shape>::Translation>;

/// The text of a card of the first version, in today's shape.
pub(super) fn migrate(text: &str) -> Result<String> {
    let old: OldCard = serde_json::from_str(text)?;
    Ok(serde_json::to_string(&old.migrate()?)?)
}
