//! A flashcard app's state in a store of your choice, from import to statistics.
//!
//! Decks, cards and translations are imported from JSON Lines, the store is closed and opened again,
//! and a deck is read back as a graph: three reads, whatever its size. Then a deck that was stored in
//! yesterday's shape is read; it arrives in today's, and the store gets it in the background. In the
//! end today's program is rolled back, and yesterday's reads what it has written.

mod schema;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use pstate::{Adapter, Collection, Document, Loaded, PState, Ref, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Imports three decks of flashcards into a store, reads them back as a graph, and brings an old
/// deck up to date while reading it.
#[derive(Parser)]
#[command(
    after_help = "Without --store it is a temporary SQLite file. With --store sqlite:FILE, look inside \
    afterwards:\n  sqlite3 FILE \"select key, value ->> 'front' from pstate where key like 'base_card:%' limit 5\"\n\
    The features sled and redis add stores: cargo run --example flashcards --features sled -- --store sled:DIRECTORY"
)]
struct Arguments {
    /// Keep everything in this store, such as sqlite:FILE; it is imported into again if it exists.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The deck to show: kitchen, travel or nature.
    #[arg(long, default_value = "kitchen")]
    deck: String,
    /// How many of its cards to print.
    #[arg(long, default_value_t = 12, value_name = "N")]
    cards: usize,
}

#[derive(Serialize, Deserialize)]
struct Deck {
    name: String,
    #[serde(default)]
    description: String,
    cards: BTreeMap<String, Ref<Card>>,
}

#[derive(Serialize, Deserialize)]
struct Card {
    front: String,
    #[serde(default)]
    hint: String,
    rank: i64,
    tags: Vec<String>,
    deck: Ref<Deck>,
    translations: BTreeMap<String, Ref<Translation>>,
}

#[derive(Serialize, Deserialize)]
struct Translation {
    lang: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

const DECKS: Collection<Deck> = Collection::new("base_deck");
const CARDS: Collection<Card> = Collection::new("base_card");
const TRANSLATIONS: Collection<Translation> = Collection::new("translation");

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flashcards: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let url = arguments
        .store
        .clone()
        .unwrap_or_else(|| format!("sqlite:{}", temporary.path().join("flashcards.db").display()));

    heading("Importing");
    let store = pstate::open(&url).await?;
    let pstate = handle(&store, schema::today()?)?;
    import(&pstate).await?;
    pstate.close().await?;
    println!("stored in {store:?}");

    heading("Reading a deck with its cards and their translations");
    let store = pstate::open(&url).await?;
    let pstate = handle(&store, schema::today()?)?;
    let key = DECKS.key(&arguments.deck)?;
    println!("{}\n", pstate.explain(&key, "cards.translations")?);
    let started = Instant::now();
    let Some(loaded) = pstate.preload(&key, "cards.translations").await? else {
        return Err(format!("there is no deck {:?}", arguments.deck).into());
    };
    let took = started.elapsed();
    show_deck(&loaded, arguments.cards)?;
    println!(
        "\n{} documents in {} reads and {:.1} ms; one by one it would have been {} reads",
        loaded.len(),
        loaded.round_trips(),
        took.as_secs_f64() * 1e3,
        loaded.len()
    );
    let started = Instant::now();
    let again = pstate.preload(&key, "cards.translations").await?.ok_or("the deck is gone")?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    println!("and again: {} reads and {took:.1} ms", again.round_trips());

    heading("Reading a deck in yesterday's shape");
    import_old_deck(&pstate).await?;
    println!("{}", pstate.migration_status().await?);
    let before = stored_deck(&store).await?;
    let loaded = pstate.preload("base_deck:proverbs", "cards.translations").await?;
    let loaded = loaded.ok_or("the deck is gone")?;
    show_change(&before, loaded.root())?;
    println!();
    show_deck(&loaded, 4)?;
    println!(
        "\n{} documents were migrated while they were read, in {} reads",
        pstate.stats().migrations,
        loaded.round_trips()
    );
    println!("the store still holds version {}", stored_deck(&store).await?.version());
    println!("flush: {}", pstate.flush().await?);
    println!("now the store holds version {}", stored_deck(&store).await?.version());
    println!("{} documents are still old", pstate.migration_status().await?.older());
    let statistics = pstate.stats();
    pstate.close().await?;

    let store = pstate::open(&url).await?;
    let pstate = handle(&store, schema::today()?)?;
    pstate.preload("base_deck:proverbs", "cards.translations").await?;
    println!("opened anew and read again: {} migrations", pstate.stats().migrations);

    heading("Studying");
    let studied = CARDS.update(&pstate, "proverbs-early-bird", |card| {
        card.tags.push("studied today".into());
        Ok(())
    });
    let tags = studied.await?.ok_or("the card is gone")?;
    println!("{}: {}", tags.key(), tags.get("tags")?.unwrap_or(&Value::Null));

    pstate.close().await?;

