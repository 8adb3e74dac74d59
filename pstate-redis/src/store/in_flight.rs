//! The records whose writes are in flight.

use std::collections::HashMap;

use parking_lot::Mutex;
use pstate_core::{Key, Space, Write};

/// The records that this adapter is writing.
///
/// A notification may arrive before the answer to the write that has caused it. The change feed
/// finds here that the change is ours.
#[derive(Debug, Default)]
pub(crate) struct InFlightWrites {
    writes: Mutex<HashMap<(Space, Key), usize>>,
}

impl InFlightWrites {
    /// Notes writes until the guard is dropped.
    pub(crate) fn begin<'a>(&'a self, space: &'a Space, writes: &'a [Write]) -> InFlightGuard<'a> {
        let mut in_flight = self.writes.lock();
        for write in writes {
            *in_flight.entry((space.clone(), write.key.clone())).or_default() += 1;
        }
        InFlightGuard { in_flight: self, space, writes }
    }

    pub(crate) fn contains(&self, record: &(Space, Key)) -> bool {
        self.writes.lock().contains_key(record)
    }
}

#[derive(Debug)]
pub(crate) struct InFlightGuard<'a> {
    in_flight: &'a InFlightWrites,
    space: &'a Space,
    writes: &'a [Write],
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.in_flight.writes.lock();
        for write in self.writes {
            let record = (self.space.clone(), write.key.clone());
            if let Some(count) = in_flight.get_mut(&record) {
                *count -= 1;
                if *count == 0 {
                    in_flight.remove(&record);
                }
            }
        }
    }
}
