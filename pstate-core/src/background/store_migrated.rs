//! Storing documents that were migrated, each only if it was not written since.

use crate::document::Document;
use crate::engine::{Engine, StoreItem};
use crate::model::{Change, Error, ErrorKind, Expect, Outcome, Space, Write};
use crate::runtime::{Instant, wait_until};

/// What became of migrated documents.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) stored: usize,
    /// Not stored, since another writer had changed them in between.
    pub(crate) conflicts: usize,
    /// Why the store refused single documents; each error names its key.
    pub(crate) refused: Vec<Error>,
    /// The documents that the store could not take now.
    pub(crate) postponed: Vec<Document>,
    /// Why it could not.
    pub(crate) unavailable: Option<Error>,
    /// How many calls of the store it took.
    pub(crate) calls: u64,
    /// The documents that are not postponed.
    settled: Vec<Document>,
}

/// Stores migrated documents of one space, at most as many as the adapter takes at once.
///
/// One that makes a whole write fail does not take the others with it: the write is repeated in
/// halves until it is found. When the store is unavailable, or at the deadline, the rest is
/// postponed.
///
/// With `cacheable` they go into the cache.
pub(crate) async fn store_migrated(
    engine: &Engine,
    space: &Space,
    documents: Vec<Document>,
    cacheable: bool,
    deadline: Option<Instant>,
) -> Stored {
    let mut result = Stored::default();
    let (short, too_long): (Vec<_>, Vec<_>) = documents
        .into_iter()
        .map(|document| {
            (engine.adapter().check_len(document.key(), document.as_bytes().len()), document)
        })
        .partition(|(checked, _)| checked.is_ok());
    for (checked, document) in too_long {
        result.settled.push(document);
        result.refused.extend(checked.err());
    }
    let mut groups = vec![short.into_iter().map(|(_, document)| document).collect::<Vec<_>>()];
    groups.retain(|group| !group.is_empty());
    while let Some(mut group) = groups.pop() {
        if result.unavailable.is_some() {
            result.postponed.extend(group);
            continue;
        }
        let items = group.iter().map(|document| write_back(document, cacheable)).collect();
        result.calls += 1;
        let answer = tokio::select! {
            biased;
            answer = engine.write_back(space, items) => answer,
            // The write continues, and may still succeed; the documents can be migrated again.
            () = wait_until(deadline) => {
                Err(Error::new(ErrorKind::Timeout, "the deadline has passed"))
            }
        };
        match answer {
            Ok(outcomes) => {
                for (document, outcome) in group.into_iter().zip(outcomes) {
                    result.count(document, outcome);
                }
            }
            Err(error) if group.len() > 1 && !error.is_transient() => {
                let second = group.split_off(group.len() / 2);
                groups.extend([second, group]);
            }
            Err(error) => {
                for document in group {
                    result.count(document, Outcome::Failed(error.clone()));
                }
            }
        }
    }
    engine.queue().settle(space, std::mem::take(&mut result.settled));
    result
}

impl Stored {
    fn count(&mut self, document: Document, outcome: Outcome) {
        if !matches!(&outcome, Outcome::Failed(error) if error.is_transient()) {
            self.settled.push(document.clone());
        }
        match outcome {
            Outcome::Stored(_) | Outcome::Deleted => self.stored += 1,
            Outcome::Conflict | Outcome::Aborted => self.conflicts += 1,
            Outcome::Failed(error) if error.is_transient() => {
                self.unavailable = Some(error);
                self.postponed.push(document);
            }
            Outcome::Failed(error) => self.refused.push(error.at_key(document.key())),
        }
    }
}

/// The write that stores a migrated document, if it was not written since.
fn write_back(document: &Document, cacheable: bool) -> StoreItem {
    StoreItem {
        write: Write {
            key: document.key().clone(),
            expect: Expect::Revision(document.revision()),
            change: Change::Put(document.bytes().clone()),
        },
        version: Some(document.version()),
        cacheable,
    }
}
