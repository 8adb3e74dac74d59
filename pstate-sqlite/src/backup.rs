//! Copies of a whole database.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Result as SqlResult};

use crate::error::{Phase, from_sqlite};
use crate::layout::{Header, Owner};
use crate::store::{Store, checked_path};

/// How many pages are copied in one step.
const PAGES_PER_STEP: i32 = 1024;

/// Copies what is committed now to the new file `target`.
pub(crate) fn back_up(store: &Store, target: &Path) -> Result<()> {
    let target = checked_path(target)?;
    refuse_existing(&target)?;
    let partial = Partial::beside(&target);
    let source = store.open_reader()?;
    let from_source = |error| store.error(error, Phase::Uncommitted);
    source.busy_timeout(store.config.busy_timeout).map_err(from_source)?;
    // In one read transaction all steps see the same snapshot. Without it, each write would restart
    // the copy.
    source
        .execute_batch("BEGIN DEFERRED; SELECT 1 FROM sqlite_schema LIMIT 1")
        .map_err(from_source)?;
    let to_target =
        |error| from_sqlite(error, &partial.path, store.config.busy_timeout, Phase::Open);
    let mut copy = Connection::open(&partial.path).map_err(to_target)?;
    copy_all(&source, &mut copy).map_err(to_target)?;
    copy.close().map_err(|(_, error)| to_target(error))?;
    partial.publish(&target)
}

fn copy_all(source: &Connection, copy: &mut Connection) -> SqlResult<()> {
    let backup = Backup::new(source, copy)?;
    loop {
        match backup.step(PAGES_PER_STEP)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Makes the new database `target` from `backup`, if that is a sound database of ours.
pub(crate) fn restore(backup: &Path, target: &Path) -> Result<()> {
    let backup = checked_path(backup)?;
    let target = checked_path(target)?;
    refuse_existing(&target)?;
    if !backup.is_file() {
        let message = format!("{} is not a file", backup.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    if let Some(log) = companions(&backup).into_iter().find(|path| path.exists()) {
        return Err(Error::new(
            ErrorKind::Config,
            format!(
                "{} is in use, or was not closed: {} is there; close it, or take a copy with \
                 SqliteAdapter::backup",
                backup.display(),
                log.display()
            ),
        ));
    }
    let partial = Partial::beside(&target);
    fs::copy(&backup, &partial.path).map_err(|error| {
        let message = format!("copying {} to {}", backup.display(), partial.path.display());
        Error::new(ErrorKind::Unavailable, message).caused_by(error)
    })?;
    // Check the copy and not the original: opening a database writes files beside it, and the copy
    // is what will be used.
    let fail = |error| from_sqlite(error, &backup, Duration::ZERO, Phase::Open);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(&partial.path, flags).map_err(fail)?;
    if Header::read(&copy).map_err(fail)?.owner(&backup, false)? != Owner::PState {
        let message = format!("{} is an empty database", backup.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    let problems = check(&copy).map_err(fail)?;
    if let Some(first) = problems.first() {
        let message = format!("{} is damaged: {first}", backup.display());
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    copy.close().map_err(|(_, error)| fail(error))?;
    partial.publish(&target)
}

/// What SQLite finds wrong with a database: nothing if it is sound.
pub(crate) fn check(connection: &Connection) -> SqlResult<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let mut findings: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<SqlResult<_>>()?;
    findings.retain(|finding| finding != "ok");
    Ok(findings)
}

/// An incomplete file, under a name of its own. Dropping it removes it.
#[derive(Debug)]
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn beside(target: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let suffix = format!(".partial-{}-{count}", process::id());
        Self { path: with_suffix(target, &suffix) }
    }

    /// Syncs the content to the disk, then gives the file its name.
    fn publish(self, target: &Path) -> Result<()> {
        let publish = || {
            fs::File::open(&self.path)?.sync_all()?;
            // Unlike renaming, linking fails if the target exists by now. Not every file system can
            // link.
            match fs::hard_link(&self.path, target) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    return Err(error);
                }
                Err(_) => fs::rename(&self.path, target)?,
            }
            sync_directory(target)
        };
        publish().map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("writing {}", target.display()))
                .caused_by(error)
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
        for companion in companions(&self.path) {
            let _ = fs::remove_file(companion);
        }
    }
}

#[cfg(unix)]
fn sync_directory(file: &Path) -> std::io::Result<()> {
    match file.parent() {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_directory(_file: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Refuses a target that exists, and a log left beside one that is gone: SQLite would replay it
/// into the new file.
fn refuse_existing(target: &Path) -> Result<()> {
    let taken = std::iter::once(target.to_path_buf()).chain(companions(target));
    match taken.into_iter().find(|path| path.symlink_metadata().is_ok()) {
        None => Ok(()),
        Some(path) => Err(Error::new(
            ErrorKind::Config,
            format!("{} exists already, and is not overwritten", path.display()),
        )),
    }
}

/// The files that SQLite keeps beside a database.
fn companions(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|suffix| with_suffix(path, suffix))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
