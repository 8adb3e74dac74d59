//! Which records are being written.

use std::collections::HashMap;

use parking_lot::Mutex;
use pstate_core::{Key, Space, Write};

/// The records that this adapter is writing at the moment.
///
/// A message about a change may arrive before the answer to the write that has made it. So whoever tells
/// what has changed knows that it was ours.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    writes: Mutex<HashMap<(Space, Key), usize>>,
}

impl UnderWay {
    /// Notes writes until the guard is dropped.
    pub(crate) fn begin<'a>(&'a self, space: &'a Space, writes: &'a [Write]) -> Begun<'a> {
        let mut under_way = self.writes.lock();
        for write in writes {
            *under_way.entry((space.clone(), write.key.clone())).or_default() += 1;
        }
        Begun { under_way: self, space, writes }
    }

    pub(crate) fn contains(&self, record: &(Space, Key)) -> bool {
        self.writes.lock().contains_key(record)
    }
}

#[derive(Debug)]
pub(crate) struct Begun<'a> {
    under_way: &'a UnderWay,
    space: &'a Space,
    writes: &'a [Write],
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut under_way = self.under_way.writes.lock();
        for write in self.writes {
            let record = (self.space.clone(), write.key.clone());
            if let Some(count) = under_way.get_mut(&record) {
                *count -= 1;
                if *count == 0 {
                    under_way.remove(&record);
                }
            }
        }
    }
}
