//! Events.

use std::time::Duration;

use super::changed_fields::ChangedFields;
use super::flush_report::FlushTrigger;
use super::operation::Operation;
use super::sweep_progress::SweepProgress;
use crate::model::{Error, KeyRef, Outcome, Space};

/// Something that a handle, one of its clones or siblings has done; told to
/// [observers](crate::Observer).
///
/// It borrows what it names, and holds no contents of documents.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A document was read: one event for each key that was asked for, by whichever operation.
    #[non_exhaustive]
    Fetch {
        /// By what.
        operation: Operation,
        /// In which space.
        space: &'a Space,
        /// Under which key.
        key: KeyRef<'a>,
        /// Whether it was in the cache, so that the store was not asked.
        from_cache: bool,
        /// Whether this read, or the one that it shared, has brought it up to date.
        migrated: bool,
        /// Whether there is such a document.
        found: bool,
        /// Why it could not be read.
        error: Option<&'a Error>,
        /// How long the reader waited for it: with several keys, for all of them. `None` for reads
        /// of the cache that were not [timed](crate::Builder::time_cache_reads).
        duration: Option<Duration>,
    },
    /// A document was stored or deleted by the program: one event for each write. What is written
    /// back is reported by [`Flush`](Self::Flush) and [`Sweep`](Self::Sweep).
    #[non_exhaustive]
    Put {
        /// By what.
        operation: Operation,
        /// In which space.
        space: &'a Space,
        /// Under which key.
        key: KeyRef<'a>,
        /// Whether it was deleted.
        deleted: bool,
        /// What became of it.
        outcome: &'a Outcome,
        /// How long the writer waited: with several writes, for all of them.
        duration: Duration,
    },
    /// A read has brought a document up to date, or could not.
    #[non_exhaustive]
    Migration {
        /// In which space.
        space: &'a Space,
        /// Under which key.
        key: KeyRef<'a>,
        /// The type of the document, which is that of its key.
        entity_type: &'a str,
        /// The version that is stored.
        from: u32,
        /// The schema's version.
        to: u32,
        /// The members that it has changed.
        fields: ChangedFields<'a>,
        /// Why it failed.
        error: Option<&'a Error>,
        /// How long the steps took.
        duration: Duration,
    },
    /// A document has joined or left those that wait to be written back.
    #[non_exhaustive]
    Queue {
        /// How many wait now.
        size: usize,
    },
    /// Migrated documents were written back.
    #[non_exhaustive]
    Flush {
        /// How many were stored.
        count: usize,
        /// How many were not, since another writer had changed them in between.
        conflicts: usize,
        /// How many the store refused.
        failed: usize,
        /// How many still wait, because the store was unavailable.
        left: usize,
        /// How long it took.
        duration: Duration,
        /// Why it happened.
        trigger: FlushTrigger,
    },
    /// Something was looked for in the cache, came into it, or left it.
    #[non_exhaustive]
    Cache {
        /// In which space.
        space: &'a Space,
        /// Under which key.
        key: KeyRef<'a>,
        /// What happened.
        change: CacheChange,
    },
    /// A graph was loaded. Its documents are reported by [`Fetch`](Self::Fetch).
    #[non_exhaustive]
    Preload {
        /// In which space.
        space: &'a Space,
        /// The document at its root.
        key: KeyRef<'a>,
        /// How many levels of references were followed.
        levels: usize,
        /// How many keys were asked for, in the cache or the store.
        keys: usize,
        /// How many calls of the adapter it took.
        round_trips: usize,
        /// Why it failed.
        error: Option<&'a Error>,
        /// How long it took.
        duration: Duration,
    },
    /// A sweep has come further, or has ended.
    #[non_exhaustive]
    Sweep {
        /// Which space it sweeps.
        space: &'a Space,
        /// Documents looked at since the last event.
        done: u64,
        /// Of those: migrated and stored.
        stored: u64,
        /// Of those: written by others in between.
        conflicts: u64,
        /// Of those: could not be read, migrated or stored.
        failed: u64,
        /// How far it has come altogether.
        progress: &'a SweepProgress,
    },
    /// A call of the adapter. However many keys it has, it is one.
    #[non_exhaustive]
    Call {
        /// The adapter's [name](crate::Adapter::name).
        adapter: &'static str,
        /// The method of [`Adapter`](crate::Adapter): `multi_get`, `write`, `scan`, `spaces`,
        /// `flush`, `close`.
        call: &'static str,
        /// In which space, if it is in one.
        space: Option<&'a Space>,
        /// How many keys were asked for, or written.
        keys: usize,
        /// How long it took.
        duration: Duration,
        /// Why it failed.
        error: Option<&'a Error>,
    },
    /// An operation took longer than
    /// [`Thresholds::slow_operation`](crate::Thresholds::slow_operation).
    #[non_exhaustive]
    SlowOperation {
        /// Which one.
        operation: Operation,
        /// In which space.
        space: &'a Space,
        /// The key, or the first of several.
        key: Option<KeyRef<'a>>,
        /// How many keys it had.
        keys: usize,
        /// How long it took.
        duration: Duration,
    },
}

/// What happened to the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheChange {
    /// A document was there, or the knowledge that there is none.
    Hit,
    /// It was not there, or too old.
    Miss,
    /// It was put into it.
    Insert,
    /// It had to leave for lack of room.
    Evict,
    /// It had to leave because it was written.
    Invalidate,
}

impl CacheChange {
    /// Its name, as a label: `hit`, `miss`, `insert`, `evict`, `invalidate`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Insert => "insert",
            Self::Evict => "evict",
            Self::Invalidate => "invalidate",
        }
    }
}
