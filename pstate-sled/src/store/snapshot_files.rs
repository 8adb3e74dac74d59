//! What a crash, or a disk, has left of sled's own snapshot files.
//!
//! Opening writes a summary of the log to `snap.N.generating` and renames it to `snap.N`. sled
//! takes the file whose name sorts last, even the half of one that a crash has left, and then
//! refuses the store as damaged. Without any such file it reads the whole log instead.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use pstate_core::{Error, ErrorKind, Result};

const PREFIX: &str = "snap.";
const UNFINISHED: &str = ".generating";

/// At the end of a snapshot: its length in 8 bytes, and its checksum in 4.
const TRAILER_LEN: usize = 12;
const CHECKSUM_LEN: usize = 4;

/// Removes the snapshot files that sled could not use. Changes nothing while another handle has
/// the store open, because that one may be writing them.
pub(super) fn remove_unusable(path: &Path) -> Result<()> {
    let Ok(log) = File::options().write(true).open(path.join("db")) else {
        // A store that was never opened has no snapshot, and sled says why it cannot open the log.
        return Ok(());
    };
    if log.try_lock().is_err() {
        return Ok(());
    }
    let failed = |file: &Path, error: io::Error| {
        let message =
            format!("{}: let the user of this program read and remove it", file.display());
        Error::new(ErrorKind::Config, message).caused_by(error)
    };
    for file in files(path).map_err(|error| failed(path, error))? {
        if is_unusable(&file).map_err(|error| failed(&file, error))? {
            fs::remove_file(&file).map_err(|error| failed(&file, error))?;
            tracing::warn!(
                file = %file.display(),
                "removed an unfinished or damaged snapshot; sled reads the log instead"
            );
        }
    }
    Ok(())
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in path.read_dir()? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn is_unusable(file: &Path) -> io::Result<bool> {
    if file.to_string_lossy().ends_with(UNFINISHED) {
        return Ok(true);
    }
    let bytes = fs::read(file)?;
    let Some((contents, trailer)) = bytes.split_last_chunk::<TRAILER_LEN>() else {
        return Ok(true);
    };
    let checksum = &trailer[TRAILER_LEN - CHECKSUM_LEN..];
    Ok(contents.is_empty() || crc32fast::hash(contents).to_le_bytes() != *checksum)
}
