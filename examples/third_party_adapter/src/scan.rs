//! Pages of records, and spaces. A directory gives its names in no order and all at once, so each
//! page reads the names of its whole space, and the contents of its own records.

use std::fs::{self, DirEntry, File};
use std::io::{BufRead, BufReader, ErrorKind as Io, Read};
use std::path::Path;

use pstate_core::{Error, ErrorKind, Key, Page, Result, Scan, Space};

use crate::error::unchanged;
use crate::file_name::{FileName, Named, parse};
use crate::lock::Lock;
use crate::store::{SPACE, Store};

/// The keys that lie in the range of a scan.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// In ascending order, as many as the page may have.
    keys: Vec<Key>,
    unreadable: Vec<Error>,
    next: Option<Key>,
}

impl Store {
    /// Finds the keys of a page.
    ///
    /// Without the lock a page could miss a record that exists throughout: the file system decides
    /// whether a listing has a name that is replaced meanwhile.
    pub(crate) fn list(&self, space: &Space, scan: &Scan) -> Result<Listing> {
        let directory = self.directory(space);
        let at_directory = |error| unchanged(error, &directory);
        let _lock = Lock::shared(&self.root).map_err(|error| unchanged(error, &self.root))?;
        let entries = match fs::read_dir(&directory) {
            // The lock was there, so the store is; the space is not.
            Err(error) if error.kind() == Io::NotFound => return Ok(Listing::default()),
            entries => entries.map_err(at_directory)?,
        };
        let mut listing = Listing::default();
        for entry in entries {
            match key_of(&entry.map_err(at_directory)?) {
                Some(Ok(key)) if is_in_range(&key, scan) => listing.keys.push(key),
                // It has no place in the order, so the first page reports it, and no other.
                Some(Err(error)) if scan.after.is_none() => {
                    listing.unreadable.push(error.in_operation("scan").in_space(space));
                }
                _ => {}
            }
        }
        listing.keys.sort_unstable();
        if listing.keys.len() > scan.limit.get() {
            listing.keys.truncate(scan.limit.get());
            listing.next = listing.keys.last().cloned();
        }
        Ok(listing)
    }

    /// Reads the records of a page, without those deleted since the listing. The next page begins
    /// after the last key listed all the same, so pages always advance.
    pub(crate) fn page(&self, space: &Space, listing: Listing) -> Result<Page> {
        let Listing { keys, unreadable, next } = listing;
        let mut page = Page { records: Vec::new(), unreadable, next };
        for key in keys {
            match self.read(space, &key) {
                Ok(Some(record)) => page.records.push((key, record)),
                Ok(None) => {}
                // One record is to blame, and the others can be read.
                Err(error) if error.key().is_some() => {
                    page.unreadable.push(error.in_operation("scan").in_space(space));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// The spaces that hold a record; directories that deletes have left empty do not count.
    pub(crate) fn spaces(&self) -> Result<Vec<Space>> {
        let at_root = |error| unchanged(error, &self.root);
        let _lock = Lock::shared(&self.root).map_err(at_root)?;
        let mut spaces = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(at_root)? {
            let name = entry.map_err(at_root)?.file_name();
            let name = name.to_str().and_then(|name| name.strip_prefix(SPACE));
            let Some(space) = name.and_then(|name| name.parse().ok()) else { continue };
            if self.holds_a_record(&space)? {
                spaces.push(space);
            }
        }
        spaces.sort_unstable();
        Ok(spaces)
    }

    fn holds_a_record(&self, space: &Space) -> Result<bool> {
        let directory = self.directory(space);
        let at_directory = |error| unchanged(error, &directory).in_space(space);
        for entry in fs::read_dir(&directory).map_err(at_directory)? {
            if parse(&entry.map_err(at_directory)?.file_name()).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_in_range(key: &Key, scan: &Scan) -> bool {
    key.as_str().starts_with(&scan.prefix) && scan.after.as_ref().is_none_or(|after| key > after)
}

/// The key of the record in this file; `None` if the file is not ours.
fn key_of(entry: &DirEntry) -> Option<Result<Key>> {
    Some(match parse(&entry.file_name())? {
        Named::Key(key) => Ok(key),
        Named::Inside => key_inside(&entry.path()),
    })
}

/// The key in the first line of a file that is named by its digest.
fn key_inside(path: &Path) -> Result<Key> {
    let at_path = |error| unchanged(error, path);
    let corrupt = || {
        let message = format!("{} does not begin with the key that it is named by", path.display());
        Error::new(ErrorKind::Corrupt, message)
    };
    // Keys are shorter.
    let mut start = BufReader::new(File::open(path).map_err(at_path)?.take(1024));
    let mut line = Vec::new();
    start.read_until(b'\n', &mut line).map_err(at_path)?;
    let line = line.strip_suffix(b"\n");
    let key = line.and_then(|line| Key::from_stored(line).ok()).ok_or_else(corrupt)?;
    if path.ends_with(&FileName::of(&key).text) { Ok(key) } else { Err(corrupt()) }
}
