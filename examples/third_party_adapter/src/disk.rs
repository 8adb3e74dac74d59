//! What makes a change atomic and durable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use pstate_core::Durability;

/// What holds after [`replace`] and [`sync_directory`]. The standard library cannot sync
/// directories on Windows, so less is claimed there.
pub(crate) const DURABILITY: Durability =
    if cfg!(unix) { Durability::Power } else { Durability::Process };

/// Makes `heading` and `bytes` the content of the file at `path`, at once: each reader finds the
/// old content or the new one. After an error nothing has changed.
///
/// Writes them to `temporary`, and syncs it before it gets its name; otherwise a power cut could
/// leave the name without the content. The name itself is on the disk when its directory has been
/// [synced](sync_directory).
pub(crate) fn replace(
    temporary: &Path,
    path: &Path,
    heading: &[u8],
    bytes: &[u8],
) -> io::Result<()> {
    let write = || {
        let mut file = File::create(temporary)?;
        file.write_all(heading)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)
    };
    write().inspect_err(|_| {
        // Half a file takes room on a full disk. If it cannot be removed, the next write truncates
        // it.
        let _ = fs::remove_file(temporary);
    })
}

/// Returns when the names in a directory are on the disk.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Creates a directory that may be there already.
pub(crate) fn ensure_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
