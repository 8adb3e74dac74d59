//! The store: an ordered map with a log file, correct but for its fault.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::mem;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use pstate_core::{
    Batch, BatchMode, Change, ChangeHub, Error, ErrorKind, Expect, Key, Outcome, Record, Result,
    Revision, Space, Write,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

use crate::fault::Fault;
use crate::log_file::{encode, replay};

/// The space and the key, as the store identifies a record.
pub(crate) type Place = (String, String);

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) revision: u64,
    /// Deleted by [`Fault::DeletesByHiding`].
    pub(crate) hidden: bool,
}

/// The state that all handles of one store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fault: Option<Fault>,
    pub(crate) state: Mutex<State>,
    pub(crate) locks: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) hub: ChangeHub,
    /// For an adapter that closes every handle at once.
    all_closed: AtomicBool,
    /// For the faults that hold one while their future is not polled.
    connections: Arc<Semaphore>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) records: BTreeMap<Place, Stored>,
    /// The records before the last write.
    pub(crate) before: BTreeMap<Place, Stored>,
    pub(crate) spaces: HashSet<String>,
    pub(crate) damaged: HashSet<Place>,
    revisions: u64,
    /// How far the log was read, or written by this process.
    read_to: u64,
    pub(crate) log: File,
    reads: File,
    /// Acknowledged changes that are not in the log yet.
    pub(crate) unwritten: Vec<u8>,
}

impl State {
    /// Appends batches that were acknowledged before.
    pub(crate) fn append_late(&mut self, unwritten: &[u8]) -> io::Result<()> {
        self.read_to += unwritten.len() as u64;
        self.log.write_all(unwritten)
    }
}

/// The state while no other process writes.
pub(crate) struct Current<'a>(MutexGuard<'a, State>);

impl Deref for Current<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl DerefMut for Current<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        self.0.log.unlock().unwrap();
    }
}

pub(crate) fn log_error(error: io::Error) -> Error {
    Error::new(ErrorKind::Other, "log").caused_by(error)
}

