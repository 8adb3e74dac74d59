//! The handle of such a store: what is wrong on the way to it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write as _};
use std::mem;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Atomicity, Batch, BatchMode, Capabilities, Change, ChangeFeed, ChangeHub,
    ChangeSubscription, Changes, CountVersions, Durability, Error, ErrorKind, Expect, Extensions,
    HubSubscription, Key, Outcome, Page, Record, Result, Scan, Space, VersionCounts, Write,
};

use crate::fault::Fault;
use crate::store::{Place, Shared, State, Stored};

/// A handle.
#[derive(Debug)]
pub(crate) struct LogAdapter {
    shared: Arc<Shared>,
    capabilities: Capabilities,
    closed: AtomicBool,
    cache: Mutex<HashMap<(Space, Key), Option<Record>>>,
    own_lock: tokio::sync::Mutex<()>,
    /// What this handle has written, for one that tells nothing else.
    own: ChangeHub,
    /// What all subscriptions share, for one that tells a change once.
    told_once: Arc<Mutex<HubSubscription>>,
}

fn open_stores() -> &'static Mutex<HashMap<PathBuf, Weak<Shared>>> {
    static OPEN: OnceLock<Mutex<HashMap<PathBuf, Weak<Shared>>>> = OnceLock::new();
    OPEN.get_or_init(Mutex::default)
}

impl LogAdapter {
    pub(crate) fn open(path: &Path, fault: Option<Fault>, narrow: bool) -> io::Result<Self> {
        let mut open = open_stores().lock();
        let shared = if let Some(shared) = open.get(path).and_then(Weak::upgrade) {
            shared
        } else {
            let shared = Arc::new(Shared::open(path, fault)?);
            open.insert(path.to_path_buf(), Arc::downgrade(&shared));
            shared
        };
        let atomicity = match fault {
            Some(Fault::PromisesTooMuch) => Atomicity::Key,
            _ if narrow => Atomicity::Key,
            _ => Atomicity::Batch,
        };
        let mut capabilities = Capabilities::new(atomicity, Durability::Process);
        if narrow || matches!(fault, Some(Fault::DropsTheRest)) {
            capabilities = capabilities.max_batch(NonZeroUsize::new(4).unwrap());
        }
        if narrow || matches!(fault, Some(Fault::CutsLongValues | Fault::QuotesValues)) {
            capabilities = capabilities.max_value_len(70_000);
        }
        let told_once = Arc::new(Mutex::new(shared.hub.subscribe()));
        Ok(Self {
            shared,
            capabilities,
            own: ChangeHub::new(),
            told_once,
            closed: AtomicBool::new(false),
            cache: Mutex::default(),
            own_lock: tokio::sync::Mutex::default(),
        })
    }

    /// Makes a record unreadable, until the process ends.
    pub(crate) fn damage(&self, space: &Space, key: &Key) {
        let place = self.shared.place(space, key);
        self.shared.state.lock().damaged.insert(place);
        // The file doesn't know of it, so the store must stay open.
        mem::forget(self.shared.clone());
    }

    fn is(&self, fault: Fault) -> bool {
        self.shared.fault == Some(fault)
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(SeqCst) && !self.is(Fault::IgnoresClose) {
            return Err(Error::new(ErrorKind::Unavailable, "the store is closed"));
        }
        Ok(())
    }

    fn check_limits(&self, batch: &Batch) -> Result<()> {
        if let Some(max) = self.capabilities.max_batch
            && batch.writes.len() > max.get()
            && !self.is(Fault::DropsTheRest)
        {
            return Err(Error::new(ErrorKind::Unsupported, format!("at most {max} writes")));
        }
        if batch.mode == BatchMode::Atomic {
            let wide = self.capabilities.atomicity == Atomicity::Key && batch.writes.len() > 1;
            if wide && !self.is(Fault::PromisesTooMuch) {
                return Err(Error::new(ErrorKind::Unsupported, "one key at a time"));
            }
            if let Some(error) = batch.writes.iter().find_map(|write| self.too_long(write)) {
                return Err(error);
            }
        }
        Ok(())
    }

