//! Documents as structs, as a program declares them that uses PState.

use std::collections::BTreeMap;

use pstate::{Collection, Ref};
use serde::{Deserialize, Serialize};

pub(crate) const DECKS: Collection<Deck> = Collection::new("base_deck");
pub(crate) const CARDS: Collection<Card> = Collection::new("base_card");
pub(crate) const TRANSLATIONS: Collection<Translation> = Collection::new("translation");

/// A deck with references to its cards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deck {
    pub(super) name: String,
    pub(super) cards: BTreeMap<String, Ref>,
    pub(super) tags: Vec<String>,
}

/// A card with references to its translations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(super) front: String,
    pub(super) back: String,
    pub(crate) rank: u64,
    pub(super) translations: BTreeMap<String, Ref>,
}

/// A translation of a card.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Translation {
    pub(super) lang: String,
    pub(super) text: String,
}

impl Translation {
    /// A translation into a language.
    pub(crate) fn new(lang: &str, text: &str) -> Self {
        Self { lang: lang.to_owned(), text: text.to_owned() }
    }
}
