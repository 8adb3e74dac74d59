//! The documents as Rust types, and the collections that hold them.

use std::collections::BTreeMap;

use pstate::{Collection, Ref};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Deck {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) cards: BTreeMap<String, Ref<Card>>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) front: String,
    #[serde(default)]
    pub(crate) hint: String,
    pub(crate) rank: i64,
    pub(crate) tags: Vec<String>,
    pub(crate) deck: Ref<Deck>,
    pub(crate) translations: BTreeMap<String, Ref<Translation>>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Translation {
    pub(crate) lang: String,
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reading: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

pub(crate) const DECKS: Collection<Deck> = Collection::new("base_deck");
pub(crate) const CARDS: Collection<Card> = Collection::new("base_card");
pub(crate) const TRANSLATIONS: Collection<Translation> = Collection::new("translation");
