//! Which file a path led to when the store was opened, and whether it still does.
//!
//! SQLite finds a log by the name of its database, and each connection opens the file by its name.
//! So when another file takes the name, old and new connections use different files, and what is
//! written to the old one is lost.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pstate_core::{Error, ErrorKind, Result};

use super::companions::{companions, with_suffix};
use crate::error::moved;

/// How often reads check the file. Each check costs about 2 µs, a read 5 µs.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The file of an open store. Only looks at metadata: opening the file outside of SQLite, and
/// closing it again, would drop the locks that SQLite holds on it in this process.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    /// What the program gave, made absolute. It may be a symbolic link.
    path: PathBuf,
    /// Free of symbolic links, so that all connections use one file. SQLite names the log after it.
    real_path: PathBuf,
    /// Everything that has to stay where it is while the store is open.
    known: Vec<Known>,
    /// Which of these is the log.
    log: Option<usize>,
    /// How many bytes the log had when the files were checked last.
    checked_log_len: AtomicU64,
    /// Once moved, always moved: what was read and written meanwhile may be anyone's.
    moved: AtomicBool,
    opened: Instant,
    /// When reads check next, in milliseconds since `opened`.
    next_check: AtomicU64,
}

/// A name and what it stood for.
#[derive(Debug)]
struct Known {
    path: PathBuf,
    id: FileId,
}

/// Device and inode. Other systems than Unix do not let an open database be moved or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(Option<(u64, u64)>);

impl FileId {
    /// The file at `path`, if there is one.
    pub(super) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(Some((metadata.dev(), metadata.ino())))
    }

    #[cfg(not(unix))]
    fn of(_metadata: &Metadata) -> Self {
        Self(None)
    }
}

impl OpenedFile {
    /// Notes the file that a connection has just opened at `path`. `before` is what was there
    /// before that: if it is another file, nothing says which of them the connection uses.
    pub(super) fn new(path: &Path, before: Option<FileId>) -> Result<Self> {
        let real_path = real_path(path).map_err(|error| moved(path).caused_by(error))?;
        let mut file = Self {
            path: path.to_path_buf(),
            real_path,
            known: Vec::new(),
            log: None,
            checked_log_len: AtomicU64::new(0),
            moved: AtomicBool::new(false),
            opened: Instant::now(),
            next_check: AtomicU64::new(0),
        };
        file.note(path.to_path_buf());
        if file.real_path != path {
            file.note(file.real_path.clone());
        }
        let is_another = |before| file.known.iter().any(|known| known.id != before);
        if file.known.is_empty() || before.is_some_and(is_another) {
            return Err(moved(path));
        }
        Ok(file)
    }

    /// Notes the log and its index, which exist from the first read to the end of the last
    /// connection: without them, what is acknowledged is lost just as well.
    pub(super) fn note_log(&mut self) {
        let [log, index, _] = companions(&self.real_path);
        self.log = self.note(log);
        self.note(index);
    }

    /// Its place among what is known, if there is such a file.
    fn note(&mut self, path: PathBuf) -> Option<usize> {
        let id = FileId::at(&path)?;
        self.known.push(Known { path, id });
        Some(self.known.len() - 1)
    }

    pub(super) fn real_path(&self) -> &Path {
        &self.real_path
    }

    /// How many bytes the log has.
    pub(crate) fn log_len(&self) -> u64 {
        fs::metadata(with_suffix(&self.real_path, "-wal")).map_or(0, |metadata| metadata.len())
    }

    /// How many bytes the log had at the last [`check`](Self::check), which looks at it anyway.
    pub(crate) fn checked_log_len(&self) -> u64 {
        match self.log {
            Some(_) => self.checked_log_len.load(Ordering::Relaxed),
            None => self.log_len(),
        }
    }

    /// Fails if the path leads elsewhere by now, and from then on always.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_moved() || !self.are_in_place() {
            self.moved.store(true, Ordering::Release);
            return Err(moved(&self.path));
        }
        Ok(())
    }

    fn are_in_place(&self) -> bool {
        self.known.iter().enumerate().all(|(at, known)| {
            let metadata = fs::metadata(&known.path);
            if let (true, Ok(log)) = (self.log == Some(at), &metadata) {
                self.checked_log_len.store(log.len(), Ordering::Relaxed);
            }
            known.is_at(metadata)
        })
    }

    /// The same for reads on connections that are open: looks at the file only now and then.
    pub(crate) fn check_sometimes(&self) -> Result<()> {
        if self.is_moved() {
            return Err(moved(&self.path));
        }
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now = self.opened.elapsed();
        if millis(now) < self.next_check.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.next_check.store(millis(now + CHECK_INTERVAL), Ordering::Relaxed);
        self.check()
    }

    fn is_moved(&self) -> bool {
        self.moved.load(Ordering::Acquire)
    }
}

impl Known {
    /// Whether this is what is found at its path. Other errors than a missing file may be about
    /// the permission to look.
    fn is_at(&self, found: io::Result<Metadata>) -> bool {
        match found {
            Ok(metadata) => FileId::of(&metadata) == self.id,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
        }
    }
}

/// Where the links of a path lead, which is where SQLite puts the log.
pub(crate) fn real_path(path: &Path) -> io::Result<PathBuf> {
    // On Windows the result would have a form that not every program takes.
    if cfg!(unix) { fs::canonicalize(path) } else { Ok(path.to_path_buf()) }
}

/// Refuses a file with several names: SQLite looks for the log of each name beside that name, so
/// two connections by different names overwrite each other's writes.
pub(crate) fn refuse_hard_links(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && names(&metadata) > 1 => Err(Error::new(
            ErrorKind::Config,
            format!(
                "{} has {} names (hard links), and its log may be beside any of them; give the \
                 database a file with one name, by copying it while no program uses it",
                path.display(),
                names(&metadata)
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn names(metadata: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.nlink()
}

#[cfg(not(unix))]
fn names(_metadata: &Metadata) -> u64 {
    1
}
