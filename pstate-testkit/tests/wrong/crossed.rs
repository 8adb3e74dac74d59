//! A layer that does one thing wrong on certain occasions, above an adapter that is right.

mod extensions;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Batch, Capabilities, Change, ChangedRecord, ChangedTo, Expect, Extensions, Key,
    Outcome, Page, Record, Result, Revision, Scan, Space, Write,
};
use pstate_testkit::conformance::is_child_process;

use crate::adapter::LogAdapter;
use crate::crossing::{Call, Crossed, Deed, Occasion, SharedBy};

type Values = BTreeMap<Key, Arc<[u8]>>;

/// The space, the prefix, where the page begins, and its limit.
type PagePlace = (Space, String, Option<Key>, usize);

/// A handle that is wrong.
#[derive(Debug)]
pub(crate) struct CrossedAdapter {
    inner: LogAdapter,
    crossed: Crossed,
    is_reopened: bool,
    is_closed: AtomicBool,
    own: Arc<Memory>,
    of_process: Arc<Memory>,
    /// Acknowledged batches that are not done.
    delayed: Mutex<Vec<(Space, Batch)>>,
    counted: Mutex<HashMap<Space, Values>>,
}

/// What a handle, or a process, remembers.
#[derive(Debug, Default)]
struct Memory {
    records: Mutex<HashMap<(Space, Key), Option<Record>>>,
    pages: Mutex<HashMap<PagePlace, Page>>,
    spaces: Mutex<BTreeSet<Space>>,
    lock: tokio::sync::Mutex<()>,
    /// Whose changes are not reported.
    hidden: Mutex<HashSet<(Space, Key)>>,
    /// Spaces that are listed for ever.
    kept_spaces: Mutex<BTreeSet<Space>>,
    /// Changes of this process, by what they left.
    own: Mutex<Vec<ChangedRecord>>,
    handle_closed: AtomicBool,
}

impl std::fmt::Debug for Crossed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

fn of_process(id: &str) -> Arc<Memory> {
    static ALL: OnceLock<Mutex<HashMap<String, Weak<Memory>>>> = OnceLock::new();
    let mut all = ALL.get_or_init(Mutex::default).lock();
    if let Some(memory) = all.get(id).and_then(Weak::upgrade) {
        return memory;
    }
    let memory = Arc::new(Memory::default());
    all.insert(id.to_owned(), Arc::downgrade(&memory));
    memory
}

impl CrossedAdapter {
    pub(crate) async fn open(
        id: &str,
        inner: LogAdapter,
        crossed: Crossed,
        is_reopened: bool,
    ) -> Result<Self> {
        let (own, of_process) = (Arc::new(Memory::default()), of_process(id));
        for memory in [&own, &of_process] {
            let spaces = inner.spaces().await?;
            memory.spaces.lock().extend(spaces);
        }
        Ok(Self {
            inner,
            crossed,
            is_reopened,
            is_closed: AtomicBool::new(false),
            own,
            of_process,
            delayed: Mutex::default(),
            counted: Mutex::default(),
        })
    }

    fn memory(&self, of: SharedBy) -> &Arc<Memory> {
        match of {
            SharedBy::Handle => &self.own,
            SharedBy::Process => &self.of_process,
        }
    }

    fn is_occasion(&self, space: &Space, batch: &Batch) -> bool {
        let (is_reopened, is_second_process) = (self.is_reopened, is_child_process());
        (self.crossed.when)(&Occasion { space, batch, is_reopened, is_second_process })
    }

    /// Revisions are derived from the values, so that they are known before a write is done.
    fn revision(&self, bytes: &[u8]) -> Revision {
        let digest = |bytes: &[u8]| Revision::of_content(bytes).as_number();
        match self.crossed.deed {
            Deed::DigestsTheFirst(count) => {
                let first = digest(&bytes[..bytes.len().min(count)]);
                Revision::from_number(first ^ ((bytes.len() as u128) << 64))
            }
            Deed::DigestBits(bits) => Revision::from_number(digest(bytes) % (1 << bits)),
            _ => Revision::of_content(bytes),
        }
    }

    fn shown(&self, record: Record) -> Record {
        let bytes = match self.crossed.deed {
            Deed::Cuts(count) if record.bytes.len() > count => record.bytes[..count].into(),
            _ => record.bytes,
        };
        Record { revision: self.revision(&bytes), bytes }
    }

    /// As the store knows it.
    fn space(&self, space: &Space) -> Space {
        match self.crossed.deed {
            Deed::CutsSpaces(count) if space.as_str().len() > count => {
                space.as_str()[..count].parse().unwrap()
            }
            _ => space.clone(),
        }
    }

    fn key(&self, key: &Key) -> Key {
        match self.crossed.deed {
            Deed::CutsIds(count) if key.id().len() > count && key.id().is_char_boundary(count) => {
                Key::new(key.entity_type(), &key.id()[..count]).unwrap()
            }
            _ => key.clone(),
        }
    }

