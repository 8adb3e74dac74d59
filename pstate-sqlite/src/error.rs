//! From SQLite's errors to PState's.

use std::path::Path;
use std::time::Duration;

use pstate_core::{Error, ErrorKind, path_error};
use rusqlite::{Error as SqlError, ErrorCode, ffi};

/// What failed. It decides whether a retry is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Opening the store.
    Open,
    /// Reading, or writing in a transaction that is rolled back: nothing has changed.
    Uncommitted,
    /// Committing. SQLite rolls back, but after a crash the log may hold the commit.
    Commit,
}

/// Translates an error of the file at `path`. `waited` is the busy timeout.
pub(crate) fn from_sqlite(error: SqlError, path: &Path, waited: Duration, phase: Phase) -> Error {
    let at = path.display();
    let (code, extended) = match error.sqlite_error() {
        Some(failure) => (failure.code, failure.extended_code),
        None => (ErrorCode::Unknown, 0),
    };
    let (kind, message, transient) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            let message =
                format!("{at}: the database is locked by another process (waited {waited:?})");
            return Error::new(ErrorKind::Unavailable, message).retryable();
        }
        ErrorCode::DiskFull => {
            // Retryable also when it is met while committing: the record that makes a transaction
            // valid is the last one in the log, so one that did not fit has no effect, not even
            // after a crash.
            let message = format!("{at}: the disk is full");
            return Error::new(ErrorKind::Unavailable, message).caused_by(error).retryable();
        }
        ErrorCode::NotADatabase => {
            return Error::new(ErrorKind::Config, format!("{at} is not an SQLite database"));
        }
        ErrorCode::CannotOpen => match why_not_opened(path) {
            Some(why) => return why,
            None if phase == Phase::Open && !path.exists() => {
                let message = format!("{at} does not exist; create it, or correct the path");
                (ErrorKind::Config, message, false)
            }
            None if phase == Phase::Open => {
                let message = format!(
                    "{at} cannot be opened: this user has to be able to read and write the file, \
                     and those beside it that end in -wal and -shm"
                );
                (ErrorKind::Config, message, false)
            }
            None => (ErrorKind::Unavailable, format!("{at} cannot be opened"), true),
        },
        ErrorCode::ReadOnly if extended == ffi::SQLITE_READONLY_DBMOVED => {
            return moved(path).caused_by(error);
        }
        ErrorCode::ReadOnly => {
            let message = format!(
                "{at} is read-only: the file and its directory have to be writable, and PRAGMA \
                 query_only has to be off"
            );
            return why_not_opened(path).unwrap_or_else(|| Error::new(ErrorKind::Config, message));
        }
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            (ErrorKind::Config, format!("{at}: permission denied"), false)
        }
        ErrorCode::DatabaseCorrupt => {
            let message =
                format!("{at} is damaged; make a new file of a backup: SqliteAdapter::restore");
            (ErrorKind::Corrupt, message, false)
        }
        ErrorCode::TooBig => {
            (ErrorKind::InvalidInput, "the value is longer than SQLite allows".to_owned(), false)
        }
        ErrorCode::SystemIoFailure => {
            (ErrorKind::Unavailable, format!("{at}: reading or writing failed"), true)
        }
        ErrorCode::OutOfMemory => {
            (ErrorKind::Unavailable, "SQLite is out of memory".to_owned(), true)
        }
        ErrorCode::OperationInterrupted | ErrorCode::FileLockingProtocolFailed => {
            (ErrorKind::Unavailable, format!("{at}: SQLite gave up"), true)
        }
        _ => (ErrorKind::Other, format!("{at}: SQLite failed"), false),
    };
    let translated = Error::new(kind, message).caused_by(error);
    if transient && phase != Phase::Commit { translated.retryable() } else { translated }
}

/// The file at `path` is not the one that was opened there. Retrying does not help: what the store
/// has open is another file.
pub(crate) fn moved(path: &Path) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!(
            "{} or its log was moved, deleted or replaced while the store was open; close the \
             store, put the right file in place, and open it again",
            path.display()
        ),
    )
}

/// Whether waiting for a lock might help.
pub(crate) fn is_busy(error: &SqlError) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a part of the file is damaged.
pub(crate) fn is_damage(error: &SqlError) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

/// Whether one row is to blame, and the transaction can go on without it.
pub(crate) fn is_about_one_row(error: &SqlError) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
    )
}

/// The longest path that SQLite takes: 512 bytes with `-journal` after it.
const LONGEST_PATH: usize = 504;

/// What SQLite appends to the name of the file, for files of its own.
const SUFFIXES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What is wrong with `path`, as far as its metadata tells.
fn why_not_opened(path: &Path) -> Option<Error> {
    let refuse = |why: String| Some(Error::new(ErrorKind::Config, why));
    let at = path.display();
    if path.is_dir() {
        return refuse(format!("{at} is a directory; name a file in it, as in {at}/app.db"));
    }
    if let Some(error) = path_error(path, "-journal") {
        return Some(error);
    }
    let len = path.as_os_str().len();
    if len > LONGEST_PATH {
        return refuse(format!(
            "the path {at} has {len} bytes, and SQLite takes at most {LONGEST_PATH}; shorten it"
        ));
    }
    let companions = SUFFIXES.map(|suffix| format!("{at}{suffix}"));
    let directory = companions.iter().find(|companion| Path::new(companion).is_dir())?;
    refuse(format!("{directory} is a directory, where SQLite keeps a file; remove it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn translated(code: std::ffi::c_int, phase: Phase) -> Error {
        let error = SqlError::SqliteFailure(ffi::Error::new(code), None);
        from_sqlite(error, Path::new("/data/app.db"), Duration::from_secs(5), phase)
    }

    #[test]
    fn a_busy_database_is_worth_a_retry() {
        let error = translated(ffi::SQLITE_BUSY_RECOVERY, Phase::Uncommitted);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.is_retryable());
        assert_eq!(
            error.to_string(),
            "/data/app.db: the database is locked by another process (waited 5s)"
        );
    }

    #[test]
    fn an_io_error_is_retryable_only_if_nothing_was_written() {
        assert!(translated(ffi::SQLITE_IOERR_READ, Phase::Uncommitted).is_retryable());
        assert!(!translated(ffi::SQLITE_IOERR_FSYNC, Phase::Commit).is_retryable());
    }

    #[test]
    fn a_full_disk_is_retryable_whenever_it_is_met() {
        for phase in [Phase::Open, Phase::Uncommitted, Phase::Commit] {
            let error = translated(ffi::SQLITE_FULL, phase);
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.is_retryable(), "{phase:?}");
        }
    }

    #[test]
    fn a_damaged_file_is_corrupt_and_not_retried() {
        let error = translated(ffi::SQLITE_CORRUPT, Phase::Uncommitted);
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(!error.is_retryable());
    }

    #[test]
    fn a_moved_file_is_unavailable() {
        let error = translated(ffi::SQLITE_READONLY_DBMOVED, Phase::Uncommitted);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn anything_unforeseen_is_other_with_its_cause() {
        let error = translated(ffi::SQLITE_ERROR, Phase::Uncommitted);
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(std::error::Error::source(&error).is_some());
    }
}
