use pstate_core::{PState, Result};
use serde_json::{Map, Value, json};

/// The languages of a card's translations; a deck uses the first ones.
const LANGUAGES: [&str; 5] = ["es", "fr", "ja", "de", "pt"];

/// A deck, its cards, and their translations: a graph of three levels.
#[derive(Debug, Clone, Copy)]
pub struct Deck {
    /// The deck's id; cards and translations derive theirs from it.
    pub id: &'static str,
    /// The number of cards.
    pub cards: usize,
    /// The number of translations of each card, at most five.
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

    /// The key of a card's translation into a language; `None` if the deck does not use that many
    /// languages.
    pub fn translation_key(&self, card: usize, language: usize) -> Option<String> {
        let lang = self.languages().get(language)?;
        Some(self.key_of_translation(card, lang))
    }

    fn languages(&self) -> &'static [&'static str] {
        &LANGUAGES[..self.translations]
    }

    fn card_id(&self, card: usize) -> String {
        format!("{}-{card:06}", self.id)
    }

    fn key_of_translation(&self, card: usize, lang: &str) -> String {
        format!("translation:{}-{lang}", self.card_id(card))
    }

    /// The deck at its current version.
    pub fn deck(&self) -> Value {
        self.deck_of(0..self.cards)
    }

    /// A deck with only these cards, so that its references can point to documents that are stored
    /// far apart.
    pub fn deck_of(&self, cards: impl IntoIterator<Item = usize>) -> Value {
        let cards: Map<_, _> = cards
            .into_iter()
            .map(|card| (self.card_id(card), json!({ "$ref": self.card_key(card) })))
            .collect();
        json!({ "name": self.id, "cards": cards, "tags": ["base"], "metadata": {} })
    }

    /// The deck at version 1.
    pub fn old_deck(&self) -> Value {
        let cards: Vec<_> = (0..self.cards).map(|card| self.card_id(card)).collect();
        json!({ "title": self.id, "cards": cards, "tags": "base, old", "metadata": "by hand" })
    }

    /// A card at its current version; about 200 bytes with the references to its translations.
    pub fn card(&self, card: usize) -> Value {
        let translations: Map<_, _> = self
            .languages()
            .iter()
            .map(|lang| {
                let key = self.key_of_translation(card, lang);
                ((*lang).to_owned(), json!({ "$ref": key }))
            })
            .collect();
        json!({
            "front": format!("the word number {card}"),
            "back": format!("la palabra número {card}, así de sencillo"),
            "rank": card,
            "translations": translations,
        })
    }

    /// A card at version 1: its rank is text.
    pub fn old_card(&self, card: usize) -> Value {
        let mut value = self.card(card);
        value["rank"] = json!(card.to_string());
        value
    }

    /// All documents of the deck with their keys.
    pub fn documents(&self) -> Vec<(String, Value)> {
        let mut documents = vec![(self.key(), self.deck())];
        for card in 0..self.cards {
            documents.push((self.card_key(card), self.card(card)));
            for lang in self.languages() {
                documents.push((
                    self.key_of_translation(card, lang),
                    json!({ "lang": lang, "text": format!("{lang} {card}: así, tschüß, 単語") }),
                ));
            }
        }
        documents
    }

    /// Stores all documents of the deck.
    pub async fn store(&self, pstate: &PState) -> Result<()> {
        pstate.multi_put(self.documents()).await
    }
}
