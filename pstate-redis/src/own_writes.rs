//! What this adapter has written lately, so that it is read where it was written.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pstate_core::{Key, Space, Write};

/// So many are kept before old ones are looked for.
const FEW: usize = 1024;

/// Records that replicas may not have yet; nothing is noted unless replicas are read.
#[derive(Debug)]
pub(crate) struct OwnWrites {
    kept: Option<Duration>,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    records: HashMap<(Space, Key), Instant>,
    /// How many there may be before old ones are looked for again.
    many: usize,
}

impl OwnWrites {
    /// Keeps records for so long, or none.
    pub(crate) fn new(kept: Option<Duration>) -> Self {
        Self { kept, written: Mutex::default() }
    }

    /// Notes that these are being written, or have been.
    pub(crate) fn note(&self, space: &Space, writes: &[Write]) {
        let Some(kept) = self.kept else { return };
        let now = Instant::now();
        let mut written = self.written.lock();
        written
            .records
            .extend(writes.iter().map(|write| ((space.clone(), write.key.clone()), now)));
        if written.records.len() > written.many.max(FEW) {
            written.records.retain(|_, noted| now.duration_since(*noted) < kept);
            written.many = 2 * written.records.len();
        }
    }

    /// Whether a replica may be asked for these.
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
        for n in 0..10 * FEW {
            let key = Key::new("card", &n.to_string()).expect("a key");
            writes.note(&Space::default(), &[Write::delete(key)]);
            assert!(writes.written.lock().records.len() <= FEW + 1);
        }
    }
}
