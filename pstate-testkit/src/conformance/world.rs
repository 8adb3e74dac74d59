use std::collections::BTreeMap;
use std::sync::Arc;

use pstate_core::{
    Batch, BatchMode, Change, Expect, Key, Outcome, Revision, Space, VersionCounts, Write,
};

use super::case_error::{CaseError, CaseResult};
use super::check::{ensure, ensure_eq};
use super::outcome_kind::OutcomeKind;
use super::shorthand::{key, space};
use super::store::Store;
use crate::recording::Value;

/// What a store should hold: the outcome of each write is computed here first, and then everything
/// that can be read is compared.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    /// All places that were ever written or expected something of; `None` if nothing is there.
    places: BTreeMap<Space, BTreeMap<Key, Option<Held>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) bytes: Arc<[u8]>,
    pub(super) revision: Revision,
}

/// The number of records in a page of a whole scan.
const PAGE: usize = 1_000;

impl World {
    /// What is under a key.
    pub(super) fn held(&self, space: &Space, key: &Key) -> Option<&Held> {
        self.places.get(space)?.get(key)?.as_ref()
    }

    /// An expectation that holds for the record under a key.
    pub(super) fn current(&self, in_space: &str, name: &str) -> Expect {
        match self.held(&space(in_space), &key(name)) {
            Some(held) => Expect::Revision(held.revision),
            None => Expect::Absent,
        }
    }

    /// A part of it: every so many spaces.
    pub(super) fn every(&self, step: usize) -> Self {
        let places = self.places.iter().step_by(step);
        Self { places: places.map(|(space, keys)| (space.clone(), keys.clone())).collect() }
    }

    /// Notes keys under which nothing is, so that they are read, too.
    pub(super) fn note_absent(&mut self, in_space: &str, names: &[&str]) {
        let keys = self.places.entry(space(in_space)).or_default();
        for name in names {
            keys.entry(key(name)).or_default();
        }
    }

