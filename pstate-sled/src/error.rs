//! From sled's errors and panics to PState's.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use pstate_core::{Error, ErrorKind, Result, path_error};

/// What failed. It decides whether a retry is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Opening the store.
    Open,
    /// Reading: nothing has changed.
    Read,
    /// Writing, or flushing writes: they may have happened.
    Write,
}

/// Calls sled.
///
/// sled panics about some kinds of damage instead of returning an error. The message of such a
/// panic is left out, because it holds whole pages.
pub(crate) fn guarded<T>(
    path: &Path,
    phase: Phase,
    work: impl FnOnce() -> sled::Result<T>,
) -> Result<T> {
    // sled's own locks are released when the panic arrives here.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| from_sled(error, path, phase)),
        Err(_) if phase == Phase::Write => Err(Error::new(
            ErrorKind::Other,
            format!(
                "{}: sled panicked during a write, which may or may not be stored; restart the \
                 program, then read what is stored",
                path.display()
            ),
        )),
        Err(_) => Err(Error::new(
            ErrorKind::Corrupt,
            format!("{} is damaged: sled panicked; restore a copy", path.display()),
        )),
    }
}

/// Damage that an operation has met. `Corrupt` says that nothing was written, which is unknown of a
/// write: sled may have stored a part of it, or all.
fn damaged(path: &Path, phase: Phase) -> Error {
    let at = path.display();
    if phase == Phase::Write {
        let message =
            format!("{at} is damaged, and the write may or may not be stored; restore a copy");
        return Error::new(ErrorKind::Other, message);
    }
    Error::new(ErrorKind::Corrupt, format!("{at} is damaged; restore a copy"))
}

/// Translates an error of the store at `path`.
pub(crate) fn from_sled(error: sled::Error, path: &Path, phase: Phase) -> Error {
    if let (sled::Error::Io(_), Phase::Open) = (&error, phase)
        && let Some(why) = path_error(&path.join("db"), "")
    {
        return why.caused_by(error);
    }
    let at = path.display();
    match &error {
        sled::Error::Corruption { .. } => damaged(path, phase).caused_by(error),
        sled::Error::Io(cause) => from_io(cause.kind(), path, phase).caused_by(error),
        // Written by another version of sled, or with other settings.
        sled::Error::Unsupported(_) if phase == Phase::Open => {
            Error::new(ErrorKind::Config, format!("{at} cannot be opened by this version of sled"))
                .caused_by(error)
        }
        _ => Error::new(ErrorKind::Other, format!("{at}: sled failed")).caused_by(error),
    }
}

fn from_io(kind: io::ErrorKind, path: &Path, phase: Phase) -> Error {
    use io::ErrorKind::{
        AlreadyExists, InvalidData, IsADirectory, NotADirectory, NotFound, PermissionDenied,
        ReadOnlyFilesystem, StorageFull, UnexpectedEof,
    };

    let at = path.display();
    match (kind, phase) {
        (StorageFull, _) => unavailable(
            format!("{at}: the disk is full; open the store again when it is not"),
            phase,
        ),
        (PermissionDenied, Phase::Open) => Error::new(
            ErrorKind::Config,
            format!(
                "{at}: let the user of this program read and write the directory and all files in \
                 it"
            ),
        ),
        (ReadOnlyFilesystem, Phase::Open) => Error::new(
            ErrorKind::Config,
            format!("{at} is on a read-only file system; choose a directory on a writable one"),
        ),
        (NotFound | NotADirectory | IsADirectory | AlreadyExists, Phase::Open) => Error::new(
            ErrorKind::Config,
            format!("{at} cannot be opened or created; choose another directory"),
        ),
        // The log, or a file that it refers to, is gone or shorter than before.
        (NotFound | UnexpectedEof | InvalidData, _) => damaged(path, phase),
        _ => unavailable(format!("{at}: reading or writing failed"), phase),
    }
}

fn unavailable(message: String, phase: Phase) -> Error {
    let error = Error::new(ErrorKind::Unavailable, message);
    if phase == Phase::Write { error } else { error.retryable() }
}

/// Whether another handle has the store open.
pub(crate) fn is_locked(error: &sled::Error) -> bool {
    // It has no kind of its own.
    matches!(error, sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn translated(kind: io::ErrorKind, phase: Phase) -> Error {
        from_sled(sled::Error::Io(kind.into()), Path::new("/data/app"), phase)
    }

    #[test]
    fn an_io_error_is_retryable_only_if_nothing_was_written() {
        assert!(translated(io::ErrorKind::Other, Phase::Read).is_retryable());
        assert!(!translated(io::ErrorKind::Other, Phase::Write).is_retryable());
    }

    /// Each of these makes the handle forget what it has cached; the other kinds say that nothing
    /// was stored.
    #[test]
    fn whatever_fails_a_write_leaves_its_effect_unknown() {
        use io::ErrorKind::{
            InvalidData, NotFound, Other, PermissionDenied, ReadOnlyFilesystem, StorageFull,
            UnexpectedEof,
        };
        let of_io = [
            InvalidData,
            NotFound,
            Other,
            PermissionDenied,
            ReadOnlyFilesystem,
            StorageFull,
            UnexpectedEof,
        ];
        let errors = of_io.map(|kind| sled::Error::Io(kind.into())).into_iter().chain([
            sled::Error::Corruption { at: None, bt: () },
            sled::Error::Unsupported("an operation".to_owned()),
            sled::Error::ReportableBug("a bug".to_owned()),
            sled::Error::CollectionNotFound("a tree".into()),
        ]);
        let path = Path::new("/data/app");
        let panicked: Result<()> = guarded(path, Phase::Write, || panic!("a page with a secret"));
        let translated = errors.map(|error| from_sled(error, path, Phase::Write));
        for error in translated.chain(panicked.err()) {
            let unknown = matches!(error.kind(), ErrorKind::Other | ErrorKind::Unavailable);
            assert!(unknown && !error.is_retryable(), "{:?}: {error}", error.kind());
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_full_disk_is_named() {
        let error = translated(io::ErrorKind::StorageFull, Phase::Write);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().starts_with("/data/app: the disk is full"), "{error}");
    }

    #[test]
    fn what_is_missing_is_damage_once_the_store_is_open() {
        assert_eq!(translated(io::ErrorKind::NotFound, Phase::Open).kind(), ErrorKind::Config);
        assert_eq!(translated(io::ErrorKind::NotFound, Phase::Read).kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_panic_is_damage_and_what_it_says_is_left_out() {
        let done: Result<()> =
            guarded(Path::new("/data/app"), Phase::Read, || panic!("the page with a secret"));
        let error = done.expect_err("a panic");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }

    #[test]
    fn anything_unforeseen_is_other_with_its_cause() {
        let bug = sled::Error::ReportableBug("a bug".to_owned());
        let error = from_sled(bug, Path::new("/data/app"), Phase::Read);
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(std::error::Error::source(&error).is_some());
    }
}
