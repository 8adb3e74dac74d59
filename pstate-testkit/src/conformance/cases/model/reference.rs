use std::collections::{BTreeMap, HashMap};

use pstate_core::{Batch, Change, Expect, Key, Outcome, Revision, Write};

use super::step::Expected;
use crate::conformance::case_error::{CaseError, CaseResult};
use crate::conformance::outcome_kind::OutcomeKind;
use crate::recording::Value;

/// The reference model: the content of an adapter in its simplest form.
#[derive(Default)]
pub(super) struct Reference {
    spaces: BTreeMap<&'static str, BTreeMap<Key, Stored>>,
    /// All revisions of each key, with the values that they stand for.
    issued: HashMap<(&'static str, Key), Vec<(Revision, Value)>>,
}

/// A stored value and its revision.
pub(super) type Stored = (Value, Revision);

impl Reference {
    pub(super) fn get(&self, space: &str, key: &Key) -> Option<&Stored> {
        self.spaces.get(space)?.get(key)
    }

    pub(super) fn scan(
        &self,
        space: &str,
        prefix: &str,
        after: Option<&Key>,
    ) -> Vec<(Key, Stored)> {
        let records = self.spaces.get(space).into_iter().flatten();
        records
            .filter(|(key, _)| {
                key.as_str().starts_with(prefix) && after.is_none_or(|after| *key > after)
            })
            .map(|(key, record)| (key.clone(), record.clone()))
            .collect()
    }

    pub(super) fn spaces(&self) -> Vec<String> {
        let spaces = self.spaces.iter().filter(|(_, records)| !records.is_empty());
        spaces.map(|(space, _)| (*space).to_owned()).collect()
    }

    /// What a write expects now.
    pub(super) fn expect(&self, space: &'static str, key: &Key, expected: Expected) -> Expect {
        let never = Expect::Revision(Revision::from_number(u128::MAX - 11));
        let issued = self.issued.get(&(space, key.clone()));
        let issued = issued.map(Vec::as_slice).unwrap_or_default();
        match expected {
            Expected::Any => Expect::Any,
            Expected::Absent => Expect::Absent,
            Expected::Current => issued.last().map_or(never, |(last, _)| Expect::Revision(*last)),
            Expected::Earlier => {
                issued.first().map_or(never, |(first, _)| Expect::Revision(*first))
            }
            Expected::Foreign => {
                let mut others: Vec<_> =
                    self.issued.iter().filter(|((_, other), _)| other != key).collect();
                others.sort_by_key(|(place, _)| *place);
                let last = others.last().and_then(|(_, issued)| issued.last());
                last.map_or(never, |(revision, _)| Expect::Revision(*revision))
            }
        }
    }

    /// Whether the expectation of a write holds.
    fn holds(&self, space: &str, write: &Write) -> bool {
        let stored = self.get(space, &write.key);
        match write.expect {
            Expect::Any => true,
            Expect::Absent => stored.is_none(),
            Expect::Revision(revision) => stored.is_some_and(|(_, stored)| *stored == revision),
        }
    }

    /// The outcomes of a batch.
    pub(super) fn outcomes(&self, space: &str, batch: &Batch, atomic: bool) -> Vec<OutcomeKind> {
        let holds: Vec<_> = batch.writes.iter().map(|write| self.holds(space, write)).collect();
        let all = holds.iter().all(|&holds| holds);
        let outcome = |(write, &holds): (&Write, &bool)| match (&write.change, holds) {
            (_, false) => OutcomeKind::Conflict,
            (_, true) if atomic && !all => OutcomeKind::Aborted,
            (Change::Put(_), true) => OutcomeKind::Stored,
            (Change::Delete, true) => OutcomeKind::Deleted,
        };
        batch.writes.iter().zip(&holds).map(outcome).collect()
    }

    /// Applies a write with the outcome that the adapter returned, and checks its revision.
    pub(super) fn apply(
        &mut self,
        space: &'static str,
        write: &Write,
        outcome: &Outcome,
    ) -> CaseResult {
        match (&write.change, outcome) {
            (Change::Put(bytes), Outcome::Stored(revision)) => {
                let value = Value(bytes.clone());
                let issued = self.issued.entry((space, write.key.clone())).or_default();
                let earlier = issued.iter().find(|(other, _)| other == revision);
                if let Some((_, earlier)) = earlier.filter(|(_, earlier)| *earlier != value) {
                    return Err(CaseError::mismatch(
                        format_args!("another revision for {value:?} than {earlier:?} had"),
                        format_args!("{revision:?}"),
                    ));
                }
                issued.push((*revision, value.clone()));
                let records = self.spaces.entry(space).or_default();
                records.insert(write.key.clone(), (value, *revision));
            }
            (Change::Delete, Outcome::Deleted) => {
                self.spaces.entry(space).or_default().remove(&write.key);
            }
            _ => {}
        }
        Ok(())
    }
}
