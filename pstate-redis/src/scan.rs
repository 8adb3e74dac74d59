//! Reading pages of records, and the names of spaces.

use std::num::NonZeroUsize;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use pstate_core::{Error, ErrorKind, Key, Page, Result, Scan, Space};

use crate::index::Entries;
use crate::layout::INDEX_MARK;
use crate::multi_get::ReadFrom;
use crate::store::Store;

/// How many entries of the index to read at once.
const ENTRIES_PER_READ: usize = 1_000;
/// How many bytes of records to read at once, by what is expected of them.
const BYTES_PER_READ: usize = 16 * 1024 * 1024;
/// How many bytes of records end a page before it is full.
const BYTES_PER_PAGE: usize = 64 * 1024 * 1024;
/// How many such reads a page makes before it ends without being full.
const READS_PER_PAGE: usize = 8;
/// How many spaces to check for records at once.
const CONCURRENT_SPACES: usize = 16;

/// The part of one type that a scan reads, with the bounds of `ZRANGEBYLEX`.
struct Range {
    entity_type: String,
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Store {
    pub(crate) async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.check_open()?;
        let mut page = Page::default();
        let mut reads = 0;
        for mut range in self.ranges(space, scan).await? {
            loop {
                let wanted = scan.limit.get() - page.records.len();
                let enough = reads >= READS_PER_PAGE && page.next.is_some();
                if wanted == 0 || enough {
                    return Ok(page);
                }
                reads += 1;
                let count = wanted.min(ENTRIES_PER_READ);
                let bounds = (&range.from[..], &range.to[..]);
                let entries =
                    self.complete_entries(space, &range.entity_type, bounds, count).await?;
                let is_all =
                    self.read_entries(space, &range.entity_type, &entries, &mut page).await?;
                if !is_all {
                    return Ok(page);
                }
                let Some(last) = entries.ids.last().filter(|_| entries.ids.len() == count) else {
                    break;
                };
                range.from = bound(b'(', last);
            }
        }
        // All ranges are at their end.
        page.next = None;
        Ok(page)
    }

    /// The types that a scan reads, in the order of their keys, each with its bounds.
    async fn ranges(&self, space: &Space, scan: &Scan) -> Result<Vec<Range>> {
        let (types, id) = match scan.prefix.split_once(':') {
            Some((entity_type, id)) if Key::new(entity_type, "x").is_ok() => {
                (vec![entity_type.to_owned()], id)
            }
            Some(_) => (Vec::new(), ""),
            None => {
                let mut types = self.types(space).await?;
                types.retain(|name| name.starts_with(&scan.prefix));
                (types, "")
            }
        };
        let from = match id {
            // Behind the index's mark.
            "" => bound(b'(', INDEX_MARK.as_bytes()),
            id => bound(b'[', id.as_bytes()),
        };
        let to = end_of(id.as_bytes());
        let range = |entity_type: String| {
            let mut from = from.clone();
            if let Some(after) = &scan.after {
                let (name, last) = (format!("{entity_type}:"), format!("{}:", after.entity_type()));
                if name < last {
                    return None;
                }
                if name == last && after.id() >= id {
                    from = bound(b'(', after.id().as_bytes());
                }
            }
            Some(Range { entity_type, from, to: to.clone() })
        };
        Ok(types.into_iter().filter_map(range).collect())
    }

    /// Adds the records of entries to a page, and where the next page begins. Returns whether it
    /// has read all of them: a page of large records ends before.
    async fn read_entries(
        &self,
        space: &Space,
        entity_type: &str,
        entries: &Entries,
        page: &mut Page,
    ) -> Result<bool> {
        let mut keys = Vec::with_capacity(entries.ids.len());
        for id in &entries.ids {
            let key = match str::from_utf8(id) {
                Ok(id) => Key::new(entity_type, id),
                // Fails, with an error that shows the bytes.
                Err(_) => Key::from_stored(&[entity_type.as_bytes(), b":", id].concat()),
            };
            match key {
                Ok(key) => keys.push(key),
                Err(error) => page.unreadable.push(unreadable(space, error.message())),
            }
        }
        let mut rest = &keys[..];
        while !rest.is_empty() {
            let expected = self.expected_bytes(space, rest).await?;
            let count = rest.len() * BYTES_PER_READ / expected.max(BYTES_PER_READ);
            let (part, after) = rest.split_at(count.max(1));
            rest = after;
            let found = self.find(space, part, ReadFrom::Primaries).await?;
            let mut missing = Vec::new();
            for (key, found) in part.iter().zip(found) {
                match found {
                    Ok(Some(record)) => page.records.push((key.clone(), record)),
                    Ok(None) => missing.push(key),
                    Err(error) => page.unreadable.push(error.in_operation("scan").at_key(key)),
                }
            }
            // The next page cannot begin after an id that is none, but after the one before it.
            page.next = part.last().cloned().or(page.next.take());
            if !missing.is_empty() {
                self.forget(space, entries, &missing).await;
            }
            let bytes: usize = page.records.iter().map(|(_, record)| record.bytes.len()).sum();
            if bytes >= BYTES_PER_PAGE && !rest.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) async fn spaces(&self) -> Result<Vec<Space>> {
        self.check_open()?;
        let mut spaces: Vec<Space> = stream::iter(self.listed_spaces().await?)
            .map(|space| async move {
                let used = self.holds_records(&space).await?;
                Ok::<_, Error>(used.then_some(space))
            })
            .buffer_unordered(CONCURRENT_SPACES)
            .try_filter_map(|space| async move { Ok(space) })
            .try_collect()
            .await?;
        spaces.sort_unstable();
        Ok(spaces)
    }

    async fn holds_records(&self, space: &Space) -> Result<bool> {
        let limit = NonZeroUsize::MIN;
        let mut scan = Scan { prefix: String::new(), after: None, limit };
        loop {
            let page = self.scan(space, &scan).await?;
            match page.next {
                _ if !page.records.is_empty() => return Ok(true),
                None => return Ok(false),
                next => {
                    scan.after = next;
                    // Entries without records: read more of them at once.
                    scan.limit = NonZeroUsize::MIN.saturating_add(ENTRIES_PER_READ);
                }
            }
        }
    }
}

/// A bound of `ZRANGEBYLEX`.
fn bound(kind: u8, id: &[u8]) -> Vec<u8> {
    let mut bound = Vec::with_capacity(1 + id.len());
    bound.push(kind);
    bound.extend_from_slice(id);
    bound
}

/// The bound behind all ids that begin with `prefix`: the next text of its length. UTF-8 has no
/// byte 255, so the last byte can always grow.
fn end_of(prefix: &[u8]) -> Vec<u8> {
    match prefix.split_last() {
        None => b"+".to_vec(),
        Some((last, rest)) => {
            let mut end = bound(b'(', rest);
            end.push(last.saturating_add(1));
            end
        }
    }
}

fn unreadable(space: &Space, why: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("an entry of the index that is no record: {why}"))
        .in_operation("scan")
        .in_space(space)
}