impl Shared {
    pub(crate) fn open(path: &Path, fault: Option<Fault>) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(path)?;
        let reads = File::open(path)?;
        let state = State {
            records: BTreeMap::new(),
            before: BTreeMap::new(),
            spaces: HashSet::new(),
            damaged: HashSet::new(),
            revisions: 0,
            read_to: if fault == Some(Fault::ForgetsOnReopen) { log.metadata()?.len() } else { 0 },
            log,
            reads,
            unwritten: Vec::new(),
        };
        let shared = Self {
            fault,
            state: Mutex::new(state),
            locks: Mutex::default(),
            hub: ChangeHub::new(),
            all_closed: AtomicBool::new(false),
            connections: Arc::new(Semaphore::new(4)),
        };
        {
            let mut state = shared.current()?;
            state.before = state.records.clone();
            if fault == Some(Fault::RestartsRevisions) {
                state.revisions = 0;
            }
        }
        Ok(shared)
    }

    pub(crate) fn close_all(&self) {
        self.all_closed.store(true, SeqCst);
    }

    pub(crate) fn are_all_closed(&self) -> bool {
        self.all_closed.load(SeqCst)
    }

    /// The state with everything that was written by other processes, which wait meanwhile.
    pub(crate) fn current(&self) -> io::Result<Current<'_>> {
        let state = self.state.lock();
        state.log.lock()?;
        let mut current = Current(state);
        self.catch_up(&mut current)?;
        Ok(current)
    }

    /// Reads what other processes have appended to the log.
    fn catch_up(&self, state: &mut State) -> io::Result<()> {
        let end = state.log.metadata()?.len();
        if end <= state.read_to {
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(end - state.read_to).map_err(io::Error::other)?];
        state.reads.read_exact_at(&mut bytes, state.read_to)?;
        let mut changed = Vec::new();
        let whole = replay(&bytes, |place, stored| changed.push((place, stored)));
        state.read_to += whole as u64;
        if state.read_to < end {
            // A kill tore the last batch, which was never acknowledged.
            state.log.set_len(state.read_to)?;
        }
        for (place, stored) in changed {
            state.revisions = state.revisions.max(stored.revision);
            state.spaces.insert(place.0.clone());
            if let Ok(space) = place.0.parse() {
                let write = if stored.hidden {
                    Write::delete(stored.key.clone())
                } else {
                    Write::put(stored.key.clone(), stored.bytes.clone())
                };
                let outcome = if stored.hidden {
                    Outcome::Deleted
                } else {
                    Outcome::Stored(self.record(&stored).revision)
                };
                self.hub.publish(&space, &[write], &[outcome]);
            }
            if stored.bytes.is_empty() && stored.hidden {
                state.records.remove(&place);
            } else {
                state.records.insert(place, stored);
            }
        }
        Ok(())
    }

    /// Waits for one of four connections, if the store has this fault, and for another poll.
    pub(crate) async fn connection(&self, fault: Fault) -> Option<OwnedSemaphorePermit> {
        if !self.is(fault) {
            return None;
        }
        let permit = self.connections.clone().acquire_owned().await.unwrap();
        yield_now().await;
        Some(permit)
    }

    /// Waits for a connection, but uses it in a task of its own: [`Fault::QueuesReads`].
    pub(crate) async fn use_connection(&self) {
        let permit = self.connections.clone().acquire_owned().await.unwrap();
        let used = tokio::spawn(async move {
            yield_now().await;
            drop(permit);
        });
        used.await.unwrap();
    }

    pub(crate) fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(crate) fn place(&self, space: &Space, key: &Key) -> Place {
        let (space, key) = (space.to_string(), key.to_string());
        match self.fault {
            Some(Fault::SharesSpaces) => (String::new(), key),
            Some(Fault::JoinsSpaceAndKey) => (String::new(), space + &key),
            Some(Fault::FoldsCase) => (space, key.to_lowercase()),
            Some(Fault::Normalises) => (space, key.replace("e\u{301}", "\u{e9}")),
            Some(Fault::TrimsBlanks) => (space, key.trim_end().to_owned()),
            Some(Fault::CutsKeys) => {
                let end = (0..=255.min(key.len())).rev().find(|&end| key.is_char_boundary(end));
                (space, key[..end.unwrap_or(0)].to_owned())
            }
            _ => (space, key),
        }
    }

    pub(crate) fn record(&self, stored: &Stored) -> Record {
        let revision = match self.fault {
            Some(Fault::RevisionOfLength) => stored.bytes.len() as u64,
            _ => stored.revision,
        };
        let revision = Revision::from_number(u128::from(revision));
        Record { bytes: stored.bytes.clone(), revision }
    }

    /// What the store keeps of a value.
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

    pub(crate) fn holds(&self, state: &State, space: &Space, write: &Write) -> bool {
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

    pub(crate) fn write(
        &self,
        space: &Space,
        batch: &Batch,
        too_long: &[Option<Error>],
    ) -> Result<Vec<Outcome>> {
        let state = &mut *self.current().map_err(log_error)?;
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
        if !self.is(Fault::ReportsTooEarly) {
            self.publish(space, &batch.writes, &outcomes);
        }
        Ok(outcomes)
    }

    /// Reports changes to the subscriptions; without outcomes, before the write takes effect.
    pub(crate) fn publish(&self, space: &Space, writes: &[Write], outcomes: &[Outcome]) {
        let default = Space::default();
        let space = if self.is(Fault::OmitsTheSpace) { &default } else { space };
        for (n, write) in writes.iter().enumerate() {
            if self.is(Fault::OmitsDeletes) && write.change == Change::Delete {
                continue;
            }
            let outcome = outcomes.get(n).map(slice::from_ref);
            self.hub.publish(space, slice::from_ref(write), outcome.unwrap_or_default());
        }
    }

    /// Appends one batch to the log: its length and its changes.
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
        state.read_to += frame.len() as u64;
        state.log.write_all(&frame).map_err(log_error)
    }
}