    async fn do_delayed(&self) -> Result<()> {
        let delayed = std::mem::take(&mut *self.delayed.lock());
        for (space, batch) in delayed {
            self.inner.write(&space, &batch).await?;
        }
        Ok(())
    }

    /// Translates the expectations of a batch to the revisions of the store.
    async fn translated(&self, space: &Space, batch: &Batch) -> Result<Batch> {
        let mut translated = batch.clone();
        for write in &mut translated.writes {
            write.key = self.key(&write.key);
        }
        let keys: Vec<Key> = translated.writes.iter().map(|write| write.key.clone()).collect();
        let stored = self.inner.multi_get(space, &keys).await?;
        for (write, stored) in translated.writes.iter_mut().zip(stored) {
            if let Expect::Revision(expected) = write.expect {
                let revision = stored.and_then(|stored| {
                    let inner = stored.revision;
                    (self.shown(stored).revision == expected).then_some(inner)
                });
                let never = Revision::from_number(u128::MAX);
                write.expect = Expect::Revision(revision.unwrap_or(never));
            }
        }
        Ok(translated)
    }

    fn translated_outcomes(&self, batch: &Batch, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        let translate = |(write, outcome): (&Write, Outcome)| match (&write.change, outcome) {
            (Change::Put(bytes), Outcome::Stored(_)) => {
                let record = Record { bytes: bytes.clone(), revision: Revision::from_number(0) };
                Outcome::Stored(self.shown(record).revision)
            }
            (_, outcome) => outcome,
        };
        batch.writes.iter().zip(outcomes).map(translate).collect()
    }

    /// What an acknowledged batch says that was not done.
    fn pretended(&self, batch: &Batch) -> Vec<Outcome> {
        let outcome = |write: &Write| match &write.change {
            Change::Put(bytes) => Outcome::Stored(self.revision(bytes)),
            Change::Delete => Outcome::Deleted,
        };
        batch.writes.iter().map(outcome).collect()
    }

    async fn write_right(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let translated = self.translated(space, batch).await?;
        let outcomes = self.inner.write(space, &translated).await?;
        self.note(space, batch, &outcomes);
        Ok(self.translated_outcomes(batch, outcomes))
    }

    /// Remembers what was done.
    fn note(&self, space: &Space, batch: &Batch, outcomes: &[Outcome]) {
        let is_occasion = self.is_occasion(space, batch);
        for memory in [&self.own, &self.of_process] {
            let is_done = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Stored(_)));
            if is_done {
                memory.spaces.lock().insert(space.clone());
            }
            memory.pages.lock().clear();
        }
        let mut counted = self.counted.lock();
        for (write, outcome) in batch.writes.iter().zip(outcomes) {
            let now = match outcome {
                Outcome::Stored(revision) => ChangedTo::Revision(*revision),
                Outcome::Deleted => ChangedTo::Absent,
                _ => continue,
            };
            let place = (space.clone(), write.key.clone());
            for memory in [&self.own, &self.of_process] {
                memory.records.lock().remove(&place);
            }
            if is_occasion && matches!(self.crossed.deed, Deed::Hides) {
                self.of_process.hidden.lock().insert(place.clone());
            }
            let changed = ChangedRecord::new(place.0, place.1, now);
            self.of_process.own.lock().push(changed);
            if let Some(counted) = counted.get_mut(space).filter(|_| !is_occasion) {
                match &write.change {
                    Change::Put(bytes) => drop(counted.insert(write.key.clone(), bytes.clone())),
                    Change::Delete => drop(counted.remove(&write.key)),
                }
            }
        }
    }

    async fn records(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let inner: Vec<Key> = keys.iter().map(|key| self.key(key)).collect();
        let records = self.inner.multi_get(space, &inner).await?;
        Ok(records.into_iter().map(|record| record.map(|record| self.shown(record))).collect())
    }

    fn check_open(&self, call: Call) -> Result<()> {
        let works = matches!(self.crossed.deed, Deed::WorksAfterClose(works) if works == call);
        if works && self.is_closed.load(SeqCst) { Ok(()) } else { self.inner.check_open() }
    }

    fn works_closed(&self, call: Call) -> bool {
        self.is_closed.load(SeqCst) && self.check_open(call).is_ok()
    }
}

