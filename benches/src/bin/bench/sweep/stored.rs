//! The documents after a sweep, read with SQL and without PState.

use std::path::Path;

use pstate_benches::Result;
use pstate_testkit::workload::Deck;
use rusqlite::{Connection, OpenFlags};

/// How many cards are at version 2, and how many are not.
pub(super) fn versions(path: &Path) -> Result<(u64, u64)> {
    let count =
        "SELECT count(*) FILTER (WHERE version IS 2), count(*) FILTER (WHERE version IS NOT 2)
        FROM (SELECT json_extract(value, '$.\"$v\"') AS version FROM pstate
              WHERE space = 'default' AND key LIKE 'base\\_card:%' ESCAPE '\\')";
    let (current, others): (i64, i64) =
        open(path)?.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((current.try_into()?, others.try_into()?))
}

/// How many acknowledged writes are lost; `writes` has the last rank of each card.
pub(super) fn lost(path: &Path, deck: Deck, writes: &[(usize, u64)]) -> Result<usize> {
    let connection = open(path)?;
    let mut rank = connection.prepare(
        "SELECT json_extract(value, '$.rank') FROM pstate WHERE space = 'default' AND key = ?1",
    )?;
    let mut lost = 0;
    for &(card, written) in writes {
        let key = deck.card_key(card);
        let stored: Option<i64> = rank.query_row([key], |row| row.get(0))?;
        lost += usize::from(stored != Some(written.try_into()?));
    }
    Ok(lost)
}

fn open(path: &Path) -> Result<Connection> {
    Ok(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}
