//! Reads by key, and their faults.

use std::collections::{BTreeMap, HashSet};

use pstate_core::{Error, ErrorKind, Key, Record, Result, Space};

use crate::adapter::LogAdapter;
use crate::fault::Fault;
use crate::store::{Place, State, Stored, log_error};

impl LogAdapter {
    pub(crate) async fn read_records(
        &self,
        space: &Space,
        keys: &[Key],
    ) -> Result<Vec<Option<Record>>> {
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
                let state = self.shared.current().map_err(log_error)?;
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
