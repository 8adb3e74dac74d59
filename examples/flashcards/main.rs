//! Keeps the documents of a flashcard app in a store of your choice, from import to roll-back.
//!
//! The program imports decks, cards and translations from JSON Lines, opens the store again, and
//! reads a deck back as a graph: three reads, whatever its size. Then it reads a deck that an older
//! version of the program has stored. The deck arrives in today's shape, and the store gets it in
//! the background. At the end yesterday's program reads what today's has written, as it would after
//! a roll-back.

mod arguments;
mod documents;
mod import;
mod print;
mod schema;
mod temporary;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use pstate::{Adapter, Document, PState, Schema};
use serde_json::Value;

use crate::arguments::Arguments;
use crate::documents::{CARDS, DECKS};
use crate::import::{import, import_old_deck};
use crate::print::{heading, print_change, print_deck, print_statistics};
use crate::temporary::TemporaryDirectory;

/// The deck that an older version of the program has stored.
const OLD_DECK: &str = "base_deck:proverbs";

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("flashcards: {error}; --help lists the options");
            return ExitCode::from(2);
        }
    };
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flashcards: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let temporary = TemporaryDirectory::create()?;
    let file = temporary.path().join("flashcards.db");
    let url = arguments.store.unwrap_or_else(|| format!("sqlite:{}", file.display()));

    import_decks(&url).await?;

    let (store, pstate) = open(&url, schema::today()?).await?;
    read_deck(&pstate, &arguments.deck, arguments.cards).await?;
    read_old_deck(&store, &pstate).await?;
    let statistics = pstate.stats();
    pstate.close().await?;

    let (_, pstate) = open(&url, schema::today()?).await?;
    read_old_deck_again(&pstate).await?;
    study(&pstate).await?;
    pstate.close().await?;

    roll_back(&url).await?;

    heading("Statistics of the handle that did most of it");
    print_statistics(&statistics);
    Ok(())
}

/// Opens the store. The adapter itself is for a second handle on it: see [`stored_deck`].
async fn open(url: &str, schema: Schema) -> Result<(Arc<dyn Adapter>, PState)> {
    let store = pstate::open(url).await?;
    let pstate = PState::builder(store.clone()).schema(schema).build()?;
    Ok((store, pstate))
}

async fn import_decks(url: &str) -> Result<()> {
    heading("Importing");
    let (store, pstate) = open(url, schema::today()?).await?;
    import(&pstate).await?;
    pstate.close().await?;
    println!("stored in {store:?}");
    Ok(())
}

/// Reads a deck with all that it refers to: once from the store, once from the cache.
async fn read_deck(pstate: &PState, deck: &str, cards: usize) -> Result<()> {
    heading("Reading a deck with its cards and their translations");
    let key = DECKS.key(deck)?;
    println!("{}\n", pstate.explain(&key, "cards.translations")?);
    let started = Instant::now();
    let Some(loaded) = pstate.preload(&key, "cards.translations").await? else {
        return Err(format!("there is no deck {deck:?}").into());
    };
    let took = started.elapsed().as_secs_f64() * 1e3;
    print_deck(&loaded, cards)?;
    println!(
        "\n{} documents in {} reads and {took:.1} ms; one by one it would have been {} reads",
        loaded.len(),
        loaded.round_trips(),
        loaded.len()
    );
    let started = Instant::now();
    let again = pstate.preload(&key, "cards.translations").await?.ok_or("the deck is gone")?;
    let took = started.elapsed().as_secs_f64() * 1e3;
    println!("and again: {} reads and {took:.1} ms", again.round_trips());
    Ok(())
}

/// Reads a deck of an older version: it arrives in today's shape, and the flush stores it so.
async fn read_old_deck(store: &Arc<dyn Adapter>, pstate: &PState) -> Result<()> {
    heading("Reading a deck in yesterday's shape");
    import_old_deck(pstate).await?;
    println!("{}", pstate.migration_status().await?);
    let before = stored_deck(store).await?;
    let loaded = pstate.preload(OLD_DECK, "cards.translations").await?;
    let loaded = loaded.ok_or("the deck is gone")?;
    print_change(&before, loaded.root())?;
    println!();
    print_deck(&loaded, 4)?;
    println!(
        "\n{} documents were migrated while they were read, in {} reads",
        pstate.stats().migrations,
        loaded.round_trips()
    );
    println!("the store still holds version {}", stored_deck(store).await?.version());
    println!("flush: {}", pstate.flush().await?);
    println!("now the store holds version {}", stored_deck(store).await?.version());
    println!("{} documents are still old", pstate.migration_status().await?.older());
    Ok(())
}

async fn read_old_deck_again(pstate: &PState) -> Result<()> {
    pstate.preload(OLD_DECK, "cards.translations").await?;
    println!("opened anew and read again: {} migrations", pstate.stats().migrations);
    Ok(())
}

/// Changes a document by compare-and-swap.
async fn study(pstate: &PState) -> Result<()> {
    heading("Studying");
    let studied = CARDS.update(pstate, "proverbs-early-bird", |card| {
        card.tags.push("studied today".into());
        Ok(())
    });
    let card = studied.await?.ok_or("the card is gone")?;
    println!("{}: {}", card.key(), card.get("tags")?.unwrap_or(&Value::Null));
    Ok(())
}

/// Reads with yesterday's schema, whose down-steps give documents their old shape back.
async fn roll_back(url: &str) -> Result<()> {
    heading("Rolling back: yesterday's program reads what today's has written");
    let (store, yesterday) = open(url, schema::yesterday()?).await?;
    let stored = stored_deck(&store).await?;
    let read = yesterday.get(OLD_DECK).await?.ok_or("the deck is gone")?;
    print_change(&stored, &read)?;
    println!("the store still holds version {}", stored_deck(&store).await?.version());
    yesterday.close().await?;
    Ok(())
}

/// The old deck as it is stored: a handle without a schema shows what another program sees.
async fn stored_deck(store: &Arc<dyn Adapter>) -> Result<Document> {
    let raw = PState::builder(store.clone()).build()?;
    Ok(raw.get(OLD_DECK).await?.ok_or("the deck is gone")?)
}
