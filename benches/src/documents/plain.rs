//! The same documents as a program writes them by hand: a list of keys instead of references, and
//! without a version.

use std::collections::{HashMap, HashSet};

use pstate::{Key, Ref};
use serde::{Deserialize, Serialize};

use crate::Result;

use super::card;

/// A deck. With an index, its cards name it, and it has no list of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deck {
    name: String,
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cards: Vec<String>,
}

/// A card; its translations as the cards of a [`Deck`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Card {
    front: String,
    back: String,
    pub(crate) rank: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) translations: Vec<String>,
}

/// A card of the first version, whose rank is a text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OldCard {
    front: String,
    back: String,
    rank: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    translations: Vec<String>,
}

/// A translation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Translation {
    lang: String,
    text: String,
}

/// Any of them.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Document {
    /// A deck.
    Deck(Deck),
    /// A card.
    Card(Card),
    /// A card of the first version.
    OldCard(OldCard),
    /// A translation.
    Translation(Translation),
}

/// A document under its key.
#[derive(Debug, Clone)]
pub struct Record {
    /// Where.
    pub key: Key,
    /// The key of the deck that a card is in, or of the card that a translation is of.
    pub parent: Option<String>,
    /// What.
    pub document: Document,
}

impl OldCard {
    /// The card in today's shape.
    pub(crate) fn migrate(self) -> Result<Card> {
        let Self { front, back, rank, translations } = self;
        Ok(Card { front, back, rank: rank.parse()?, translations })
    }
}

impl From<&card::Card> for Card {
    fn from(card: &card::Card) -> Self {
        let card::Card { front, back, rank, translations } = card.clone();
        Self { front, back, rank, translations: keys(translations) }
    }
}

/// The documents that PState stores as these texts.
///
/// # Errors
/// If a text is none of the documents that benchmarks use.
pub(crate) fn records(texts: &[(Key, String)]) -> Result<Vec<Record>> {
    let mut records: Vec<Record> = texts
        .iter()
        .map(|(key, text)| {
            Ok(Record { key: key.clone(), parent: None, document: document(key, text)? })
        })
        .collect::<Result<_>>()?;
    let stored: HashSet<&str> = texts.iter().map(|(key, _)| key.as_str()).collect();
    let mut parents = HashMap::new();
    for Record { key, document, .. } in &records {
        let children = document.children().iter();
        let children = children.filter(|child| stored.contains(child.as_str()));
        parents.extend(children.map(|child| (child.clone(), key.as_str().to_owned())));
    }
    for record in &mut records {
        record.parent = parents.remove(record.key.as_str());
    }
    Ok(records)
}

impl Document {
    fn children(&self) -> &[String] {
        match self {
            Self::Deck(deck) => &deck.cards,
            Self::Card(card) => &card.translations,
            Self::OldCard(_) | Self::Translation(_) => &[],
        }
    }

    /// The same without the list of children, for a store that has an index of parents.
    #[must_use]
    pub fn without_children(mut self) -> Self {
        match &mut self {
            Self::Deck(deck) => deck.cards.clear(),
            Self::Card(card) => card.translations.clear(),
            Self::OldCard(card) => card.translations.clear(),
            Self::Translation(_) => {}
        }
        self
    }
}

fn document(key: &Key, text: &str) -> Result<Document> {
    /// A card of either version, by its rank.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum EitherCard {
        Today(card::Card),
        Old(OldCardWithReferences),
    }
    #[derive(Deserialize)]
    struct OldCardWithReferences {
        front: String,
        back: String,
        rank: String,
        translations: std::collections::BTreeMap<String, Ref>,
    }
    Ok(match key.entity_type() {
        "base_deck" => {
            let card::Deck { name, cards, tags } = serde_json::from_str(text)?;
            Document::Deck(Deck { name, tags, cards: keys(cards) })
        }
        "base_card" => match serde_json::from_str(text)? {
            EitherCard::Today(card) => Document::Card((&card).into()),
            EitherCard::Old(OldCardWithReferences { front, back, rank, translations }) => {
                let translations = keys(translations);
                Document::OldCard(OldCard { front, back, rank, translations })
            }
        },
        _ => Document::Translation(serde_json::from_str(text)?),
    })
}

fn keys(references: impl IntoIterator<Item = (String, Ref)>) -> Vec<String> {
    let keys = references.into_iter();
    keys.map(|(_, reference)| reference.key().as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_keys_and_children_know_their_parent() {
        let texts = [
            (
                "base_deck:d",
                r#"{"name":"d","tags":[],"cards":{"c":{"$ref":"base_card:c"},"x":{"$ref":"base_card:x"}}}"#,
            ),
            ("base_card:c", r#"{"$v":1,"front":"f","back":"b","rank":"7","translations":{}}"#),
        ];
        let texts = texts.map(|(key, text)| (key.parse().expect("a key"), text.to_owned()));
        let records = records(&texts).expect("they are known");
        let shown: Vec<_> = records
            .iter()
            .map(|record| {
                let text = serde_json::to_string(&record.document).expect("it has a text");
                (text, record.parent.as_deref())
            })
            .collect();
        assert_eq!(
            shown,
            [
                (
                    r#"{"name":"d","tags":[],"cards":["base_card:c","base_card:x"]}"#.to_owned(),
                    None
                ),
                (r#"{"front":"f","back":"b","rank":"7"}"#.to_owned(), Some("base_deck:d")),
            ]
        );
    }
}
