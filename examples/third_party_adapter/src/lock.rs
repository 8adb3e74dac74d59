//! The lock of a directory, across processes.

use std::fs::File;
use std::io;
use std::path::Path;

/// The file that is locked. It is empty. Its existence marks the directory as ours, and its name
/// says in which format, so that a later format is not taken for this one.
pub(crate) const NAME: &str = "pstate-directory-1";

/// The directory's lock, held until it is dropped. The system releases it when the process dies,
/// however it dies.
///
/// It is advisory: it keeps out only those who ask for it. Each lock opens the file for itself,
/// because the system's lock (`flock`) belongs to the opened file, not to the process or the
/// thread. So it excludes other threads of this process just as it excludes other processes.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Waits until no other has the lock. For changes.
    pub(crate) fn exclusive(root: &Path) -> io::Result<Self> {
        let file = open(root)?;
        file.lock()?;
        Ok(Self { file })
    }

    /// Waits until no other has the lock exclusively. For listings.
    pub(crate) fn shared(root: &Path) -> io::Result<Self> {
        let file = open(root)?;
        file.lock_shared()?;
        Ok(Self { file })
    }
}

/// Never creates the file: in a directory that was deleted meanwhile, no other process would lock
/// it.
fn open(root: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(root.join(NAME))
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would do, unless a child process was started just now and has not yet
        // closed its copy. If unlocking fails, closing has to do.
        let _ = self.file.unlock();
    }
}