    heading("Rolling back: yesterday's program reads what today's has written");
    let store = pstate::open(&url).await?;
    let stored = stored_deck(&store).await?;
    let yesterday = handle(&store, schema::yesterday()?)?;
    let read = yesterday.get("base_deck:proverbs").await?.ok_or("the deck is gone")?;
    show_change(&stored, &read)?;
    println!("the store still holds version {}", stored_deck(&store).await?.version());
    yesterday.close().await?;

    heading("Statistics of the handle that did most of it");
    show_statistics(&statistics);
    Ok(())
}

fn handle(store: &Arc<dyn Adapter>, schema: Schema) -> Result<PState> {
    Ok(PState::builder(store.clone()).schema(schema).build()?)
}

/// The old deck as it is stored: a handle without a schema shows what another program sees.
async fn stored_deck(store: &Arc<dyn Adapter>) -> Result<Document> {
    let raw = PState::builder(store.clone()).build()?;
    Ok(raw.get("base_deck:proverbs").await?.ok_or("the deck is gone")?)
}

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

/// Reads the JSON Lines and stores them: one write for each kind of document.
async fn import(pstate: &PState) -> Result<()> {
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

/// Stores a deck as version 1 of this program did.
async fn import_old_deck(pstate: &PState) -> Result<()> {
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

/// Prints a deck the way a learner would like to see it: the easiest cards first.
fn show_deck(loaded: &Loaded, most: usize) -> Result<()> {
    let deck = loaded.root().decode::<Deck>()?;
    let mut cards = Vec::new();
    for document in loaded.follow(loaded.root(), "cards")? {
        cards.push((document.decode::<Card>()?, document));
    }
    cards.sort_by_key(|(card, _)| card.rank);

    println!("  {}", deck.name);
    if !deck.description.is_empty() {
        println!("  {}", deck.description);
    }
    println!();
    let mut rows = vec![["", "English", "Español", "Français", "日本語"].map(str::to_owned)];
    for (card, document) in cards.iter().take(most) {
        let texts = translations(loaded, document)?;
        let text = |lang: &str| texts.get(lang).cloned().unwrap_or_default();
        let rank = card.rank.to_string();
        rows.push([rank, card.front.clone(), text("es"), text("fr"), text("ja")]);
    }
    print_table(&rows);
    let left = cards.len().saturating_sub(most);
    if left > 0 {
        println!("  and {left} more");
    }
    Ok(())
}

/// A card's translations by language. Reads nothing: they came with the deck.
fn translations(loaded: &Loaded, card: &Document) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for document in loaded.follow(card, "translations")? {
        let translation = document.decode::<Translation>()?;
        let text = match &translation.reading {
            Some(reading) if *reading != translation.text => {
                format!("{} ({reading})", translation.text)
            }
            _ => translation.text.clone(),
        };
        texts.insert(translation.lang.clone(), text);
    }
    Ok(texts)
}

/// Prints columns that line up, also with characters that are two columns wide.
fn print_table<const N: usize>(rows: &[[String; N]]) {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].width()).max().unwrap_or_default()
    });
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(widths) {
            line.push(' ');
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.width() + 1));
        }
        println!("{}", line.trim_end());
    }
}

/// Prints the members of a document before and after.
fn show_change(before: &Document, after: &Document) -> Result<()> {
    let empty = pstate::Object::new();
    let (old, new) = (before.value()?.as_object(), after.value()?.as_object());
    let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let shown =
        |value: Option<&Value>| value.map_or(String::new(), |it| shortened(&it.to_string()));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let mut rows = vec![["", "stored", "read"].map(str::to_owned)];
    rows.extend(
        names.into_iter().map(|name| [name.clone(), shown(old.get(name)), shown(new.get(name))]),
    );
    print_table(&rows);
    Ok(())
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 52;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(SHOWN - 1).collect::<String>())
}

fn show_statistics(stats: &pstate::Stats) {
    let rate =
        |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{:.0}%", rate * 100.0));
    let mut rows = vec![["", "hits", "misses", "hit rate"].map(str::to_owned)];
    for (name, cache) in &stats.by_type {
        let counts = [cache.hits.to_string(), cache.misses.to_string()];
        let [hits, misses] = counts;
        rows.push([name.clone(), hits, misses, rate(cache.hit_rate())]);
    }
    print_table(&rows);
    println!(
        "\n  {} reads of {} keys, {} writes; {} documents in {} KiB of cache",
        stats.reads,
        stats.keys_read,
        stats.writes,
        stats.cache_entries,
        stats.cache_bytes / 1024
    );
    let writer = &stats.write_back;
    println!(
        "  {} migrations; {} written back in {} flushes, {} conflicts, {} waiting",
        stats.migrations, writer.stored, writer.flushes, writer.conflicts, writer.queued
    );
}

fn heading(text: &str) {
    println!("\n{text}\n{}", "─".repeat(text.width()));
}