    fn too_long(&self, write: &Write) -> Option<Error> {
        let max = self.capabilities.max_value_len?;
        let Change::Put(bytes) = &write.change else { return None };
        if bytes.len() <= max || self.is(Fault::CutsLongValues) {
            return None;
        }
        let quoted = if self.is(Fault::QuotesValues) {
            String::from_utf8_lossy(bytes).into_owned()
        } else {
            String::new()
        };
        let message = format!("at most {max} bytes {quoted}");
        Some(Error::new(ErrorKind::InvalidInput, message).at_key(&write.key))
    }

    fn read(
        &self,
        records: &BTreeMap<Place, Stored>,
        state: &State,
        space: &Space,
        key: &Key,
    ) -> Result<Option<Record>> {
        let place = self.shared.place(space, key);
        if state.damaged.contains(&place) {
            return Err(Error::new(ErrorKind::Corrupt, "damaged").at_key(key));
        }
        let stored = records.get(&place).filter(|stored| !stored.hidden);
        let stored =
            stored.filter(|stored| !(self.is(Fault::EmptyIsAbsent) && stored.bytes.is_empty()));
        if stored.is_none() && self.is(Fault::AbsenceIsAnError) {
            return Err(Error::new(ErrorKind::Other, "not found").at_key(key));
        }
        Ok(stored.map(|stored| self.shared.record(stored)))
    }
}

