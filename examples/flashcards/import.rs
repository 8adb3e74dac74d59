//! From JSON Lines to documents in the store.

use std::collections::BTreeMap;
use std::time::Instant;

use pstate::{PState, Ref};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Result;
use crate::documents::{CARDS, Card, DECKS, Deck, TRANSLATIONS, Translation};

#[derive(Deserialize)]
struct DeckLine {
    id: String,
    name: String,
    description: String,
}

#[derive(Deserialize)]
struct CardLine {
    id: String,
    deck: String,
    front: String,
    hint: String,
    rank: i64,
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct TranslationLine {
    card: String,
    #[serde(flatten)]
    translation: Translation,
}

/// Reads the JSON Lines and stores them, with one write for each kind of document.
pub(crate) async fn import(pstate: &PState) -> Result<()> {
    let started = Instant::now();
    let decks: Vec<DeckLine> = lines(include_str!("data/decks.jsonl"))?;
    let cards: Vec<CardLine> = lines(include_str!("data/cards.jsonl"))?;
    let translations: Vec<TranslationLine> = lines(include_str!("data/translations.jsonl"))?;
    let counts = (decks.len(), cards.len(), translations.len());

    let mut of_card: BTreeMap<String, BTreeMap<String, Ref<Translation>>> = BTreeMap::new();
    let mut items = Vec::new();
    for TranslationLine { card, translation } in translations {
        let id = format!("{card}-{}", translation.lang);
        let reference = TRANSLATIONS.reference(&id)?;
        of_card.entry(card).or_default().insert(translation.lang.clone(), reference);
        items.push((id, translation));
    }
    TRANSLATIONS.multi_put(pstate, items).await?;

    let mut of_deck: BTreeMap<String, BTreeMap<String, Ref<Card>>> = BTreeMap::new();
    let mut items = Vec::new();
    for CardLine { id, deck, front, hint, rank, tags } in cards {
        of_deck.entry(deck.clone()).or_default().insert(id.clone(), CARDS.reference(&id)?);
        let translations = of_card.remove(&id).unwrap_or_default();
        let deck = DECKS.reference(&deck)?;
        items.push((id, Card { front, hint, rank, tags, deck, translations }));
    }
    CARDS.multi_put(pstate, items).await?;

    let items = decks.into_iter().map(|DeckLine { id, name, description }| {
        let cards = of_deck.remove(&id).unwrap_or_default();
        (id, Deck { name, description, cards })
    });
    DECKS.multi_put(pstate, items).await?;
    println!(
        "{} decks, {} cards and {} translations in {:.1} ms",
        counts.0,
        counts.1,
        counts.2,
        started.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

/// Stores a deck in the shape of version 1, as an older program did.
pub(crate) async fn import_old_deck(pstate: &PState) -> Result<()> {
    let mut lines: Vec<Value> = lines(include_str!("data/old_deck.jsonl"))?;
    let mut of_card: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["kind"] == "translation") {
        let (card, lang) = (line["card"].as_str(), line["lang"].as_str());
        let card = card.ok_or("a translation without a card")?;
        let id = format!("{card}-{}", lang.ok_or("a translation without a language")?);
        let translation: Translation = serde_json::from_value(line.clone())?;
        TRANSLATIONS.put(pstate, &id, &translation).await?;
        of_card.entry(card.to_owned()).or_default().push(id);
    }
    lines.retain(|line| line["kind"] != "translation");
    for mut line in lines {
        let document = line.as_object_mut().ok_or("a line that is no object")?;
        let kind = document.remove("kind");
        let id = document.get("id").and_then(Value::as_str).ok_or("a line without an id")?;
        let id = id.to_owned();
        if kind == Some(json!("deck")) {
            document.remove("id");
            pstate.put_at(1, DECKS.key(&id)?, &line).await?;
        } else {
            let translations = of_card.remove(&id).unwrap_or_default();
            document.insert("translations".into(), json!(translations));
            pstate.put_at(1, CARDS.key(&id)?, &line).await?;
        }
    }
    Ok(())
}

fn lines<T: for<'de> Deserialize<'de>>(text: &str) -> Result<Vec<T>> {
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
