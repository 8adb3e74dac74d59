//! The records whose writes are in flight.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;
use pstate_core::{Key, Space, Write};

/// The records that this adapter is writing.
///
/// A notification may arrive before the answer to the write that has caused it. The change feed
/// finds here that the change is ours.
///
/// Records are kept as hashes. Of two records with the same one, the feed may take a foreign change
/// for ours: it reads that record to report it, which costs a moment and is as true.
#[derive(Debug, Default)]
pub(crate) struct InFlightWrites {
    hasher: RandomState,
    writes: Mutex<HashMap<u64, usize>>,
}

impl InFlightWrites {
    /// Notes writes until the guard is dropped.
    pub(crate) fn begin(&self, space: &Space, writes: &[Write]) -> InFlightGuard<'_> {
        let records: Vec<u64> = writes.iter().map(|write| self.hash(space, &write.key)).collect();
        let mut in_flight = self.writes.lock();
        for record in &records {
            *in_flight.entry(*record).or_default() += 1;
        }
        InFlightGuard { in_flight: self, records }
    }

    pub(crate) fn contains(&self, space: &Space, key: &Key) -> bool {
        self.writes.lock().contains_key(&self.hash(space, key))
    }

    fn hash(&self, space: &Space, key: &Key) -> u64 {
        self.hasher.hash_one((space, key))
    }
}

#[derive(Debug)]
pub(crate) struct InFlightGuard<'a> {
    in_flight: &'a InFlightWrites,
    records: Vec<u64>,
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.in_flight.writes.lock();
        for record in &self.records {
            if let Some(count) = in_flight.get_mut(record) {
                *count -= 1;
                if *count == 0 {
                    in_flight.remove(record);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_in_flight_until_the_last_of_its_writes_has_ended() {
        let space = Space::default();
        let [written, other] = ["1", "2"].map(|id| Key::new("card", id).expect("a key"));
        let writes = [Write::delete(written.clone())];
        let in_flight = InFlightWrites::default();
        let first = in_flight.begin(&space, &writes);
        let second = in_flight.begin(&space, &writes);
        drop(first);
        assert!(in_flight.contains(&space, &written));
        assert!(!in_flight.contains(&space, &other));
        drop(second);
        assert!(!in_flight.contains(&space, &written));
        assert!(in_flight.writes.lock().is_empty());
    }
}
