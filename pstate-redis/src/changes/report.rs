//! What the next call reports.

use std::collections::HashSet;

use futures_util::future::try_join_all;
use pstate_core::{ChangedRecord, ChangedTo, Changes, Error, Key, Result, Space};

use super::inbox::{MAX_KEYS, Messages};
use crate::multi_get::ReadFrom;
use crate::store::Store;

/// How many of our own records to read, to say what they are now.
const MAX_READ: usize = 1_000;

/// Changes that no call has reported yet.
#[derive(Debug, Default)]
pub(super) struct Report {
    everything: bool,
    /// In the order of their first change.
    records: Vec<(Space, Key)>,
    known: HashSet<(Space, Key)>,
    /// Those of them that this adapter has written.
    own: HashSet<(Space, Key)>,
}

impl Report {
    /// Adds notifications. Take what is published only afterwards, and add it with
    /// [`add_own`](Self::add_own): a write that ends in between is published.
    pub(super) fn add(&mut self, messages: Messages, store: &Store) {
        self.everything |= messages.everything;
        for name in messages.names {
            if let Some(record) = store.layout.parse_record(&name)
                && self.known.insert(record.clone())
            {
                if store.in_flight.contains(&record.0, &record.1) {
                    self.own.insert(record.clone());
                }
                self.records.push(record);
            }
        }
    }

    /// Adds that anything may have changed.
    pub(super) fn add_everything(&mut self) {
        *self = Self { everything: true, ..Self::default() };
    }

    /// Adds what this adapter has published.
    pub(super) fn add_own(&mut self, published: Changes) {
        if let Changes::Records(records) = published {
            self.own.extend(records.into_iter().map(|record| (record.space, record.key)));
        }
        if self.everything || self.records.len() > MAX_KEYS {
            self.add_everything();
        }
    }

    /// Empties the report. If the future is dropped, nothing is lost.
    pub(super) async fn take(&mut self, store: &Store) -> Result<Changes> {
        if self.everything {
            *self = Self::default();
            return Ok(Changes::Everything);
        }
        if self.records.is_empty() {
            return Ok(Changes::Records(Vec::new()));
        }
        let mut changed = self.read_own(store).await?;
        // From here on without an await: what is taken is reported.
        let reported = std::mem::take(self);
        let known: HashSet<(&Space, &Key)> =
            changed.iter().map(|record| (&record.space, &record.key)).collect();
        let unknown: Vec<ChangedRecord> = reported
            .records
            .iter()
            .filter(|(space, key)| !known.contains(&(space, key)))
            .map(|(space, key)| ChangedRecord::new(space.clone(), key.clone(), ChangedTo::Unknown))
            .collect();
        changed.extend(unknown);
        Ok(Changes::Records(changed))
    }

    /// Reads what our own records are now.
    async fn read_own(&self, store: &Store) -> Result<Vec<ChangedRecord>> {
        let own = self.records.iter().filter(|record| self.own.contains(*record));
        let mut spaces: Vec<(&Space, Vec<Key>)> = Vec::new();
        for (space, key) in own.take(MAX_READ) {
            match spaces.iter_mut().find(|(other, _)| *other == space) {
                Some((_, keys)) => keys.push(key.clone()),
                None => spaces.push((space, vec![key.clone()])),
            }
        }
        let read = spaces.into_iter().map(async |(space, keys)| {
            let found = store.find(space, &keys, ReadFrom::Primaries).await?;
            let changed = keys.into_iter().zip(found).map(|(key, found)| {
                let now = match found {
                    Ok(Some(record)) => ChangedTo::Revision(record.revision),
                    Ok(None) => ChangedTo::Absent,
                    Err(_) => ChangedTo::Unknown,
                };
                ChangedRecord::new(space.clone(), key, now)
            });
            Ok::<Vec<_>, Error>(changed.collect())
        });
        Ok(try_join_all(read).await?.into_iter().flatten().collect())
    }
}
