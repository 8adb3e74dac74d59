//! An ordered map with a log file: right, unless it is told to be wrong.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::mem;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pstate_core::{
    Adapter, Atomicity, Batch, BatchMode, Capabilities, Change, Durability, Error, ErrorKind,
    Expect, Key, Outcome, Page, Record, Result, Revision, Scan, Space, Write,
};

use crate::fault::Fault;
use crate::log_file::{encode, replay};

/// Space and key, as the store has them.
pub(crate) type Place = (String, String);

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) revision: u64,
    /// Deleted, by one who only hides.
    pub(crate) hidden: bool,
}

/// What all handles of one store share.
#[derive(Debug)]
pub(crate) struct Shared {
    fault: Option<Fault>,
    state: Mutex<State>,
    locks: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Debug)]
struct State {
    records: BTreeMap<Place, Stored>,
    /// What was there before the last write.
    before: BTreeMap<Place, Stored>,
    spaces: HashSet<String>,
    damaged: HashSet<Place>,
    revisions: u64,
    log: File,
    /// What was acknowledged and not written.
    unwritten: Vec<u8>,
}

/// A handle.
#[derive(Debug)]
pub(crate) struct LogAdapter {
    shared: Arc<Shared>,
    capabilities: Capabilities,
    closed: AtomicBool,
    cache: Mutex<HashMap<(Space, Key), Option<Record>>>,
    own_lock: tokio::sync::Mutex<()>,
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
        Ok(Self {
            shared,
            capabilities,
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

impl Shared {
    fn open(path: &Path, fault: Option<Fault>) -> io::Result<Self> {
        let mut records = BTreeMap::new();
        let mut spaces = HashSet::new();
        let mut revisions = 0;
        if fault != Some(Fault::ForgetsOnReopen) {
            let bytes = match fs::read(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                bytes => bytes?,
            };
            let whole = replay(&bytes, |place, stored| {
                revisions = revisions.max(stored.revision);
                spaces.insert(place.0.clone());
                if stored.bytes.is_empty() && stored.hidden {
                    drop(records.remove(&place));
                } else {
                    drop(records.insert(place, stored));
                }
            });
            if whole < bytes.len() {
                // What a kill has cut off was never acknowledged.
                OpenOptions::new().write(true).open(path)?.set_len(whole as u64)?;
            }
        }
        if fault == Some(Fault::RestartsRevisions) {
            revisions = 0;
        }
        let log = OpenOptions::new().create(true).append(true).open(path)?;
        let before = records.clone();
        let state = State {
            records,
            before,
            spaces,
            damaged: HashSet::new(),
            revisions,
            log,
            unwritten: Vec::new(),
        };
        Ok(Self { fault, state: Mutex::new(state), locks: Mutex::default() })
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn place(&self, space: &Space, key: &Key) -> Place {
        let (space, key) = (space.to_string(), key.to_string());
        match self.fault {
            Some(Fault::SharesSpaces) => (String::new(), key),
            Some(Fault::JoinsSpaceAndKey) => (String::new(), space + &key),
            Some(Fault::FoldsCase) => (space, key.to_lowercase()),
            Some(Fault::Normalises) => (space, key.replace("e\u{301}", "\u{e9}")),
            Some(Fault::Trims) => (space, key.trim_end().to_owned()),
            Some(Fault::CutsKeys) => {
                let end = (0..=255.min(key.len())).rev().find(|&end| key.is_char_boundary(end));
                (space, key[..end.unwrap_or(0)].to_owned())
            }
            _ => (space, key),
        }
    }

    fn record(&self, stored: &Stored) -> Record {
        let revision = match self.fault {
            Some(Fault::RevisionOfLength) => stored.bytes.len() as u64,
            _ => stored.revision,
        };
        let revision = Revision::from_number(u128::from(revision));
        Record { bytes: stored.bytes.clone(), revision }
    }

    /// What is kept of a value.
    fn kept(&self, bytes: &Arc<[u8]>) -> Arc<[u8]> {
        let cut = |length: usize| Arc::from(&bytes[..length]);
        match self.fault {
            Some(Fault::CutsAt16Bits) => cut(bytes.len() & 0xffff),
            Some(Fault::CutsAt31Bits) => cut(bytes.len() & 0x7fff_ffff),
            Some(Fault::CutsLongValues) => cut(bytes.len().min(70_000)),
            Some(Fault::NumbersAsDoubles) => {
                let number =
                    std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<f64>().ok());
                number.map_or(bytes.clone(), |number| number.to_string().into_bytes().into())
            }
            Some(Fault::ReplacesNonText) => {
                String::from_utf8_lossy(bytes).into_owned().into_bytes().into()
            }
            _ => bytes.clone(),
        }
    }

    fn holds(&self, state: &State, space: &Space, write: &Write) -> bool {
        if self.is(Fault::IgnoresExpect) {
            return true;
        }
        let stored = state.records.get(&self.place(space, &write.key));
        match write.expect {
            Expect::Any => true,
            Expect::Absent => stored.is_none(),
            Expect::Revision(revision) => stored
                .is_some_and(|stored| !stored.hidden && self.record(stored).revision == revision),
        }
    }

    fn apply(&self, state: &mut State, space: &Space, write: &Write, log: &mut Vec<u8>) -> Outcome {
        let place = self.place(space, &write.key);
        state.spaces.insert(place.0.clone());
        state.revisions += 1;
        let revision = match (self.fault, state.records.get(&place)) {
            (Some(Fault::ReusesRevisions), stored) => {
                stored.map_or(1, |stored| stored.revision + 1)
            }
            _ => state.revisions,
        };
        let (bytes, hidden) = match &write.change {
            Change::Put(bytes) => (self.kept(bytes), false),
            Change::Delete => (Arc::from([]), true),
        };
        let stored = Stored { key: write.key.clone(), bytes, revision, hidden };
        if !self.is(Fault::CutsAt31Bits) {
            encode(log, &place, &stored);
        }
        if !hidden || self.is(Fault::DeletesByHiding) {
            let record = self.record(&stored);
            let earlier = state.records.insert(place, stored);
            if hidden {
                return Outcome::Deleted;
            }
            return Outcome::Stored(match (self.fault, earlier) {
                (Some(Fault::RevisionBefore), Some(earlier)) => self.record(&earlier).revision,
                _ => record.revision,
            });
        }
        if self.is(Fault::DeletesByPrefix) {
            state.records.retain(|(space, key), _| *space != place.0 || !key.starts_with(&place.1));
        }
        state.records.remove(&place);
        Outcome::Deleted
    }

    fn write(
        &self,
        space: &Space,
        batch: &Batch,
        too_long: &[Option<Error>],
    ) -> Result<Vec<Outcome>> {
        let state = &mut *self.state.lock();
        state.before =
            if self.is(Fault::ReadsFromAReplica) { state.records.clone() } else { BTreeMap::new() };
        let atomic = batch.mode == BatchMode::Atomic || self.is(Fault::AbortsAll);
        let holds: Vec<_> =
            batch.writes.iter().map(|write| self.holds(state, space, write)).collect();
        if atomic && holds.contains(&false) {
            if self.is(Fault::TearsBatches) {
                let done = batch.writes.iter().zip(&holds).take_while(|(_, holds)| **holds);
                for (write, _) in done {
                    self.apply(state, space, write, &mut Vec::new());
                }
            }
            let refused = |&holds| if holds { Outcome::Aborted } else { Outcome::Conflict };
            return Ok(holds.iter().map(refused).collect());
        }
        let mut log = Vec::new();
        let mut outcomes = Vec::new();
        for (n, write) in batch.writes.iter().enumerate() {
            outcomes.push(match too_long.get(n) {
                Some(Some(error)) => Outcome::Failed(error.clone()),
                _ if holds[n] => self.apply(state, space, write, &mut log),
                _ => Outcome::Conflict,
            });
            if self.is(Fault::WritesInPieces) {
                self.append(state, &mem::take(&mut log))?;
                std::thread::sleep(Duration::from_micros(500));
            }
        }
        if !log.is_empty() {
            self.append(state, &log)?;
        }
        Ok(outcomes)
    }

    /// Appends one batch to the log: its length, and what it changes.
    fn append(&self, state: &mut State, changes: &[u8]) -> Result<()> {
        let mut frame = (changes.len() as u64).to_le_bytes().to_vec();
        frame.extend_from_slice(changes);
        if self.is(Fault::AcknowledgesEarly) {
            state.unwritten.extend(frame);
            if state.unwritten.len() < 100_000 {
                return Ok(());
            }
            frame = mem::take(&mut state.unwritten);
        }
        state
            .log
            .write_all(&frame)
            .map_err(|error| Error::new(ErrorKind::Other, "log").caused_by(error))
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
            batch.validate()?;
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
