//! Large files for benchmarks of their own.

use std::path::Path;

use pstate::Adapter;
use pstate::sqlite::{SqliteAdapter, SqliteConfig, Synchronous};
use pstate_testkit::workload::Deck;

use crate::Result;
use crate::fixture::{cards_at, store};

/// Writes a deck's cards, in their old shape, into a new SQLite file.
///
/// # Errors
/// The first that the store reports.
pub async fn seed(path: &Path, deck: Deck, version: u32) -> Result<()> {
    const PORTION: usize = 1_000;
    let config = SqliteConfig::default().synchronous(Synchronous::Off);
    let adapter = SqliteAdapter::open_with(path, config)?;
    for first in (0..deck.cards).step_by(PORTION) {
        let cards = first..deck.cards.min(first + PORTION);
        store(&adapter, &cards_at(version, deck, cards)?).await?;
    }
    adapter.checkpoint().await?;
    Ok(adapter.close().await?)
}
