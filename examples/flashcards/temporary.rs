//! A place for the store if the user names none.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A new directory, which is removed with all that is in it when this is dropped.
pub(crate) struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    pub(crate) fn create() -> io::Result<Self> {
        // Every `RandomState` has a random seed of its own.
        let random = RandomState::new().hash_one(());
        let path = env::temp_dir().join(format!("pstate-flashcards-{random:016x}"));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // `drop` cannot return an error, and a directory that stays behind harms nothing.
        _ = fs::remove_dir_all(&self.0);
    }
}
