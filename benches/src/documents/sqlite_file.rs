//! A file full of cards, for the suites that work on a file.

use std::path::Path;

use pstate::Adapter;
use pstate::sqlite::{SqliteAdapter, SqliteConfig, Synchronous};
use pstate_testkit::workload::Deck;

use crate::Result;

use super::texts::cards_at;
use super::write::store;

/// How many cards are built before they are written.
const AT_ONCE: usize = 1_000;

/// Creates an SQLite file with a deck's cards in the shape of version 1, with any version.
///
/// # Errors
/// What the store reports.
pub async fn create_sqlite_file(path: &Path, deck: Deck, version: u32) -> Result<()> {
    let config = SqliteConfig::default().synchronous(Synchronous::Off);
    let adapter = SqliteAdapter::open_with(path, config)?;
    for first in (0..deck.cards).step_by(AT_ONCE) {
        let cards = first..deck.cards.min(first + AT_ONCE);
        store(&adapter, &cards_at(version, deck, cards)?).await?;
    }
    adapter.checkpoint().await?;
    Ok(adapter.close().await?)
}
