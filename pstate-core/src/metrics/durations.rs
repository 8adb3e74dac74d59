//! What comes from events: everything that has a duration.

use std::sync::OnceLock;

use metrics::{Histogram, histogram};

use super::catalogue::{
    CALL_DURATION, FETCH_DURATION, FLUSH_DURATION, MIGRATION_DURATION, PRELOAD_DURATION,
    PUT_DURATION,
};
use crate::model::{Error, ErrorKind, Outcome};
use crate::telemetry::{CacheReads, Event, FlushTrigger, Observer};

/// The calls of an adapter.
const CALLS: [&str; 6] = ["multi_get", "write", "scan", "spaces", "flush", "close"];

/// What becomes of a write.
const OUTCOMES: [&str; 5] = ["stored", "deleted", "conflict", "aborted", "failed"];

/// The observer that fills the histograms.
pub(crate) struct Durations {
    adapter: &'static str,
    calls: [Histogram; CALLS.len()],
    /// Those that failed, by the kind of the error; made when the first does.
    failed: [[OnceLock<Histogram>; ErrorKind::ALL.len()]; CALLS.len()],
    cached: Histogram,
    stored: Histogram,
    migrated: Histogram,
    puts: [Histogram; OUTCOMES.len()],
    preloads: Histogram,
    migrations: Histogram,
    flushes: [Histogram; FlushTrigger::ALL.len()],
}

impl Durations {
    pub(super) fn register(adapter: &'static str) -> Self {
        let fetch = |from_cache, migrated| histogram!(FETCH_DURATION, "from_cache" => from_cache, "migrated" => migrated);
        let call = |call| histogram!(CALL_DURATION, "db.system.name" => adapter, "db.operation.name" => call);
        Self {
            adapter,
            calls: CALLS.map(call),
            failed: [const { [const { OnceLock::new() }; ErrorKind::ALL.len()] }; CALLS.len()],
            cached: fetch("true", "false"),
            stored: fetch("false", "false"),
            migrated: fetch("false", "true"),
            puts: OUTCOMES.map(|outcome| histogram!(PUT_DURATION, "outcome" => outcome)),
            preloads: histogram!(PRELOAD_DURATION),
            migrations: histogram!(MIGRATION_DURATION),
            flushes: FlushTrigger::ALL
                .map(|trigger| histogram!(FLUSH_DURATION, "trigger" => trigger.as_str())),
        }
    }

    fn call(&self, call: &str, error: Option<ErrorKind>) -> Option<&Histogram> {
        let at = CALLS.iter().position(|known| *known == call)?;
        let Some(kind) = error else { return Some(&self.calls[at]) };
        Some(self.failed[at][kind as usize].get_or_init(|| {
            histogram!(
                CALL_DURATION,
                "db.system.name" => self.adapter,
                "db.operation.name" => CALLS[at],
                "error.type" => kind.as_str(),
            )
        }))
    }
}

impl Observer for Durations {
    fn on_event(&self, event: &Event<'_>) {
        let (histogram, duration) = match event {
            Event::Fetch { from_cache, migrated, duration: Some(duration), .. } => {
                let histogram = match (from_cache, migrated) {
                    (true, _) => &self.cached,
                    (false, true) => &self.migrated,
                    (false, false) => &self.stored,
                };
                (histogram, duration)
            }
            Event::Call { call, duration, error, .. } => {
                let Some(histogram) = self.call(call, error.map(Error::kind)) else { return };
                (histogram, duration)
            }
            Event::Put { outcome, duration, .. } => {
                let at = match outcome {
                    Outcome::Stored(_) => 0,
                    Outcome::Deleted => 1,
                    Outcome::Conflict => 2,
                    Outcome::Aborted => 3,
                    Outcome::Failed(_) => 4,
                };
                (&self.puts[at], duration)
            }
            Event::Preload { duration, .. } => (&self.preloads, duration),
            Event::Migration { duration, .. } => (&self.migrations, duration),
            Event::Flush { trigger, duration, .. } => (&self.flushes[*trigger as usize], duration),
            _ => return,
        };
        histogram.record(duration.as_secs_f64());
    }

    fn cache_reads(&self) -> CacheReads {
        CacheReads::Timed
    }
}
