//! What all processes have done and seen, and what of it must not be.
//!
//! Each document has one writer, which writes one number after the other, greater each time. All
//! times are microseconds of the system's clock: a write lasts from before the call until after the
//! answer, a read too. So everything that is found is wrong whatever happened in between.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::arguments::Slot;

/// Since the beginning of the system's clock, which all processes share.
pub(crate) type Micros = u64;

pub(crate) fn now() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros::try_from(since.as_micros()).unwrap_or(Micros::MAX)
}

/// How long a read may return what another process has overwritten: the default bound. What the own
/// process has overwritten, it never returns.
pub(crate) const BOUND: Micros = 100_000;

#[derive(Debug, Clone, Copy)]
struct Written {
    begin: Micros,
    /// `None` for a write that has failed or was never answered: it may have happened, or happen.
    acknowledged: Option<Micros>,
}

/// A time in which everything that was stored was taken away.
#[derive(Debug, Clone, Copy)]
struct Wipe {
    begin: Micros,
    end: Micros,
}

/// A time in which a process did not run.
#[derive(Debug, Clone, Copy)]
struct Stop {
    reader: Slot,
    begin: Micros,
    end: Micros,
}

/// What a read has found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// The first document that the process writes which has read.
    pub(crate) reader: Slot,
    pub(crate) slot: Slot,
    pub(crate) begin: Micros,
    pub(crate) end: Micros,
    pub(crate) number: Option<u64>,
    /// How long before it began a write of another process may have been missed.
    pub(crate) bound: Micros,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    writes: BTreeMap<Slot, BTreeMap<u64, Written>>,
    wipes: Vec<Wipe>,
    stops: Vec<Stop>,
    reads: Vec<Found>,
}

impl History {
    pub(crate) fn begin_write(&mut self, slot: Slot, number: u64, begin: Micros) {
        let written = Written { begin, acknowledged: None };
        self.writes.entry(slot).or_default().insert(number, written);
    }

    pub(crate) fn acknowledge(&mut self, slot: Slot, number: u64, at: Micros) {
        if let Some(written) = self.writes.get_mut(&slot).and_then(|slot| slot.get_mut(&number)) {
            written.acknowledged = Some(at);
        }
    }

    pub(crate) fn wipe(&mut self, begin: Micros, end: Micros) {
        self.wipes.push(Wipe { begin, end });
    }

    pub(crate) fn stop(&mut self, reader: Slot, begin: Micros, end: Micros) {
        self.stops.push(Stop { reader, begin, end });
    }

    pub(crate) fn read(&mut self, found: Found) {
        self.reads.push(found);
    }

