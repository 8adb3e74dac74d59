//! The files that SQLite keeps beside a database.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Log, index of the log, and rollback journal of the database at `path`.
pub(crate) fn companions(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| with_suffix(path, suffix))
}

/// The path with more letters at its end.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
