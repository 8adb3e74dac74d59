//! What a copy notes in its target, for each space.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::report::CopyFailure;
use crate::model::{Error, ErrorKind, Key, Record, Result, Space, Write};
use crate::storage::Adapter;

/// How far a space is copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The last key of the source that was looked at.
    pub(super) after: Option<Key>,
    /// Whether everything was looked at.
    pub(super) finished: bool,
    /// Whether the target held documents before, so that each page is compared with it.
    pub(super) compare: bool,
    /// Whether the copy that notes this was to overwrite documents.
    pub(super) overwrites: bool,
    /// The last page that was read: the source is recognized by it.
    pub(super) seen: Seen,
    pub(super) counts: Counts,
}

/// A page of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The key before it.
    pub(super) after: Option<Key>,
    pub(super) documents: usize,
    digest: String,
}

/// What became of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) documents: u64,
    pub(super) written: u64,
    pub(super) bytes: u64,
    pub(super) failed: u64,
    pub(super) failures: Vec<CopyFailure>,
}

impl Seen {
    pub(super) fn new(after: Option<Key>, records: &[(Key, Record)]) -> Self {
        let mut digest = Digest::default();
        for (key, record) in records {
            digest.add(key, &record.bytes);
        }
        let digest = format!("{:032x}", digest.finish().digest);
        Self { after, documents: records.len(), digest }
    }
}

impl Counts {
    /// Adds what became of other documents, and keeps at most so many failures.
    pub(super) fn add(&mut self, other: &Self, keep: usize) {
        self.documents += other.documents;
        self.written += other.written;
        self.bytes += other.bytes;
        self.failed += other.failed;
        let room = keep.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.iter().take(room).cloned());
    }

    pub(super) fn fail(&mut self, space: &Space, error: &Error) {
        tracing::warn!(%space, %error, "a document cannot be copied");
        self.failed += 1;
        self.failures.push(CopyFailure::new(space, error));
    }
}

impl Checkpoint {
    /// The checkpoint of a space in a target; one that cannot be read is as good as none.
    pub(super) async fn read(to: &dyn Adapter, space: &Space) -> Result<Option<Self>> {
        let keys = [key(space)?];
        let record = to.multi_get(&Space::copies(), &keys).await?.pop().flatten();
        Ok(record.and_then(|record| {
            let read = serde_json::from_slice(&record.bytes);
            read.inspect_err(|_| tracing::warn!(%space, "the note of a copy cannot be read")).ok()
        }))
    }

    /// The write that notes it, among the [`copies`](Space::copies).
    pub(super) fn write(&self, space: &Space, max_len: Option<usize>) -> Result<Write> {
        let failed = |error| Error::new(ErrorKind::Other, "the note of a copy").caused_by(error);
        let mut bytes = serde_json::to_vec(self).map_err(failed)?;
        if max_len.is_some_and(|max_len| bytes.len() > max_len) {
            // That there are failures is known all the same.
            let counts = Counts { failures: Vec::new(), ..self.counts.clone() };
            let short = Self { counts, ..self.clone() };
            bytes = serde_json::to_vec(&short).map_err(failed)?;
        }
        Ok(Write::put(key(space)?, bytes))
    }

    /// The write that removes it.
    pub(super) fn remove(space: &Space) -> Result<Write> {
        Ok(Write::delete(key(space)?))
    }

    /// Starts from the beginning: everything is compared.
    pub(super) fn restart(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        *self = Self { compare: true, overwrites: self.overwrites, seen, ..Self::default() };
    }
}

fn key(space: &Space) -> Result<Key> {
    Key::new("copy", space.as_str())
}