    /// Everything that is known to be there or not.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Space, &Key, Option<&Held>)> {
        self.places.iter().flat_map(|(space, keys)| {
            keys.iter().map(move |(key, held)| (space, key, held.as_ref()))
        })
    }

    /// Writes a batch, and checks its outcomes.
    pub(super) async fn write(&mut self, store: &Store, batch: &Batch) -> CaseResult {
        let expected = self.expected(&store.space, batch);
        let outcomes = store.write(batch).await?;
        let got = OutcomeKind::all(&outcomes);
        if let Some(n) = (0..got.len()).find(|&n| got[n] != expected[n]) {
            let key = &batch.writes[n].key;
            let what = format!("the outcome of write {n} of {}, of {key}", batch.writes.len());
            ensure_eq(&what, &expected[n], &got[n])?;
        }
        self.apply(&store.space, batch, &outcomes);
        Ok(())
    }

    /// The outcomes that a batch should have.
    pub(super) fn expected(&self, space: &Space, batch: &Batch) -> Vec<OutcomeKind> {
        let holds = |write: &Write| {
            let held = self.held(space, &write.key);
            match write.expect {
                Expect::Any => true,
                Expect::Absent => held.is_none(),
                Expect::Revision(revision) => held.is_some_and(|held| held.revision == revision),
            }
        };
        let is_refused = batch.mode == BatchMode::Atomic && !batch.writes.iter().all(holds);
        let outcome = |write: &Write| match (&write.change, holds(write)) {
            (_, false) => OutcomeKind::Conflict,
            (_, true) if is_refused => OutcomeKind::Aborted,
            (Change::Put(_), true) => OutcomeKind::Stored,
            (Change::Delete, true) => OutcomeKind::Deleted,
        };
        batch.writes.iter().map(outcome).collect()
    }

    /// Does what the outcomes say.
    pub(super) fn apply(&mut self, space: &Space, batch: &Batch, outcomes: &[Outcome]) {
        let keys = self.places.entry(space.clone()).or_default();
        for (write, outcome) in batch.writes.iter().zip(outcomes) {
            let held = keys.entry(write.key.clone()).or_default();
            match (&write.change, outcome) {
                (Change::Put(bytes), Outcome::Stored(revision)) => {
                    *held = Some(Held { bytes: bytes.clone(), revision: *revision });
                }
                (Change::Delete, Outcome::Deleted) => *held = None,
                _ => {}
            }
        }
    }

    /// Reads each record by its key, in an order that is not that of the keys and with a key that
    /// is there twice, and by a scan.
    pub(super) async fn check_records(&self, store: &Store, after: &str) -> CaseResult {
        for (space, keys) in &self.places {
            let store = Store { adapter: store.adapter.clone(), space: space.clone() };
            let mut places: Vec<_> = keys.iter().collect();
            // The odd ones backwards, then the even ones, and the first once more.
            places.reverse();
            let (odd, even): (Vec<_>, Vec<_>) =
                places.iter().enumerate().partition(|(n, _)| n % 2 == 1);
            let mut places: Vec<_> = odd.into_iter().chain(even).map(|(_, place)| *place).collect();
            places.extend(places.first().copied());
            for places in places.chunks(store.up_to_max_batch(places.len().max(1))) {
                let asked: Vec<_> = places.iter().map(|(key, _)| (*key).clone()).collect();
                let records = store.records(&asked).await?;
                for ((key, held), record) in places.iter().zip(records) {
                    let record = record.map(|record| (Value(record.bytes), record.revision));
                    let held = held.as_ref().map(|held| (Value(held.bytes.clone()), held.revision));
                    ensure_eq(&format!("{key} in {space}, {after}"), &held, &record)?;
                }
            }
            let mut expected = keys.iter().filter_map(|(key, held)| Some((key, held.as_ref()?)));
            for (key, record) in store.scan("", PAGE).await? {
                let found = (key.clone(), Value(record.bytes), record.revision);
                let next = expected
                    .next()
                    .map(|(key, held)| (key.clone(), Value(held.bytes.clone()), held.revision));
                let what = format!("the next record of a scan of {space}, {after}");
                ensure_eq(&what, &next, &Some(found))?;
            }
            if let Some((key, _)) = expected.next() {
                let what = format!("{key} in a scan of {space}, {after}");
                return Err(CaseError::mismatch(what, "the end of the scan"));
            }
        }
        Ok(())
    }

    /// Lists the spaces.
    pub(super) async fn check_spaces(&self, store: &Store, after: &str) -> CaseResult {
        let in_use = self.places.iter().filter(|(_, keys)| keys.values().any(Option::is_some));
        let expected: Vec<_> = in_use.map(|(space, _)| space.to_string()).collect();
        let listed = store.adapter.spaces().await?;
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        if expected.len() < 20 {
            return ensure_eq(&format!("the spaces, {after}"), &expected, &listed);
        }
        let differs =
            (0..expected.len().max(listed.len())).find(|&n| expected.get(n) != listed.get(n));
        match differs {
            None => Ok(()),
            Some(n) => ensure_eq(
                &format!("space {n} of {}, {after}", expected.len()),
                &expected.get(n),
                &listed.get(n),
            ),
        }
    }

    /// Counts the versions in each space, if the adapter does.
    pub(super) async fn check_counts(&self, store: &Store, after: &str) -> CaseResult {
        let Some(counter) = store.adapter.extensions().count_versions else {
            return Err(CaseError::ignored("it does not count versions"));
        };
        for (space, keys) in &self.places {
            let mut expected = VersionCounts::default();
            for (key, held) in keys {
                if let Some(held) = held {
                    expected.add(key.as_str(), &held.bytes);
                }
            }
            let counts = counter.count_versions(space).await?;
            ensure(
                counts.by_type() == expected.by_type()
                    && counts.unreadable() == expected.unreadable(),
                &format!(
                    "the versions in {space}, {after}: {:?}, {} unreadable",
                    expected.by_type(),
                    expected.unreadable()
                ),
                format_args!("{:?}, {} unreadable", counts.by_type(), counts.unreadable()),
            )?;
        }
        Ok(())
    }
}
