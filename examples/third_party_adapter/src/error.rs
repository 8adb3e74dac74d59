//! From I/O errors to PState's.
//!
//! Callers add operation, space and key where they know them. Messages name paths, never contents.

use std::io::{self, ErrorKind as Io};
use std::path::Path;

use pstate_core::{Error, ErrorKind};
use tokio::task::JoinError;

/// A failure that has changed nothing. All but two causes may pass: a full disk is emptied, a
/// volume comes back. So those are worth a retry.
pub(crate) fn unchanged(error: io::Error, path: &Path) -> Error {
    let message = format!("{} cannot be used", path.display());
    match error.kind() {
        // A person has to do something about it.
        Io::PermissionDenied | Io::ReadOnlyFilesystem | Io::InvalidFilename => {
            Error::new(ErrorKind::Config, message).caused_by(error)
        }
        // Something lies where only we put files and directories.
        Io::IsADirectory | Io::NotADirectory => {
            Error::new(ErrorKind::Corrupt, message).caused_by(error)
        }
        _ => Error::new(ErrorKind::Unavailable, message).caused_by(error).retryable(),
    }
}

/// A failure after a change: others may see the change, a power cut may undo it. Not retryable,
/// because the effect is unknown.
pub(crate) fn unsettled(error: io::Error, path: &Path) -> Error {
    let message = format!("{} was changed, but may not be on the disk", path.display());
    Error::new(ErrorKind::Unavailable, message).caused_by(error)
}

/// The runtime has shut down, or the work has panicked. How far it got is unknown.
pub(crate) fn stopped(error: JoinError) -> Error {
    Error::new(ErrorKind::Unavailable, "the work was stopped").caused_by(error)
}
