//! Reading pages of records, and the names of spaces.

use std::ops::{Bound, ControlFlow};

use pstate_core::{Error, ErrorKind, Page, Result, Scan, Space, VersionCounts};
use sled::IVec;

use crate::layout::{after_space, parse_key, record, space_name, stored_key, stored_prefix};
use crate::store::Store;

/// How many records are read under the lock before writes have their turn.
const RECORDS_PER_LOCK: usize = 256;

/// How many unreadable entries a page reports one by one. It counts the others, so that a tree full
/// of them takes little memory.
const MAX_REPORTED: usize = 100;

/// Reads up to the limit of the scan, past entries whose key is no key.
pub(crate) fn page(store: &Store, space: &Space, scan: &Scan) -> Result<Page> {
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
    walk(store, &prefix, from, |stored, value| {
        if page.records.len() == scan.limit.get() {
            page.next = page.records.last().map(|(key, _)| key.clone());
            return ControlFlow::Break(());
        }
        match parse_key(stored, key_at) {
            Ok(key) => page.records.push((key, record(value))),
            Err(error) if page.unreadable.len() < MAX_REPORTED => {
                let why = error.message();
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
pub(crate) fn count_versions(store: &Store, space: &Space) -> Result<VersionCounts> {
    let prefix = stored_prefix(space, "");
    let mut counts = VersionCounts::default();
    walk(store, &prefix, Bound::Included(prefix.clone()), |stored, value| {
        match parse_key(stored, prefix.len()) {
            Ok(key) => counts.add(key.as_str(), value),
            Err(error) => counts.add_unreadable(error.message()),
        }
        ControlFlow::Continue(())
    })?;
    Ok(counts)
}

/// All spaces, each found by one look-up from the one before.
pub(crate) fn spaces(store: &Store) -> Result<Vec<Space>> {
    let mut spaces = Vec::new();
    let mut from = Vec::new();
    while let Some(stored) = store.read(|tree| {
        let next = tree.range(from.as_slice()..).next().transpose()?;
        Ok(next.map(|(stored, _)| stored))
    })? {
        let name = space_name(&stored);
        match Space::from_stored(name) {
            Ok(space) if stored.len() > name.len() => spaces.push(space),
            Ok(_) => tracing::warn!("an entry without a space"),
            Err(error) => {
                tracing::warn!(
                    why = error.message(),
                    "entries in a space that cannot be addressed"
                );
            }
        }
        from = if stored.len() > name.len() {
            after_space(name)
        } else {
            // The next possible key: this one has no separator, so it is no space.
            let mut next = name.to_vec();
            next.push(0);
            next
        };
    }
    Ok(spaces)
}

/// Visits the entries from `from` on that begin with `prefix`. Releases the lock after each
/// portion.
fn walk(
    store: &Store,
    prefix: &[u8],
    mut from: Bound<Vec<u8>>,
    mut visit: impl FnMut(&[u8], &IVec) -> ControlFlow<()>,
) -> Result<()> {
    loop {
        let last = store.read(|tree| {
            let mut last = None;
            for entry in tree.range((from.clone(), Bound::Unbounded)).take(RECORDS_PER_LOCK) {
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
