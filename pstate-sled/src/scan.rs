//! Reading pages of records, and the names of spaces.

use std::ops::{Bound, ControlFlow};

use pstate_core::{Error, ErrorKind, Page, Result, Scan, Space, VersionCounts};
use sled::{IVec, Tree};

use crate::layout::{after_space, parse_key, record, space_name, stored_key, stored_prefix};
use crate::store::{Caller, Store};

/// How many records are read under the lock before writes have their turn.
const RECORDS_AT_ONCE: usize = 256;
/// How many bytes of values close such a portion.
const BYTES_AT_ONCE: usize = 256 * 1024;

/// How many unreadable entries a page reports one by one. It counts the others, so that a tree full
/// of them takes little memory.
const MAX_REPORTED: usize = 100;

/// Reads up to the limit of the scan, past entries whose key is no key.
pub(crate) fn page(store: &Store, caller: &Caller, space: &Space, scan: &Scan) -> Result<Page> {
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
    // One more than the limit shows whether there is a next page.
    let at_once = scan.limit.get().saturating_add(1);
    walk((store, caller), &prefix, from, at_once, |stored, value| {
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
pub(crate) fn count_versions(
    store: &Store,
    caller: &Caller,
    space: &Space,
) -> Result<VersionCounts> {
    let prefix = stored_prefix(space, "");
    let mut counts = VersionCounts::default();
    let from = Bound::Included(prefix.clone());
    walk((store, caller), &prefix, from, RECORDS_AT_ONCE, |stored, value| {
        match parse_key(stored, prefix.len()) {
            Ok(key) => counts.add(key.as_str(), value),
            Err(error) => counts.add_unreadable(error.message()),
        }
        ControlFlow::Continue(())
    })?;
    Ok(counts)
}

/// All spaces, each found by one look-up from the one before.
pub(crate) fn spaces(store: &Store, caller: &Caller) -> Result<Vec<Space>> {
    let mut spaces = Vec::new();
    let mut from = Vec::new();
    while let Some(stored) = store.read(|tree| {
        let next = tree.range(from.as_slice()..).next().transpose()?;
        Ok(next.map(|(stored, _)| stored))
    })? {
        caller.check()?;
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

/// Visits the entries from `from` on that begin with `prefix`, without the lock: it is held for one
/// portion of at most `at_once` entries at a time. Stops when the caller is gone.
fn walk(
    (store, caller): (&Store, &Caller),
    prefix: &[u8],
    mut from: Bound<Vec<u8>>,
    at_once: usize,
    mut visit: impl FnMut(&[u8], &IVec) -> ControlFlow<()>,
) -> Result<()> {
    loop {
        caller.check()?;
        let (portion, is_last) = store.read(|tree| portion(tree, prefix, &from, at_once))?;
        for (stored, value) in &portion {
            if visit(stored, value).is_break() {
                return Ok(());
            }
        }
        match portion.last() {
            Some((last, _)) if !is_last => from = Bound::Excluded(last.to_vec()),
            _ => return Ok(()),
        }
    }
}

type Portion = Vec<(IVec, IVec)>;

/// Entries that begin with `prefix`, and whether these are the last ones.
fn portion(
    tree: &Tree,
    prefix: &[u8],
    from: &Bound<Vec<u8>>,
    at_once: usize,
) -> sled::Result<(Portion, bool)> {
    let mut portion = Vec::new();
    let mut bytes = 0_usize;
    for entry in tree.range((from.clone(), Bound::Unbounded)) {
        let (stored, value) = entry?;
        if !stored.starts_with(prefix) {
            return Ok((portion, true));
        }
        bytes += value.len();
        portion.push((stored, value));
        if portion.len() >= at_once.min(RECORDS_AT_ONCE) || bytes >= BYTES_AT_ONCE {
            return Ok((portion, false));
        }
    }
    Ok((portion, true))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::config::SledConfig;

    fn store_with(directory: &TempDir, count: usize, len: usize) -> Store {
        let path = directory.path().join("app");
        let store = Store::open(&path, SledConfig::default()).expect("a store");
        let stored = store.write(|tree| {
            for n in 0..count {
                let key = stored_prefix(&Space::default(), &format!("card:{n}"));
                tree.insert(key, vec![0; len]).expect("stored");
            }
            Ok(())
        });
        stored.expect("an open store");
        store
    }

    fn walk_all(store: &Store, caller: &Caller, visit: impl FnMut()) -> Result<()> {
        let prefix = stored_prefix(&Space::default(), "");
        let (from, mut visit) = (Bound::Included(prefix.clone()), visit);
        walk((store, caller), &prefix, from, usize::MAX, |_, _| {
            visit();
            ControlFlow::Continue(())
        })
    }

    #[test]
    fn writers_need_not_wait_for_what_is_done_with_the_records() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = store_with(&directory, 2, 1);
        let (_waiting, caller) = Caller::new();
        let walked = walk_all(&store, &caller, || {
            store.try_write(|_| Ok(())).expect("the lock is held").expect("open");
        });
        walked.expect("walked");
    }

    #[test]
    fn a_portion_of_long_values_is_short() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = store_with(&directory, 4, BYTES_AT_ONCE / 2);
        let prefix = stored_prefix(&Space::default(), "");
        let from = Bound::Included(prefix.clone());
        let read = store.read(|tree| portion(tree, &prefix, &from, usize::MAX));
        let (portion, is_last) = read.expect("a portion");
        assert_eq!((portion.len(), is_last), (2, false));
    }

    #[test]
    fn a_walk_stops_when_its_caller_is_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = store_with(&directory, 3 * RECORDS_AT_ONCE, 1);
        let (waiting, caller) = Caller::new();
        let (mut waiting, mut visited) = (Some(waiting), 0);
        let walked = walk_all(&store, &caller, || {
            waiting.take();
            visited += 1;
        });
        assert!(walked.is_err());
        assert_eq!(visited, RECORDS_AT_ONCE);
    }
}
