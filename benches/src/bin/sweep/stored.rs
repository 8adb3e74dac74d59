//! What is stored: written before the sweep, and looked at afterwards without PState.

use std::path::Path;

use pstate::Adapter;
use pstate::sqlite::{SqliteAdapter, SqliteConfig, Synchronous};
use pstate_benches::{Result, cards_at, store};
use pstate_testkit::workload::Deck;
use rusqlite::{Connection, OpenFlags};

const PORTION: usize = 1_000;

/// The cards of a store of this size.
pub(crate) fn deck(documents: usize) -> Deck {
    Deck { id: "many", cards: documents, translations: 3 }
}

/// Writes so many cards at version 1.
pub(crate) async fn seed(path: &Path, documents: usize) -> Result<()> {
    let config = SqliteConfig::default().synchronous(Synchronous::Off);
    let adapter = SqliteAdapter::open_with(path, config)?;
    for first in (0..documents).step_by(PORTION) {
        let cards = first..documents.min(first + PORTION);
        store(&adapter, &cards_at(1, deck(documents), cards)?).await?;
    }
    adapter.checkpoint().await?;
    Ok(adapter.close().await?)
}

/// How many cards are stored at version 2, and how many are not.
pub(crate) fn versions(path: &Path) -> Result<(u64, u64)> {
    let count =
        "SELECT count(*) FILTER (WHERE version IS 2), count(*) FILTER (WHERE version IS NOT 2)
        FROM (SELECT json_extract(value, '$.\"$v\"') AS version FROM pstate
              WHERE space = 'default' AND key LIKE 'base\\_card:%' ESCAPE '\\')";
    let (current, others): (i64, i64) =
        open(path)?.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((current.try_into()?, others.try_into()?))
}

/// How many of the acknowledged writes are not there: of each card the last one, by its rank.
pub(crate) fn lost(path: &Path, documents: usize, writes: &[(usize, u64)]) -> Result<usize> {
    let connection = open(path)?;
    let mut rank = connection.prepare(
        "SELECT json_extract(value, '$.rank') FROM pstate WHERE space = 'default' AND key = ?1",
    )?;
    let mut lost = 0;
    for &(card, written) in writes {
        let key = deck(documents).card_key(card);
        let stored: Option<i64> = rank.query_row([key], |row| row.get(0))?;
        lost += usize::from(stored != Some(written.try_into()?));
    }
    Ok(lost)
}

fn open(path: &Path) -> Result<Connection> {
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}
