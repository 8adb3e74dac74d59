//! Scans and their pages.

use std::num::NonZeroUsize;

use crate::model::{Error, Key, Record};

/// Which page to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The keys begin with this; empty for all of them. Compared by bytes, no wildcards.
    pub prefix: String,
    /// Only keys greater than this one.
    pub after: Option<Key>,
    /// At most so many records.
    pub limit: NonZeroUsize,
}

/// One page of a scan.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The records, in ascending order of their keys.
    pub records: Vec<(Key, Record)>,
    /// What lies in the page's range and cannot be read, each error naming the place.
    pub unreadable: Vec<Error>,
    /// Where the next page begins (its `after`); `None` at the end.
    pub next: Option<Key>,
}