    /// How many writes were acknowledged, and how many reads were answered.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let writes = self.writes.values().flat_map(BTreeMap::values);
        (writes.filter(|written| written.acknowledged.is_some()).count(), self.reads.len())
    }

    /// What the reads during the round have found that was too old, or was never there.
    pub(crate) fn wrong_reads(&self) -> Vec<String> {
        self.reads.iter().filter_map(|found| self.wrong(*found, BOUND)).collect()
    }

    /// What is wrong with a read after everything has settled.
    pub(crate) fn wrong_at_last(&self, found: Found) -> Option<String> {
        self.wrong(found, 0)
    }

    /// The bound of a read. The timers of a process that was stopped are late by as long, and have
    /// caught up within the bound.
    fn bound(&self, found: Found) -> Micros {
        let late = |stop: &&Stop| {
            stop.reader == found.reader && stop.begin < found.end && found.begin < stop.end + BOUND
        };
        match found.bound {
            0 => 0,
            bound => {
                self.stops.iter().filter(late).map(|stop| stop.end - stop.begin).sum::<u64>()
                    + bound
            }
        }
    }

    /// What others take away may be read for as long as `wipe_bound`.
    fn wrong(&self, found: Found, wipe_bound: Micros) -> Option<String> {
        let Found { slot, begin, end, number, .. } = found;
        let bound = self.bound(found);
        let none = BTreeMap::new();
        let writes = self.writes.get(&slot).unwrap_or(&none);
        let seen_by = begin.saturating_sub(bound);
        let kept = |written: &Written| {
            let wiped = |wipe: &Wipe| wipe.begin < end && wipe.end > written.begin;
            written.acknowledged.is_some_and(|at| at < seen_by) && !self.wipes.iter().any(wiped)
        };
        let least = writes.iter().rev().find(|(_, written)| kept(written)).map(|(&n, _)| n);
        let older = |least: u64| {
            let age = writes[&least].acknowledged.map_or(0, |at| begin.saturating_sub(at)) / 1_000;
            let number = number.map_or("absent".to_owned(), |number| number.to_string());
            format!(
                "card:{slot} read as {number}, {age} ms after {least} was acknowledged (bound: {} \
                 ms)",
                bound / 1_000
            )
        };
        let Some(number) = number else { return least.map(older) };
        let Some(written) = writes.get(&number).filter(|written| written.begin < end) else {
            return Some(format!("card:{slot} read as {number}, which was not written by then"));
        };
        // A write without an answer may take effect at any time.
        let at = written.acknowledged?;
        let gone = |wipe: &&Wipe| at < wipe.begin && wipe.end + wipe_bound < begin;
        if let Some(wipe) = self.wipes.iter().find(gone) {
            let age = (begin - wipe.end) / 1_000;
            return Some(format!("card:{slot} read as {number}, {age} ms after it was taken away"));
        }
        least.filter(|&least| number < least).map(older)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 is acknowledged at 10, 2 at 30, 3 never.
    fn history() -> History {
        let mut history = History::default();
        for (number, begin, end) in [(1, 5, Some(10)), (2, 20, Some(30)), (3, 40, None)] {
            history.begin_write(7, number, begin);
            if let Some(end) = end {
                history.acknowledge(7, number, end);
            }
        }
        history
    }

    fn read(begin: Micros, number: Option<u64>) -> Found {
        Found { reader: 0, slot: 7, begin, end: begin + 1, number, bound: 0 }
    }

    #[test]
    fn a_lost_write_is_found() {
        let history = history();
        assert!(history.wrong_at_last(read(50, Some(1))).is_some());
        assert!(history.wrong_at_last(read(50, None)).is_some());
        for number in [2, 3] {
            assert_eq!(history.wrong_at_last(read(50, Some(number))), None);
        }
        assert!(history.wrong_at_last(read(50, Some(4))).is_some());
    }

    #[test]
    fn a_read_may_be_as_old_as_the_bound() {
        let history = history();
        let read = |begin| Found { bound: 10, ..read(begin, Some(1)) };
        assert_eq!(history.wrong_at_last(read(40)), None);
        assert!(history.wrong_at_last(read(41)).is_some());
    }

    #[test]
    fn a_stopped_process_may_read_what_is_older_by_the_stop() {
        let mut history = history();
        history.stop(1, 31, 51);
        let read = |reader, begin| Found { reader, bound: 10, ..read(begin, Some(1)) };
        assert_eq!(history.wrong_at_last(read(1, 60)), None);
        assert!(history.wrong_at_last(read(1, 61)).is_some());
        assert!(history.wrong_at_last(read(0, 60)).is_some());
        assert!(history.wrong_at_last(Found { bound: 0, ..read(1, 60) }).is_some());
        assert!(history.wrong_at_last(read(1, 51 + BOUND)).is_some());
    }

    #[test]
    fn what_was_taken_away_may_not_be_read_for_long() {
        let mut history = history();
        history.wipe(50, 60);
        assert_eq!(history.wrong_at_last(read(70, None)), None);
        assert!(history.wrong_at_last(read(70, Some(2))).is_some());
        assert_eq!(history.wrong(read(70, Some(2)), 10), None);
        history.begin_write(7, 4, 61);
        history.acknowledge(7, 4, 62);
        assert!(history.wrong_at_last(read(70, None)).is_some());
    }
}
