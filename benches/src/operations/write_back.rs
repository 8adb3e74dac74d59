//! Handles that queue migrated documents and write nothing back by themselves.

use std::time::Duration;

use pstate::MigrationWriter;

use crate::Result;

/// Longer than any measurement takes.
pub(super) const NEVER: Duration = Duration::from_secs(3_600);

/// Queues, and writes nothing, not even when the handle closes.
pub(super) fn silent_writer() -> MigrationWriter {
    MigrationWriter::default()
        .batch_size(usize::MAX)
        .queue_limit(usize::MAX)
        .queue_bytes(usize::MAX)
        .flush_interval(NEVER)
        .close_deadline(Duration::ZERO)
}

/// Checks that a measurement did what it is about.
pub(super) fn expect(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found} documents were {what} instead of {expected}").into())
}
