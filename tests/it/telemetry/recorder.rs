//! An observer that remembers what it was told.

use std::sync::Arc;

use parking_lot::Mutex;
use pstate::{CacheReads, Event, Observer, Outcome};

/// Events, each as a line.
#[derive(Default)]
pub(super) struct Recorder {
    lines: Mutex<Vec<String>>,
    only_timed: bool,
    panics: bool,
}

impl Recorder {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One that wants only timed reads of the cache.
    pub(super) fn timed() -> Arc<Self> {
        Arc::new(Self { only_timed: true, ..Self::default() })
    }

    /// One that panics after it has remembered.
    pub(super) fn panicking() -> Arc<Self> {
        Arc::new(Self { panics: true, ..Self::default() })
    }

    /// What it was told since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock())
    }

    /// How many of the lines it has begin like this.
    pub(super) fn count(&self, begin: &str) -> u64 {
        self.lines.lock().iter().filter(|line| line.starts_with(begin)).count() as u64
    }
}

impl Observer for Recorder {
    fn on_event(&self, event: &Event<'_>) {
        self.lines.lock().push(line(event));
        assert!(!self.panics, "as it was asked to");
    }

    fn cache_reads(&self) -> CacheReads {
        if self.only_timed { CacheReads::Timed } else { CacheReads::Each }
    }
}

fn line(event: &Event<'_>) -> String {
    match event {
        Event::Fetch { operation, key, from_cache, migrated, found, error, duration, .. } => {
            let mut line = format!("fetch {key} by {operation}");
            line += if *from_cache { ", cached" } else { ", stored" };
            let marks = [
                (*migrated, ", migrated"),
                (!found && error.is_none(), ", absent"),
                (error.is_some(), ", failed"),
                (*from_cache && duration.is_some(), ", timed"),
            ];
            marks.iter().filter(|(is, _)| *is).for_each(|(_, mark)| line += mark);
            line
        }
        Event::Put { operation, key, deleted, outcome, .. } => {
            let outcome = match outcome {
                Outcome::Stored(_) => "stored",
                Outcome::Deleted => "deleted",
                Outcome::Conflict => "conflict",
                Outcome::Aborted => "aborted",
                Outcome::Failed(_) => "failed",
            };
            assert_eq!(*deleted, operation.as_str() == "delete");
            format!("put {key} by {operation}: {outcome}")
        }
        Event::Migration { key, entity_type, from, to, fields, error, .. } => {
            assert_eq!(*entity_type, key.entity_type());
            let failed = if error.is_some() { ", failed" } else { "" };
            format!("migrate {key} {from} to {to}: {}{failed}", fields.names().join(" "))
        }
        Event::Queue { size, .. } => format!("queue {size}"),
        Event::Flush { count, conflicts, failed, left, trigger, .. } => {
            format!("flush by {trigger}: {count} {conflicts} {failed} {left}")
        }
        Event::Cache { key, change, .. } => format!("cache {} {key}", change.as_str()),
        Event::Preload { key, levels, keys, round_trips, error, .. } => {
            let failed = if error.is_some() { ", failed" } else { "" };
            format!("preload {key}: {levels} levels, {keys} keys, {round_trips} calls{failed}")
        }
        Event::Sweep { done, stored, conflicts, failed, progress, .. } => {
            format!("sweep {done} {stored} {conflicts} {failed}, {:?}", progress.state)
        }
        Event::Call { adapter, call, keys, error, .. } => {
            let failed = if error.is_some() { ", failed" } else { "" };
            format!("call {adapter} {call} {keys}{failed}")
        }
        Event::SlowOperation { operation, key, keys, .. } => {
            let key = key.map(|key| key.to_string()).unwrap_or_default();
            format!("slow {operation} {key} of {keys}")
        }
        other => panic!("an event that is not known here: {other:?}"),
    }
}
