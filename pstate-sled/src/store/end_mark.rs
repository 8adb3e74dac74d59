//! Whether the log still reaches as far as when the store was closed.
//!
//! sled takes damage in its log for the log's end, and continues with what comes before: records
//! would be missing or older, without an error. So closing writes a number to the log, last of all,
//! and then to a file beside it. After a crash there is no such file, and nothing to compare.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use pstate_core::{Error, ErrorKind, Result};
use sled::Db;

use crate::error::{Phase, guarded};

/// In the directory, while the store is closed.
const FILE: &str = "pstate.closed";

/// In sled's own tree, apart from the records.
const ENTRY: &str = "pstate.closed";

fn number(db: &Db, path: &Path, phase: Phase) -> Result<Option<u64>> {
    let entry = guarded(path, phase, || db.get(ENTRY))?;
    Ok(entry.and_then(|entry| str::from_utf8(&entry).ok()?.parse().ok()))
}

/// Marks where the log ends. Closing does this last.
pub(super) fn write(db: &Db, path: &Path) -> Result<()> {
    let next = number(db, path, Phase::Write)?.unwrap_or(0).wrapping_add(1);
    let next = next.to_string();
    guarded(path, Phase::Write, || db.insert(ENTRY, next.as_bytes()))?;
    guarded(path, Phase::Write, || db.flush())?;
    // The file stands for the log, so the log has to reach the disk first, for a power cut.
    let write_file = || {
        File::options().write(true).open(path.join("db"))?.sync_all()?;
        fs::write(path.join(FILE), format!("{next}\n"))
    };
    write_file().map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("{}: {FILE} cannot be written", path.display()))
            .caused_by(error)
    })
}

/// Checks that the log reaches as far as it is marked. Opening does this first.
pub(super) fn check(db: &Db, path: &Path) -> Result<()> {
    let at = path.display();
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Config, format!("{at}: {FILE} has to be readable and writable"))
            .caused_by(error)
    };
    let marked = match fs::read_to_string(path.join(FILE)) {
        Ok(text) => text.trim_end().parse().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    // A file without a number is what a crash has left of writing it.
    if marked.is_some() && number(db, path, Phase::Open)? != marked {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!(
                "{at} is damaged: sled has lost the end of what was stored; restore a copy, or \
                 remove {FILE} to continue with what is left"
            ),
        ));
    }
    fs::remove_file(path.join(FILE)).map_err(failed)
}
