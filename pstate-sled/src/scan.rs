//! Reading pages of records, and the names of spaces.

use std::ops::{Bound, ControlFlow};

use pstate_core::{Error, ErrorKind, Page, Result, Scan, Space, VersionCounts};
use sled::IVec;

use crate::database::Database;
use crate::multi_get::record;
use crate::stored_key::{
    after_space, parse_key, parse_space, space_name, stored_key, stored_prefix,
};

/// How many records are read before writes have their turn.
const PORTION: usize = 256;

/// How many unreadable records a page reports one by one. The others are counted, so that a tree
/// full of them needs no memory to speak of.
const REPORTED: usize = 100;

/// Reads until there are as many records as asked for, past what is stored under no key.
pub(crate) fn page(database: &Database, space: &Space, scan: &Scan) -> Result<Page> {
    let prefix = stored_prefix(space, &scan.prefix);
    // The page begins at the later one of the two bounds.
    let from = match &scan.after {
        Some(after) if after.as_str() >= scan.prefix.as_str() => {
            Bound::Excluded(stored_key(space, after))
        }
        _ => Bound::Included(prefix.clone()),
    };
    let key_at = space.as_str().len() + 1;
    let unreadable =
        |why: String| Error::new(ErrorKind::Corrupt, why).in_operation("scan").in_space(space);
    let mut page = Page::default();
    let mut unreported = 0_usize;
    walk(database, &prefix, from, |stored, value| {
        if page.records.len() == scan.limit.get() {
            page.next = page.records.last().map(|(key, _)| key.clone());
            return ControlFlow::Break(());
        }
        match parse_key(stored, key_at) {
            Ok(key) => page.records.push((key, record(value))),
            Err(why) if page.unreadable.len() < REPORTED => {
                page.unreadable.push(unreadable(format!("an entry that is no record: {why}")));
            }
            Err(_) => unreported += 1,
        }
        ControlFlow::Continue(())
    })?;
    if unreported > 0 {
        page.unreadable.push(unreadable(format!("{unreported} more entries that are no records")));
    }
    Ok(page)
}

/// Counts the records of a space by type and version.
pub(crate) fn count_versions(database: &Database, space: &Space) -> Result<VersionCounts> {
    let prefix = stored_prefix(space, "");
    let mut counts = VersionCounts::default();
    walk(database, &prefix, Bound::Included(prefix.clone()), |stored, value| {
        match parse_key(stored, prefix.len()) {
            Ok(key) => counts.add(key.as_str(), value),
            Err(why) => counts.add_unreadable(&why),
        }
        ControlFlow::Continue(())
    })?;
    Ok(counts)
}

/// All spaces, each found from the one before by one look-up.
pub(crate) fn spaces(database: &Database) -> Result<Vec<Space>> {
    let mut spaces = Vec::new();
    let mut from = Vec::new();
    while let Some(stored) = database.read(|tree| {
        let next = tree.range(from.as_slice()..).next().transpose()?;
        Ok(next.map(|(stored, _)| stored))
    })? {
        let name = space_name(&stored);
        match parse_space(name) {
            Ok(space) if stored.len() > name.len() => spaces.push(space),
            Ok(_) => tracing::warn!("an entry without a space"),
            Err(why) => tracing::warn!(why, "entries in a space that cannot be addressed"),
        }
        from = if stored.len() > name.len() {
            after_space(name)
        } else {
            // What comes directly after it: it has no separator, so it is no space.
            let mut next = name.to_vec();
            next.push(0);
            next
        };
    }
    Ok(spaces)
}

/// Visits what is stored from `from` on and begins with `prefix`, in portions.
fn walk(
    database: &Database,
    prefix: &[u8],
    mut from: Bound<Vec<u8>>,
    mut visit: impl FnMut(&[u8], &IVec) -> ControlFlow<()>,
) -> Result<()> {
    loop {
        let last = database.read(|tree| {
            let mut last = None;
            for entry in tree.range((from.clone(), Bound::Unbounded)).take(PORTION) {
                let (stored, value) = entry?;
                if !stored.starts_with(prefix) || visit(&stored, &value).is_break() {
                    return Ok(None);
                }
                last = Some(stored);
            }
            Ok(last)
        })?;
        match last {
            Some(last) => from = Bound::Excluded(last.to_vec()),
            None => return Ok(()),
        }
    }
}
