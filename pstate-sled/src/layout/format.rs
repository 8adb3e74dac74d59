//! The file that says whose a directory is, and in which format.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use pstate_core::{Error, ErrorKind, Result, path_error};

/// In the directory, beside sled's own files. Creating a store writes it last.
const FORMAT_FILE: &str = "pstate.format";

/// The version of the format: the tree, its keys and its values.
const FORMAT_VERSION: u32 = 1;

/// The tree that holds the records.
pub(crate) const RECORDS: &str = "pstate";

/// sled's own tree, which is always there.
const DEFAULT_TREE: &[u8] = b"__sled__default";

/// What sled keeps in its directory.
const SLED_FILES: [&str; 3] = ["db", "conf", "blobs"];

/// Whose directory it is, as far as its files tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Free: it is missing or empty, or sled's without our mark.
    Unclaimed,
    /// This crate.
    PState,
}

fn refuse<T>(why: String) -> Result<T> {
    Err(Error::new(ErrorKind::Config, why))
}

/// The longest name of a file that sled makes in its directory, later than when it is opened.
const LONGEST_FILE: &str = "/snap.0000000000000000.generating";

/// Decides whose directory it is. Fails if this program may not use it. Changes nothing, and does
/// not ask sled, which would turn any directory into one of its own.
pub(crate) fn owner(path: &Path) -> Result<Owner> {
    let at = path.display();
    check_length(path)?;
    let failed = |error: io::Error| {
        path_error(path, LONGEST_FILE).unwrap_or_else(|| {
            let message = format!("{at}: this user cannot read the directory");
            Error::new(ErrorKind::Config, message).caused_by(error)
        })
    };
    let entries = match path.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return path_error(path, LONGEST_FILE).map_or(Ok(Owner::Unclaimed), Err);
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory && path.is_file() => {
            return refuse(format!(
                "{at} is no directory, and sled keeps several files in one; name a directory"
            ));
        }
        Err(error) => return Err(failed(error)),
    };
    let mut foreign = None;
    let mut is_sled = false;
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if name == FORMAT_FILE {
            return read_format(path).map(|()| Owner::PState);
        }
        is_sled |= SLED_FILES.iter().any(|file| name == *file);
        foreign.get_or_insert(name);
    }
    match foreign {
        Some(name) if !is_sled => refuse(format!(
            "{at} is no sled database (it holds {}); choose an empty or a new directory",
            name.display()
        )),
        _ => Ok(Owner::Unclaimed),
    }
}

/// Refuses a path that the system cannot take, with the longest file in it: sled would open such a
/// directory, and fail later.
fn check_length(path: &Path) -> Result<()> {
    let file = path.join(&LONGEST_FILE[1..]);
    match file.symlink_metadata().map_err(|error| error.kind()) {
        Err(io::ErrorKind::InvalidFilename) => path_error(path, LONGEST_FILE).map_or(Ok(()), Err),
        Err(io::ErrorKind::InvalidInput) => {
            refuse("the path contains a byte 0; choose one without".to_owned())
        }
        _ => Ok(()),
    }
}

fn read_format(path: &Path) -> Result<()> {
    let at = path.display();
    let text = fs::read_to_string(path.join(FORMAT_FILE)).map_err(|error| {
        Error::new(ErrorKind::Config, format!("{at}: {FORMAT_FILE} cannot be read"))
            .caused_by(error)
    })?;
    match text.trim_end().parse::<u32>() {
        Ok(FORMAT_VERSION) => Ok(()),
        Ok(version) if version > FORMAT_VERSION => refuse(format!(
            "{at} was written by a newer version (format {version}, this program knows \
             {FORMAT_VERSION}); update the program"
        )),
        Ok(version) => refuse(format!("{at} has format {version}, which never existed")),
        Err(_) => refuse(format!("{at}: {FORMAT_FILE} holds no number")),
    }
}

/// Compares the trees that sled has found with the owner of the directory.
pub(crate) fn check_trees(db: &sled::Db, owner: Owner, path: &Path) -> Result<()> {
    let at = path.display();
    let trees = db.tree_names();
    let ours = trees.iter().any(|name| **name == *RECORDS.as_bytes());
    match owner {
        // sled takes damage at the beginning of its log for the log's end.
        Owner::PState if !ours => Err(Error::new(
            ErrorKind::Corrupt,
            format!("{at} is damaged: sled finds nothing of what was stored; restore a copy"),
        )),
        Owner::Unclaimed if !ours => {
            let foreign = trees.iter().find(|name| ***name != *DEFAULT_TREE);
            match foreign {
                Some(name) => refuse(format!(
                    "{at} belongs to another program (tree {:?}); choose another directory",
                    String::from_utf8_lossy(name)
                )),
                None if db.first().is_ok_and(|first| first.is_none()) => Ok(()),
                None => {
                    refuse(format!("{at} belongs to another program; choose another directory"))
                }
            }
        }
        _ => Ok(()),
    }
}

/// Claims a directory. Flush what sled has created first.
pub(crate) fn claim(path: &Path) -> Result<()> {
    let write = || {
        let unfinished = path.join(format!("{FORMAT_FILE}.new"));
        let mut file = File::create(&unfinished)?;
        writeln!(file, "{FORMAT_VERSION}")?;
        file.sync_all()?;
        fs::rename(&unfinished, path.join(FORMAT_FILE))
    };
    write().map_err(|error| {
        Error::new(
            ErrorKind::Config,
            format!("{}: {FORMAT_FILE} cannot be written", path.display()),
        )
        .caused_by(error)
    })
}
