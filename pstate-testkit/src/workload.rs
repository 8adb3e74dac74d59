//! The documents that tests and benchmarks share: decks of flashcards with translations.

use pstate_core::schema::{Entity, Schema, has_many, integer, list, map, patterns, string};
use pstate_core::{PState, Result};
use serde_json::{Value, json};

/// The languages of a card's translations, in the order in which they are used.
const LANGUAGES: [&str; 5] = ["es", "fr", "ja", "de", "pt"];

/// A deck, its cards, and their translations: a graph of three levels.
#[derive(Debug, Clone, Copy)]
pub struct Deck {
    /// The deck's id; cards and translations derive theirs from it.
    pub id: &'static str,
    /// How many cards it has.
    pub cards: usize,
    /// How many translations each card has, at most five.
    pub translations: usize,
}

impl Deck {
    /// The deck's key.
    pub fn key(&self) -> String {
        format!("base_deck:{}", self.id)
    }

    /// The key of a card.
    pub fn card_key(&self, card: usize) -> String {
        format!("base_card:{}", self.card_id(card))
    }

    /// The key of a card's translation into one of the languages; `None` if it has fewer.
    pub fn translation_key(&self, card: usize, language: usize) -> Option<String> {
        let lang = LANGUAGES[..self.translations].get(language)?;
        Some(format!("translation:{}-{lang}", self.card_id(card)))
    }

    fn card_id(&self, card: usize) -> String {
        format!("{}-{card:06}", self.id)
    }

    /// The deck as it is written today.
    pub fn deck(&self) -> Value {
        self.deck_of(0..self.cards)
    }

    /// A deck of only these cards: one that refers to documents which lie far apart.
    pub fn deck_of(&self, cards: impl IntoIterator<Item = usize>) -> Value {
        let cards: serde_json::Map<_, _> = cards
            .into_iter()
            .map(|card| (self.card_id(card), json!({ "$ref": self.card_key(card) })))
            .collect();
        json!({ "name": self.id, "cards": cards, "tags": ["base"], "metadata": {} })
    }

    /// The deck as it was written yesterday, at version 1.
    pub fn old_deck(&self) -> Value {
        let cards: Vec<_> = (0..self.cards).map(|card| self.card_id(card)).collect();
        json!({ "title": self.id, "cards": cards, "tags": "base, old", "metadata": "by hand" })
    }

    /// A card; about 200 bytes with its translations' references.
    pub fn card(&self, card: usize) -> Value {
        let id = self.card_id(card);
        let translations: serde_json::Map<_, _> = LANGUAGES[..self.translations]
            .iter()
            .map(|lang| ((*lang).to_owned(), json!({ "$ref": format!("translation:{id}-{lang}") })))
            .collect();
        json!({
            "front": format!("the word number {card}"),
            "back": format!("la palabra número {card}, así de sencillo"),
            "rank": card,
            "translations": translations,
        })
    }

    /// A card as it was written yesterday, at version 1: its rank is text.
    pub fn old_card(&self, card: usize) -> Value {
        let mut value = self.card(card);
        value["rank"] = json!(card.to_string());
        value
    }

    /// All documents of the deck with their keys.
    pub fn documents(&self) -> Vec<(String, Value)> {
        let mut documents = vec![(self.key(), self.deck())];
        for card in 0..self.cards {
            let id = self.card_id(card);
            documents.push((self.card_key(card), self.card(card)));
            for lang in &LANGUAGES[..self.translations] {
                documents.push((
                    format!("translation:{id}-{lang}"),
                    json!({ "lang": lang, "text": format!("{lang} {card}: así, tschüß, 単語") }),
                ));
            }
        }
        documents
    }

    /// Stores all of it.
    pub async fn store(&self, pstate: &PState) -> Result<()> {
        pstate.multi_put(self.documents()).await
    }
}

/// Draws documents of which some are asked for often and most of them seldom: the one at place `n` in
/// proportion to `1 / (n + 1)`.
#[derive(Debug, Clone)]
pub struct Zipf {
    /// Of each place: how much it and all before it are asked for together.
    sums: Vec<f64>,
}

impl Zipf {
    /// Over so many documents, at least one.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn new(documents: usize) -> Self {
        let shares = (1..=documents.max(1)).map(|place| 1.0 / place as f64);
        let sums = shares.scan(0.0, |sum, share| {
            *sum += share;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// A place, from 0 on.
    pub fn draw(&self, random: &mut fastrand::Rng) -> usize {
        let last = self.sums.len() - 1;
        let drawn = random.f64() * self.sums[last];
        self.sums.partition_point(|sum| *sum < drawn).min(last)
    }
}

/// The schema of these documents: decks at version 2, with yesterday's shape migrated; cards at
/// version 2, since their rank became a number; translations at version 1.
pub fn schema() -> Result<Schema> {
    Schema::new([
        Entity::new("base_deck", 2)
            .field(string("name").required())
            .field(has_many("cards", "base_card").migrate(patterns::ids_to_refs))
            .field(list("tags").migrate(patterns::split_text(",")))
            .field(map("metadata").migrate(patterns::wrap_text("note")))
            .step(1, 2, patterns::rename("title", "name")),
        Entity::new("base_card", 2)
            .field(string("front").required())
            .field(string("back"))
            .field(integer("rank").migrate(patterns::parse_integer))
            .field(has_many("translations", "translation")),
        Entity::new("translation", 1)
            .field(string("lang").required())
            .field(string("text").required()),
    ])
}