#[async_trait]
impl Adapter for CrossedAdapter {
    fn name(&self) -> &'static str {
        "crossed"
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().count_versions(self).change_feed(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        if keys.is_empty() && self.works_closed(Call::ReadOfNothing) {
            return Ok(Vec::new());
        }
        self.do_delayed().await?;
        let space = &self.space(space);
        match self.crossed.deed {
            Deed::CachesRecords(_) | Deed::CachesAbsence => {
                let memory = match self.crossed.deed {
                    Deed::CachesRecords(of) => self.memory(of),
                    _ => &self.own,
                };
                let mut records = self.records(space, keys).await?;
                let mut cached = memory.records.lock();
                for (key, record) in keys.iter().zip(&mut records) {
                    let place = (space.clone(), key.clone());
                    if let Some(cached) = cached.get(&place) {
                        record.clone_from(cached);
                    } else if matches!(self.crossed.deed, Deed::CachesRecords(_))
                        || record.is_none()
                    {
                        cached.insert(place, record.clone());
                    }
                }
                Ok(records)
            }
            Deed::Misplaces(count) if keys.len() > count => {
                let mut records = self.records(space, keys).await?;
                records.rotate_left(count);
                Ok(records)
            }
            Deed::ReadsOnce(count) if keys.len() > count => {
                let mut seen = HashSet::new();
                let mut records = self.records(space, keys).await?;
                for (key, record) in keys.iter().zip(&mut records) {
                    if !seen.insert(key) {
                        *record = None;
                    }
                }
                Ok(records)
            }
            Deed::ReadsOnly(count) => {
                let mut records = self.records(space, keys).await?;
                records.iter_mut().skip(count).for_each(|record| *record = None);
                Ok(records)
            }
            _ => self.records(space, keys).await,
        }
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        if batch.writes.is_empty() && self.works_closed(Call::EmptyBatch) {
            return Ok(Vec::new());
        }
        self.inner.check_open()?;
        let space = &self.space(space);
        let is_occasion = self.is_occasion(space, batch);
        if is_occasion && matches!(self.crossed.deed, Deed::ForgetsToList) {
            let in_use = self.inner.spaces().await?;
            if !in_use.contains(space) {
                self.of_process.spaces.lock().remove(space);
                let outcomes = self.write_right(space, batch).await?;
                self.of_process.spaces.lock().remove(space);
                return Ok(outcomes);
            }
        }
        if is_occasion && matches!(self.crossed.deed, Deed::KeepsListing) {
            self.of_process.kept_spaces.lock().insert(space.clone());
        }
        self.do_delayed().await?;
        if is_occasion {
            self.write_wrong(space, batch).await
        } else {
            self.write_right(space, batch).await
        }
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.do_delayed().await?;
        let space = &self.space(space);
        let place = (space.clone(), scan.prefix.clone(), scan.after.clone(), scan.limit.get());
        if matches!(self.crossed.deed, Deed::CachesScans) {
            self.inner.check_open()?;
            if let Some(page) = self.own.pages.lock().get(&place) {
                return Ok(page.clone());
            }
        }
        let mut page = self.inner.scan(space, scan).await?;
        for (_, record) in &mut page.records {
            *record = self.shown(record.clone());
        }
        match self.crossed.deed {
            Deed::CachesScans => drop(self.own.pages.lock().insert(place, page.clone())),
            Deed::EndsPages(count) if page.records.len() >= count => {
                page.records.truncate(count);
                page.next = None;
            }
            Deed::SkipsAfterPages(count) if page.records.len() == count => {
                let after = page.next.clone();
                let one = Scan { after, limit: std::num::NonZeroUsize::MIN, ..scan.clone() };
                let skipped = self.inner.scan(space, &one).await?;
                if let (Some((key, _)), Some(_)) = (skipped.records.first(), &page.next) {
                    page.next = Some(key.clone());
                }
            }
            Deed::RaisesTheLastCharacter => {
                let last = scan.prefix.chars().next_back();
                // No character follows the last one, nor the one before the surrogates.
                if last.is_some_and(|last| char::from_u32(u32::from(last) + 1).is_none()) {
                    return Ok(Page::default());
                }
            }
            Deed::ExpectsTheKeyInThePrefix => {
                let is_outside = |key: &Key| !key.as_str().starts_with(&scan.prefix);
                if scan.after.as_ref().is_some_and(is_outside) {
                    return Ok(Page::default());
                }
            }
            _ => {}
        }
        Ok(page)
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.do_delayed().await?;
        let mut spaces = self.inner.spaces().await?;
        match self.crossed.deed {
            Deed::Lists(count) => spaces.truncate(count),
            Deed::ListsFromMemory(of) => {
                let known = self.memory(of).spaces.lock().clone();
                spaces.retain(|space| known.contains(space));
            }
            Deed::ForgetsToList => {
                let known = self.of_process.spaces.lock().clone();
                spaces.retain(|space| known.contains(space));
            }
            Deed::KeepsListing => {
                spaces.extend(self.of_process.kept_spaces.lock().clone());
                spaces.sort();
                spaces.dedup();
            }
            _ => {}
        }
        Ok(spaces)
    }

    async fn flush(&self) -> Result<()> {
        self.check_open(Call::Flush)?;
        if self.works_closed(Call::Flush) {
            return Ok(());
        }
        self.do_delayed().await?;
        self.inner.flush().await
    }

    async fn close(&self) -> Result<()> {
        if !matches!(self.crossed.deed, Deed::DelaysForEver) && !self.is_closed.load(SeqCst) {
            self.do_delayed().await?;
        }
        self.is_closed.store(true, SeqCst);
        self.of_process.handle_closed.store(true, SeqCst);
        if matches!(self.crossed.deed, Deed::ClosesAll) {
            self.inner.shared.close_all();
        }
        self.inner.close().await
    }
}