#[async_trait]
impl Adapter for LogAdapter {
    fn name(&self) -> &'static str {
        "log"
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().count_versions(self).change_feed(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        if let Err(error) = self.check_open() {
            return if self.is(Fault::FailureIsAbsence) {
                Ok(vec![None; keys.len()])
            } else {
                Err(error)
            };
        }
        if self.capabilities.max_batch.is_some_and(|max| keys.len() > max.get()) {
            return Err(Error::new(ErrorKind::Unsupported, "too many keys"));
        }
        if self.is(Fault::FewVariables) && keys.len() > 32_766 {
            return Err(Error::new(ErrorKind::Other, "too many SQL variables"));
        }
        let mut keys = keys.to_vec();
        if self.is(Fault::SortsKeys) {
            keys.sort();
        }
        let mut records = Vec::new();
        let piece = if self.is(Fault::ReadsInPieces) { 10 } else { usize::MAX };
        for keys in keys.chunks(piece.min(keys.len().max(1))) {
            {
                let state = self.shared.state.lock();
                let source =
                    if self.is(Fault::ReadsFromAReplica) { &state.before } else { &state.records };
                for key in keys {
                    let read = || self.read(source, &state, space, key);
                    if !self.is(Fault::CachesPerHandle) {
                        records.push(read()?);
                        continue;
                    }
                    let mut cache = self.cache.lock();
                    let place = (space.clone(), key.clone());
                    if !cache.contains_key(&place) {
                        cache.insert(place.clone(), read()?);
                    }
                    records.push(cache[&place].clone());
                }
            }
            if self.is(Fault::ReadsInPieces) {
                tokio::task::yield_now().await;
            }
        }
        if self.is(Fault::AnswersOnce) {
            let mut seen = HashSet::new();
            let mut n = 0;
            records.retain(|_| {
                n += 1;
                seen.insert(keys[n - 1].clone())
            });
        }
        Ok(records)
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.check_open()?;
        if !self.is(Fault::AcceptsDuplicates) {
            batch.check_distinct()?;
        }
        self.check_limits(batch)?;
        let shared = &self.shared;
        let too_long: Vec<_> = batch.writes.iter().map(|write| self.too_long(write)).collect();
        for write in &batch.writes {
            self.cache.lock().remove(&(space.clone(), write.key.clone()));
        }
        match shared.fault {
            Some(Fault::DropsTheRest) => {
                let mut kept = batch.clone();
                kept.writes.truncate(4);
                shared.write(space, &kept, &[])
            }
            Some(Fault::TellsTooEarly) => {
                shared.tell(space, &batch.writes, &[]);
                tokio::task::yield_now().await;
                shared.write(space, batch, &too_long)
            }
            Some(Fault::TellsItsOwn) => {
                let outcomes = shared.write(space, batch, &too_long)?;
                self.own.publish(space, &batch.writes, &outcomes);
                Ok(outcomes)
            }
            Some(Fault::HalvesWhenCancelled) => {
                let mut outcomes = Vec::new();
                for write in &batch.writes {
                    outcomes.extend(shared.write(space, &Batch::each(vec![write.clone()]), &[])?);
                    tokio::task::yield_now().await;
                }
                Ok(outcomes)
            }
            Some(Fault::LosesWhenCancelled) => {
                let taken = mem::take(&mut shared.state.lock().records);
                tokio::task::yield_now().await;
                shared.state.lock().records = taken;
                shared.write(space, batch, &[])
            }
            Some(Fault::WaitsForTheUnpolled) => {
                let lock =
                    shared.locks.lock().entry(batch.writes[0].key.clone()).or_default().clone();
                let _guard = lock.lock_owned().await;
                tokio::task::yield_now().await;
                shared.write(space, batch, &[])
            }
            Some(Fault::LosesUpdates | Fault::LocksPerHandle) => {
                let lock = self.own_lock.lock();
                let _guard = if self.is(Fault::LocksPerHandle) { Some(lock.await) } else { None };
                let holds = {
                    let state = shared.state.lock();
                    batch.writes.iter().all(|write| shared.holds(&state, space, write))
                };
                tokio::task::yield_now().await;
                if !holds {
                    return shared.write(space, batch, &[]);
                }
                let mut swapped = batch.clone();
                for write in &mut swapped.writes {
                    write.expect = Expect::Any;
                }
                shared.write(space, &swapped, &[])
            }
            Some(Fault::RetriesBlindly) => {
                let outcomes = shared.write(space, batch, &[])?;
                let (shared, space, again) = (shared.clone(), space.clone(), batch.clone());
                if batch.writes.iter().all(|write| write.expect == Expect::Any) {
                    tokio::spawn(async move {
                        for _ in 0..5 {
                            tokio::task::yield_now().await;
                        }
                        shared.write(&space, &again, &[])
                    });
                }
                Ok(outcomes)
            }
            Some(Fault::Deadlocks) => {
                let mut guards = Vec::new();
                for write in &batch.writes {
                    let lock = shared.locks.lock().entry(write.key.clone()).or_default().clone();
                    guards.push(lock.lock_owned().await);
                    tokio::task::yield_now().await;
                }
                shared.write(space, batch, &[])
            }
            _ => shared.write(space, batch, &too_long),
        }
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.check_open()?;
        let shared = &self.shared;
        let state = shared.state.lock();
        let in_space =
            shared.place(space, &scan.after.clone().unwrap_or_else(|| "a:a".parse().unwrap())).0;
        let joined =
            if self.is(Fault::JoinsSpaceAndKey) { space.to_string() } else { String::new() };
        let prefix = joined + &scan.prefix;
        let like = |name: &str| {
            let same = |(pattern, c): (char, char)| pattern == '_' || pattern == c;
            match scan.prefix.split_once('%') {
                Some((before, _)) => name.starts_with(before),
                None => {
                    name.chars().count() >= scan.prefix.chars().count()
                        && scan.prefix.chars().zip(name.chars()).all(same)
                }
            }
        };
        let matches = |place: &Place| {
            place.0 == in_space
                && if self.is(Fault::PrefixByLike) {
                    like(&place.1)
                } else {
                    place.1.starts_with(&prefix)
                }
        };
        let source = if self.is(Fault::ReadsFromAReplica) { &state.before } else { &state.records };
        let mut found: Vec<_> =
            source.iter().filter(|(place, stored)| matches(place) && !stored.hidden).collect();
        match shared.fault {
            Some(Fault::OrdersByLocale) => {
                found.sort_by_key(|(_, stored)| stored.key.as_str().to_lowercase());
            }
            Some(Fault::OrdersByUtf16) => {
                found.sort_by_key(|(_, stored)| {
                    stored.key.as_str().encode_utf16().collect::<Vec<_>>()
                });
            }
            _ => {}
        }
        if let Some(after) = &scan.after {
            if let Some(number) =
                after.id().strip_prefix("offset-").filter(|_| self.is(Fault::PagesByOffset))
            {
                found = found.split_off(number.parse::<usize>().unwrap().min(found.len()));
            } else {
                let inclusive = self.is(Fault::RepeatsTheBoundary);
                found
                    .retain(|(_, stored)| stored.key > *after || inclusive && stored.key == *after);
            }
        }
        let limit = if self.is(Fault::OverflowsTheLimit) {
            scan.limit.get().checked_add(1).expect("attempt to add with overflow") - 1
        } else {
            scan.limit.get()
        };
        let mut left = found.split_off(limit.min(found.len()));
        if self.is(Fault::DropsTheLastPage) && left.len() < limit {
            left.clear();
        }
        let mut page = Page::default();
        let last = found.last().map(|(_, stored)| stored.key.clone());
        let number = found.len();
        for (place, stored) in found {
            if !state.damaged.contains(place) {
                page.records.push((stored.key.clone(), shared.record(stored)));
                continue;
            }
            let error = Error::new(ErrorKind::Corrupt, "damaged").at_key(&stored.key);
            if self.is(Fault::StopsAtDamage) {
                return Err(error);
            }
            page.unreadable.push(error);
        }
        page.next = match (shared.fault, left.first()) {
            (_, None) => None,
            (Some(Fault::SkipsTheBoundary), Some((_, first))) => Some(first.key.clone()),
            (Some(Fault::PagesByOffset), _) => {
                let before =
                    scan.after.as_ref().and_then(|after| after.id().strip_prefix("offset-"));
                let before = before.map_or(0, |number| number.parse::<usize>().unwrap());
                Some(format!("z:offset-{}", before + number).parse().unwrap())
            }
            _ => last,
        };
        Ok(page)
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.check_open()?;
        let state = self.shared.state.lock();
        let mut spaces: Vec<_> = if self.is(Fault::ListsEmptySpaces) {
            state.spaces.iter().cloned().collect()
        } else {
            state.records.keys().map(|place| place.0.clone()).collect()
        };
        spaces.retain(|space| !space.is_empty());
        spaces.sort();
        spaces.dedup();
        spaces.iter().map(|space| space.parse()).collect()
    }

