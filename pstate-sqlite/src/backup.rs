//! Copies of a whole database.
//!
//! Only SQLite opens a database: a program that opens and closes the file itself drops the locks
//! that SQLite holds on it in the same process, and misses what is still in the log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pstate_core::{Error, ErrorKind, Result};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, Result as SqlResult};

use crate::error::{Phase, from_sqlite};
use crate::layout::{Header, Owner};
use crate::store::{Store, checked_path, companions, real_path, refuse_hard_links, with_suffix};

/// How many pages are copied in one step.
const PAGES_PER_STEP: i32 = 1024;

/// How long a restore waits for another program's lock on the backup.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(5);

/// Copies what is committed now to the new file `target`.
pub(crate) fn back_up(store: &Store, target: &Path) -> Result<()> {
    let target = checked_path(target)?;
    refuse_existing(&target)?;
    let partial = Partial::beside(&target);
    let source = store.open_reader()?;
    let from_source = |error| store.error(error, Phase::Uncommitted);
    source.busy_timeout(store.config.busy_timeout).map_err(from_source)?;
    begin_snapshot(&source).map_err(from_source)?;
    let copy = partial.fill(&source)?;
    copy.close().map_err(|(_, error)| partial.error(error))?;
    partial.publish(&target)
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
    refuse_hard_links(&backup)?;
    let unreadable = |error| from_sqlite(error, &backup, RESTORE_TIMEOUT, Phase::Open);
    // SQLite keeps the log beside the file itself, not beside a symbolic link to it.
    let file = real_path(&backup).map_err(|error| {
        Error::new(ErrorKind::Unavailable, format!("{}", backup.display())).caused_by(error)
    })?;
    let source = match open_source(&file) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
            refuse_log_on_read_only_medium(&backup, &file)?;
            open_read_only_medium(&file)
        }
        opened => opened,
    }
    .map_err(unreadable)?;
    if Header::read(&source).map_err(unreadable)?.owner(&backup, false)? != Owner::PState {
        let message = format!("{} is an empty database", backup.display());
        return Err(Error::new(ErrorKind::Config, message));
    }
    let partial = Partial::beside(&target);
    let copy = partial.fill(&source)?;
    source.close().map_err(|(_, error)| unreadable(error))?;
    let problems = check(&copy).map_err(unreadable)?;
    if let Some(first) = problems.first() {
        let message = format!("{} is damaged: {first}", backup.display());
        return Err(Error::new(ErrorKind::Corrupt, message));
    }
    copy.close().map_err(|(_, error)| partial.error(error))?;
    partial.publish(&target)
}

/// Opens a backup with a snapshot. The connection may write, because only such a one removes the
/// log again that it puts beside the file.
fn open_source(file: &Path) -> SqlResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(file, flags)?;
    source.busy_timeout(RESTORE_TIMEOUT)?;
    begin_snapshot(&source)?;
    Ok(source)
}

/// Opens a backup beside which no log can be put, so that no program can have it open for writing.
fn open_read_only_medium(file: &Path) -> SqlResult<Connection> {
    let escaped =
        file.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?;
    begin_snapshot(&source)?;
    Ok(source)
}

/// In one read transaction all steps of a copy see the same snapshot. Without it, each write would
/// restart the copy.
fn begin_snapshot(source: &Connection) -> SqlResult<()> {
    source.execute_batch("BEGIN DEFERRED; SELECT 1 FROM sqlite_schema LIMIT 1")
}

/// Refuses a backup whose log would be ignored; `file` is where the links of its path lead.
fn refuse_log_on_read_only_medium(backup: &Path, file: &Path) -> Result<()> {
    match companions(file).into_iter().find(|path| path.symlink_metadata().is_ok()) {
        None => Ok(()),
        Some(log) => Err(Error::new(
            ErrorKind::Config,
            format!(
                "{} was not closed: {} is there, and SQLite reads it only in a writable directory; \
                 copy both to one while no program uses them",
                backup.display(),
                log.display()
            ),
        )),
    }
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

    /// Copies everything that the snapshot of `source` holds, and returns the connection to it.
    fn fill(&self, source: &Connection) -> Result<Connection> {
        let copy = || -> SqlResult<Connection> {
            let mut copy = Connection::open(&self.path)?;
            let backup = Backup::new(source, &mut copy)?;
            loop {
                match backup.step(PAGES_PER_STEP)? {
                    StepResult::Done => break,
                    StepResult::More => {}
                    _ => std::thread::sleep(Duration::from_millis(1)),
                }
            }
            drop(backup);
            Ok(copy)
        };
        copy().map_err(|error| self.error(error))
    }

    fn error(&self, error: rusqlite::Error) -> Error {
        from_sqlite(error, &self.path, Duration::ZERO, Phase::Open)
    }

    /// Syncs the content to the disk, then gives the file its name. Only after all connections to
    /// it are closed.
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
