//! What this adapter has written lately, so that it reads that where it has written it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pstate_core::{Key, Space, Write};

/// How many records are kept before old ones are dropped.
const MIN_SWEEP: usize = 1024;

/// Records that replicas may not have yet. It notes nothing unless replicas are read.
#[derive(Debug)]
pub(crate) struct OwnWrites {
    kept: Option<Duration>,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    records: HashMap<(Space, Key), Instant>,
    /// How many there may be before old ones are dropped again.
    next_sweep: usize,
}

impl OwnWrites {
    /// Keeps records for this time, or none.
    pub(crate) fn new(kept: Option<Duration>) -> Self {
        Self { kept, written: Mutex::default() }
    }

    /// Notes writes that begin or end.
    pub(crate) fn note(&self, space: &Space, writes: &[Write]) {
        let Some(kept) = self.kept else { return };
        let now = Instant::now();
        let mut written = self.written.lock();
        written
            .records
            .extend(writes.iter().map(|write| ((space.clone(), write.key.clone()), now)));
        if written.records.len() > written.next_sweep.max(MIN_SWEEP) {
            written.records.retain(|_, noted| now.duration_since(*noted) < kept);
            written.next_sweep = 2 * written.records.len();
        }
    }

    /// Whether a replica may answer for these keys.
    pub(crate) fn allow_replica(&self, space: &Space, keys: &[Key]) -> bool {
        let Some(kept) = self.kept else { return false };
        let written = self.written.lock();
        let recent = |key: &Key| {
            let noted = written.records.get(&(space.clone(), key.clone()));
            noted.is_some_and(|noted| noted.elapsed() < kept)
        };
        !keys.iter().any(recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_not_read_from_replicas_for_as_long_as_it_is_kept() {
        let (space, key) = (Space::default(), Key::new("card", "1").expect("a key"));
        let write = [Write::delete(key.clone())];
        let other = Key::new("card", "2").expect("a key");
        let kept = OwnWrites::new(Some(Duration::from_secs(3600)));
        kept.note(&space, &write);
        assert!(!kept.allow_replica(&space, &[other.clone(), key.clone()]));
        assert!(kept.allow_replica(&space, &[other]));
        let forgotten = OwnWrites::new(Some(Duration::ZERO));
        forgotten.note(&space, &write);
        assert!(forgotten.allow_replica(&space, std::slice::from_ref(&key)));
        assert!(!OwnWrites::new(None).allow_replica(&space, &[key]));
    }

    #[test]
    fn no_more_is_kept_than_twice_what_is_recent() {
        let writes = OwnWrites::new(Some(Duration::ZERO));
        for n in 0..10 * MIN_SWEEP {
            let key = Key::new("card", &n.to_string()).expect("a key");
            writes.note(&Space::default(), &[Write::delete(key)]);
            assert!(writes.written.lock().records.len() <= MIN_SWEEP + 1);
        }
    }
}
