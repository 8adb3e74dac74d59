//! Copies and checks of a whole store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use pstate_core::{Error, ErrorKind, Result};

use crate::config::SledConfig;
use crate::error::{Phase, from_sled};
use crate::store::Store;

/// Copies every record to a new store in the directory `target`.
pub(crate) fn back_up(store: &Store, target: &Path) -> Result<()> {
    let target = std::path::absolute(target).map_err(|error| {
        Error::new(ErrorKind::Config, format!("the path {}", target.display())).caused_by(error)
    })?;
    if target.symlink_metadata().is_ok() {
        let message = format!("{} exists already, and is not overwritten", target.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    let partial = Partial::beside(&target);
    let copy = Store::open(&partial.path, SledConfig::default())?;
    // Holding the lock for the whole copy makes it one moment.
    let copied = store.read(|from| {
        Ok(copy.write(|to| {
            for entry in from {
                let (key, value) =
                    entry.map_err(|error| from_sled(error, &store.path, Phase::Read))?;
                to.insert(key, value)
                    .map_err(|error| from_sled(error, &copy.path, Phase::Write))?;
            }
            Ok(())
        }))
    });
    copied.flatten()?;
    copy.close();
    fs::rename(&partial.path, &target).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("writing {}", target.display())).caused_by(error)
    })
}

/// Reads every record. Fails if sled cannot read one.
pub(crate) fn check(store: &Store) -> Result<()> {
    store.read(|tree| tree.iter().try_for_each(|entry| entry.map(drop)))
}

/// An incomplete store, under a name of its own. Dropping it removes it.
#[derive(Debug)]
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn beside(target: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".partial-{}-{count}", process::id()));
        Self { path: name.into() }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove.
        let _ = fs::remove_dir_all(&self.path);
    }
}
