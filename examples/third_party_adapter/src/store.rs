//! A directory with records in it: opening, reading and writing. All of it blocks, so the adapter
//! runs it on threads for blocking work.

use std::fs::{self, File};
use std::io::{self, ErrorKind as Io};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use pstate_core::{
    Atomicity, Batch, BatchMode, Capabilities, Change, Error, ErrorKind, Expect, Key, Outcome,
    Record, Result, Revision, Space, Write,
};

use crate::disk::{DURABILITY, ensure_directory, remove, replace, sync_directory};
use crate::error::{unchanged, unsettled};
use crate::file_name::FileName;
use crate::lock::{self, Lock};

/// How the name of a space's directory begins. It keeps spaces apart from our other files, and from
/// names such as `con`, which is a valid space but no file on Windows.
pub(crate) const SPACE: &str = "space-";

/// The file that a change is written to first. One is enough, because a writer has the lock, and it
/// lies where no listing of records looks.
const TEMPORARY: &str = "unfinished";

/// How many writes one call may have. It holds the lock for all of them, with a wait for the disk
/// each, and every other writer waits meanwhile. So this bounds that wait.
const MAX_BATCH: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// What the store can do.
pub(crate) const CAPABILITIES: Capabilities =
    Capabilities::new(Atomicity::Key, DURABILITY).max_batch(MAX_BATCH);

/// A directory with records in it.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) root: PathBuf,
}

impl Store {
    /// Opens the directory, or makes it ours if it is empty or not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let refuse = |why: &str| {
            let message = format!("{} {why}", path.display());
            Err(Error::new(ErrorKind::Config, message))
        };
        let at_path = |error| unchanged(error, path);
        // The working directory may change later.
        let root = std::path::absolute(path).map_err(at_path)?;
        match ensure_directory(&root) {
            Err(error) if error.kind() == Io::NotFound => {
                return refuse("cannot be created: the directory that it is in has to exist");
            }
            done => done.map_err(at_path)?,
        }
        let occupied = match fs::read_dir(&root) {
            Err(error) if error.kind() == Io::NotADirectory => return refuse("is no directory"),
            entries => entries.map_err(at_path)?.next().is_some(),
        };
        // In this order: if another process claims it just now, the mark comes first.
        let marked = root.join(lock::NAME).try_exists().map_err(at_path)?;
        if occupied && !marked {
            return refuse("is not empty and no store of this version");
        }
        let store = Self { root };
        store.prepare().map_err(at_path)?;
        Ok(store)
    }

    fn prepare(&self) -> io::Result<()> {
        File::options().create(true).append(true).open(self.root.join(lock::NAME))?;
        let _lock = Lock::exclusive(&self.root)?;
        // No process writes now, so a process that died has left this.
        remove(&self.root.join(TEMPORARY))?;
        sync_directory(&self.root)?;
        self.root.parent().map_or(Ok(()), sync_directory)
    }

    pub(crate) fn directory(&self, space: &Space) -> PathBuf {
        self.root.join(format!("{SPACE}{space}"))
    }

    pub(crate) fn path(&self, space: &Space, name: &FileName) -> PathBuf {
        self.directory(space).join(&name.text)
    }

    pub(crate) fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        CAPABILITIES.check_keys(keys)?;
        keys.iter().map(|key| self.read(space, key)).collect()
    }

    /// Takes no lock: an opened file is one version, whole, because no file ever changes.
    pub(crate) fn read(&self, space: &Space, key: &Key) -> Result<Option<Record>> {
        let name = FileName::of(key);
        let path = self.path(space, &name);
        let content = match fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == Io::NotFound => return self.absent(),
            Err(error) => return Err(unchanged(error, &path).at_key(key)),
        };
        let Some(bytes) = content.strip_prefix(name.heading.as_bytes()) else {
            let message = format!("{} does not begin with the key", path.display());
            return Err(Error::new(ErrorKind::Corrupt, message).at_key(key));
        };
        Ok(Some(Record { bytes: bytes.into(), revision: Revision::of_content(bytes) }))
    }

    /// A volume that is no longer mounted has no files either; that does not make them absent.
    fn absent(&self) -> Result<Option<Record>> {
        match fs::metadata(self.root.join(lock::NAME)) {
            Ok(_) => Ok(None),
            Err(error) => Err(unchanged(error, &self.root)),
        }
    }

    pub(crate) fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        batch.check(&CAPABILITIES)?;
        if batch.writes.is_empty() {
            return Ok(Vec::new());
        }
        let _lock = Lock::exclusive(&self.root).map_err(|error| unchanged(error, &self.root))?;
        let directory = self.directory(space);
        ensure_directory(&directory).map_err(|error| unchanged(error, &directory))?;
        let apply = |write: &Write| {
            self.apply(space, write).unwrap_or_else(|error| {
                Outcome::Failed(error.in_operation("write").in_space(space).at_key(&write.key))
            })
        };
        let outcomes: Vec<Outcome> = batch.writes.iter().map(apply).collect();
        if outcomes.iter().any(Outcome::is_done) {
            // The space's own name is in the root. Sync it even if the directory existed: the
            // process that created it may have died before syncing.
            let synced = sync_directory(&directory).and_then(|()| sync_directory(&self.root));
            synced.map_err(|error| unsettled(error, &directory))?;
        }
        match (batch.mode, &outcomes[..]) {
            // All or nothing: an atomic batch has no outcome for a single failure.
            (BatchMode::Atomic, [Outcome::Failed(error)]) => Err(error.clone()),
            _ => Ok(outcomes),
        }
    }

    /// Does one write. The caller holds the lock from before the comparison to after the change;
    /// otherwise two could both find what they expect. After an error nothing has changed.
    fn apply(&self, space: &Space, write: &Write) -> Result<Outcome> {
        let holds = match write.expect {
            Expect::Any => true,
            Expect::Absent => self.read(space, &write.key)?.is_none(),
            Expect::Revision(expected) => {
                self.read(space, &write.key)?.is_some_and(|stored| stored.revision == expected)
            }
        };
        if !holds {
            return Ok(Outcome::Conflict);
        }
        let name = FileName::of(&write.key);
        let path = self.path(space, &name);
        let (changed, outcome) = match &write.change {
            Change::Put(bytes) => {
                let temporary = self.root.join(TEMPORARY);
                let replaced = replace(&temporary, &path, name.heading.as_bytes(), bytes);
                (replaced, Outcome::Stored(Revision::of_content(bytes)))
            }
            Change::Delete => (remove(&path), Outcome::Deleted),
        };
        changed.map_err(|error| unchanged(error, &path))?;
        Ok(outcome)
    }
}