    async fn flush(&self) -> Result<()> {
        self.check_open()
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, SeqCst);
        let mut state = self.shared.state.lock();
        let unwritten = mem::take(&mut state.unwritten);
        state
            .log
            .write_all(&unwritten)
            .map_err(|error| Error::new(ErrorKind::Other, "log").caused_by(error))
    }
}

#[async_trait]
impl CountVersions for LogAdapter {
    async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        let spaces = if self.is(Fault::CountsEverySpace) {
            self.spaces().await?
        } else {
            vec![space.clone()]
        };
        let everything =
            Scan { prefix: String::new(), after: None, limit: NonZeroUsize::new(1 << 20).unwrap() };
        let mut counts = VersionCounts::default();
        for space in &spaces {
            for (key, record) in self.scan(space, &everything).await?.records {
                counts.add(key.as_str(), &record.bytes);
            }
        }
        Ok(counts)
    }
}

#[async_trait]
impl ChangeFeed for LogAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        self.check_open()?;
        let hub = if self.is(Fault::TellsItsOwn) { &self.own } else { &self.shared.hub };
        let told = if self.is(Fault::TellsOne) {
            self.told_once.clone()
        } else {
            Arc::new(Mutex::new(hub.subscribe()))
        };
        Ok(Box::new(Subscription { told, forgets: self.is(Fault::ForgetsToldChanges) }))
    }
}

#[derive(Debug)]
struct Subscription {
    told: Arc<Mutex<HubSubscription>>,
    /// Waits when it has taken what it tells.
    forgets: bool,
}

#[async_trait]
impl ChangeSubscription for Subscription {
    async fn changes(&mut self) -> Result<Changes> {
        let changes = self.told.lock().take();
        if self.forgets {
            tokio::task::yield_now().await;
        }
        Ok(changes)
    }

    async fn wait(&mut self) {
        std::future::pending::<()>().await;
    }
}
