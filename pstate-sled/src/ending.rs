//! Whether the log is still as long as it was when the store was closed.
//!
//! sled takes damage in its log for the log's end, and goes on with what comes before: records would
//! be missing, or be older, without an error. So closing writes a number to the log, as the last thing,
//! and then to a file beside it. After a crash there is no such file, and nothing to compare.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use pstate_core::{Error, ErrorKind, Result};
use sled::Db;

use crate::error::{During, guarded};

/// In the directory, while the store is closed.
const FILE: &str = "pstate.closed";

/// In sled's own tree, apart from the records.
const ENTRY: &str = "pstate.closed";

fn number(db: &Db, path: &Path, during: During) -> Result<Option<u64>> {
    let entry = guarded(path, during, || db.get(ENTRY))?;
    Ok(entry.and_then(|entry| str::from_utf8(&entry).ok()?.parse().ok()))
}

/// Notes, as the last thing before the database is closed, where its log ends.
pub(crate) fn note(db: &Db, path: &Path) -> Result<()> {
    let next = number(db, path, During::Write)?.unwrap_or(0).wrapping_add(1);
    let next = next.to_string();
    guarded(path, During::Write, || db.insert(ENTRY, next.as_bytes()))?;
    guarded(path, During::Write, || db.flush())?;
    // Whoever finds the file relies on the log being there, also after a power cut.
    let write = || {
        File::options().write(true).open(path.join("db"))?.sync_all()?;
        fs::write(path.join(FILE), format!("{next}\n"))
    };
    write().map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("{}: {FILE} cannot be written", path.display()))
            .caused_by(error)
    })
}

/// Checks, as the first thing after the database is opened, that its log goes as far as was noted.
pub(crate) fn check(db: &Db, path: &Path) -> Result<()> {
    let at = path.display();
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Config, format!("{at}: {FILE} has to be readable and writable"))
            .caused_by(error)
    };
    let noted = match fs::read_to_string(path.join(FILE)) {
        Ok(text) => text.trim_end().parse().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    // A file without a number is what a crash has left of writing it.
    if noted.is_some() && number(db, path, During::Open)? != noted {
        return Err(Error::new(
            ErrorKind::Corrupt,
            format!(
                "{at} is damaged: sled has lost the end of what was stored; restore a copy, or \
                 remove {FILE} to go on with what is left"
            ),
        ));
    }
    fs::remove_file(path.join(FILE)).map_err(failed)
}
