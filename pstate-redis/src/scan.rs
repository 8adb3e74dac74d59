//! Reading pages of records, and the names of spaces.

use std::num::NonZeroUsize;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use pstate_core::{Error, ErrorKind, Key, Page, Result, Scan, Space};

use crate::answer::{bytes, only, texts};
use crate::error::Effect;
use crate::index::Entries;
use crate::multi_get::Ask;
use crate::servers::Unit;
use crate::store::Store;

/// How many entries of the index are read at once.
const PORTION: usize = 1_000;
/// How many portions a page reads before it ends without being full.
const PORTIONS: usize = 8;
/// How many spaces are looked into at once.
const AT_ONCE: usize = 16;

/// The part of one type that a scan wants, as `ZRANGEBYLEX` has bounds.
struct Range {
    entity_type: String,
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Store {
    pub(crate) async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.check_open()?;
        let mut page = Page::default();
        let mut portions = 0;
        for mut range in self.ranges(space, scan).await? {
            loop {
                let wanted = scan.limit.get() - page.records.len();
                let enough = portions >= PORTIONS && page.next.is_some();
                if wanted == 0 || enough {
                    return Ok(page);
                }
                portions += 1;
                let count = wanted.min(PORTION);
                let bounds = (&range.from[..], &range.to[..]);
                let entries = self.entries(space, &range.entity_type, bounds, count).await?;
                self.read_entries(space, &range.entity_type, &entries, &mut page).await?;
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

    /// The types that a scan goes through, in the order of their keys, and what it wants of each.
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
        let (from, to) = (bound(b'[', id.as_bytes()), end_of(id.as_bytes()));
        let range = |entity_type: String| {
            let mut from = if id.is_empty() { b"-".to_vec() } else { from.clone() };
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

    /// Adds the records of entries to a page, and where the next page begins.
    async fn read_entries(
        &self,
        space: &Space,
        entity_type: &str,
        entries: &Entries,
        page: &mut Page,
    ) -> Result<()> {
        let mut keys = Vec::with_capacity(entries.ids.len());
        for id in &entries.ids {
            match std::str::from_utf8(id).map_err(|_| "not UTF-8".to_owned()).and_then(|id| {
                Key::new(entity_type, id).map_err(|error| error.message().to_owned())
            }) {
                Ok(key) => keys.push(key),
                Err(why) => page.unreadable.push(unreadable(space, &why)),
            }
        }
        let found = self.find(space, &keys, Ask::Primaries).await?;
        let mut missing = Vec::new();
        for (key, found) in keys.iter().zip(found) {
            match found {
                Ok(Some(record)) => page.records.push((key.clone(), record)),
                Ok(None) => missing.push(key),
                Err(error) => page.unreadable.push(error.in_operation("scan").at_key(key)),
            }
        }
        // An id that is no id cannot be gone on from, but the one before it can.
        page.next = keys.last().cloned().or(page.next.take());
        if !missing.is_empty() {
            self.look_for(space, entries, missing, page).await?;
        }
        Ok(())
    }

    /// Tells what is no record, though it has a record's name; and forgets what is nothing.
    async fn look_for(
        &self,
        space: &Space,
        entries: &Entries,
        missing: Vec<&Key>,
        page: &mut Page,
    ) -> Result<()> {
        let unit = |key: &&Key| {
            let name = self.layout.record(space, key);
            let mut command = redis::cmd("TYPE");
            command.arg(&name);
            Unit::new(&name, vec![command])
        };
        let units = missing.iter().map(unit).collect();
        let answers = self.servers.send(units, Effect::Read).await;
        let mut nothing = Vec::new();
        for (key, answer) in missing.into_iter().zip(answers) {
            let answer = answer.map_err(|failure| failure.into_error(Effect::Read))?;
            match bytes(only(answer)?)?.as_deref() {
                Some(b"none") => nothing.push(key),
                // Written just now.
                Some(b"string") | None => {}
                Some(other) => {
                    let other = String::from_utf8_lossy(other);
                    let why = format!("another program has stored a {other} in its place");
                    page.unreadable.push(unreadable(space, &why).at_key(key));
                }
            }
        }
        self.forget(space, entries, &nothing).await;
        Ok(())
    }

    pub(crate) async fn spaces(&self) -> Result<Vec<Space>> {
        self.check_open()?;
        let name = self.layout.spaces();
        let mut command = redis::cmd("SMEMBERS");
        command.arg(&name);
        let names = texts(only(self.read(Unit::new(&name, vec![command])).await?)?)?;
        let parse = |name: Vec<u8>| String::from_utf8(name).ok()?.parse::<Space>().ok();
        let mut spaces: Vec<Space> = stream::iter(names.into_iter().filter_map(parse))
            .map(|space| async move {
                let used = self.holds_records(&space).await?;
                Ok::<_, Error>(used.then_some(space))
            })
            .buffer_unordered(AT_ONCE)
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
                    // There is nothing where there was something; go faster.
                    scan.limit = NonZeroUsize::MIN.saturating_add(PORTION);
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

/// Where what begins with `prefix` ends: before the next text of its length. UTF-8 has no byte that
/// could not be greater.
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
    Error::new(ErrorKind::Corrupt, format!("what is in the index is no record: {why}"))
        .in_operation("scan")
        .in_space(space)
}
