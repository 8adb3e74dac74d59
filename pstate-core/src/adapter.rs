//! Storage: the trait that every backend implements, and its contract.

use std::fmt;
use std::num::NonZeroUsize;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::record::{Batch, Outcome, Record};
use crate::space::Space;

/// A storage backend.
///
/// An adapter is an ordered map from (space, key) to bytes, with compare-and-swap. It knows nothing
/// of JSON, schemas or caches. The interface is for implementors; programs use
/// [`PState`](crate::PState).
///
/// # Contract
///
/// - *Bytes*: what is read is what was written, byte for byte. Keys are compared by their bytes:
///   no case folding, no Unicode normalisation, no trimming, no wildcards.
/// - *Spaces*: nothing done in one space is seen in another.
/// - *Visibility*: once a write has returned, every later call, through any handle to the same
///   store, sees it. A single key is linearizable.
/// - *Errors*: a missing record is `None`, never an error; a failure is an [`Error`], never `None`.
///   An error is [`retryable`](Error::retryable) only if the call changed nothing. Errors carry
///   the key where one is to blame, and never contain values or credentials.
/// - *Corruption* is local: a record that cannot be read spoils neither others in a scan nor
///   a later call. Bytes that are no JSON are not corrupt here.
/// - *Cancel safety*: each method says what is true when its future is dropped.
/// - *Wrappers* (layers) forward every method. There are no default methods, so one that forgets a
///   method does not compile.
///
/// Methods run on any task, at any concurrency, and do not block an executor's thread for longer
/// than a few hundred microseconds at a time.
#[async_trait]
pub trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// A short, constant name: `"sqlite"`. Used as a label in telemetry.
    fn name(&self) -> &'static str;

    /// What this adapter can do, constant for its lifetime.
    fn capabilities(&self) -> Capabilities;

    /// Reads records by key.
    ///
    /// # Contract
    /// The result has the length and the order of `keys`; a key may be asked for twice. With
    /// [`Atomicity::Batch`] the records are one snapshot: of an atomic batch either all is seen or
    /// nothing. Any number of keys is accepted.
    ///
    /// # Errors
    /// Only for the call as a whole ([`Timeout`](crate::ErrorKind::Timeout),
    /// [`Unavailable`](crate::ErrorKind::Unavailable), ...). Always safe to retry.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    ///
    /// # Cost
    /// One round trip for each [`max_batch`](Capabilities::max_batch) keys.
    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>>;

    /// Changes records.
    ///
    /// # Contract
    /// One outcome for each write, in their order.
    /// - [`Atomic`](crate::BatchMode::Atomic): if all expectations hold, all is done, and is seen
    ///   by others at once; otherwise nothing is: the writes whose expectation failed are
    ///   [`Conflict`](Outcome::Conflict), the others [`Aborted`](Outcome::Aborted). Adapters that
    ///   declare [`Atomicity::Key`] refuse an atomic batch of more than one write.
    /// - [`Each`](crate::BatchMode::Each): every write succeeds, conflicts or fails for itself.
    ///
    /// Deleting what is absent succeeds under [`Expect::Any`](crate::Expect::Any) and
    /// [`Expect::Absent`](crate::Expect::Absent). The revision of the result is the one that a
    /// later read returns. An empty batch does nothing.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a key that is there twice (nothing is
    /// written); [`Unsupported`](crate::ErrorKind::Unsupported) for what the capabilities exclude;
    /// otherwise failures of the call as a whole. After a non-retryable error of the kinds
    /// [`Timeout`](crate::ErrorKind::Timeout), [`Unavailable`](crate::ErrorKind::Unavailable) and
    /// [`Other`](crate::ErrorKind::Other) the effect is unknown: it may have happened, or still
    /// happen, for each atomic unit as a whole.
    ///
    /// # Cancel safety
    /// Dropping the future leaves each atomic unit either wholly done or not done at all, now or
    /// a little later.
    ///
    /// # Cost
    /// One round trip for each [`max_batch`](Capabilities::max_batch) writes.
    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>>;

    /// Reads one page of the records whose key starts with a prefix, in ascending byte order of
    /// the key.
    ///
    /// # Contract
    /// Pages joined by [`Page::next`] hold every matching record that was there throughout exactly
    /// once. Records that come or go meanwhile may be seen or not. A page may be shorter than its
    /// limit; only `next: None` means the end. What cannot be read is reported in
    /// [`Page::unreadable`] and skipped.
    ///
    /// # Errors
    /// Only for the call as a whole. Always safe to retry.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    ///
    /// # Cost
    /// One round trip; proportional to the page, not to the space.
    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page>;

    /// All spaces that hold at least one record, in ascending order.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    ///
    /// # Cost
    /// At most one look-up for each space.
    async fn spaces(&self) -> Result<Vec<Space>>;

    /// Returns when everything that was acknowledged before has reached the declared
    /// [`Durability`]'s medium.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on what is stored.
    async fn flush(&self) -> Result<()>;

    /// Flushes and releases what the adapter holds. Later calls, except `close`, fail with
    /// [`Unavailable`](crate::ErrorKind::Unavailable); closing again succeeds.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the adapter closed or open, never anything in between.
    async fn close(&self) -> Result<()>;
}

/// What an adapter can do, as far as it cannot be hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// What an atomic batch may span.
    pub atomicity: Atomicity,
    /// What survives.
    pub durability: Durability,
    /// How many keys or writes go in one call at most. `None`: any number. The handle splits
    /// longer calls.
    pub max_batch: Option<NonZeroUsize>,
    /// The longest value, in bytes. `None`: bounded by memory only.
    pub max_value_len: Option<usize>,
}

impl Capabilities {
    /// Capabilities without limits on batches and values.
    pub const fn new(atomicity: Atomicity, durability: Durability) -> Self {
        Self { atomicity, durability, max_batch: None, max_value_len: None }
    }

    /// At most so many keys or writes in one call.
    pub const fn max_batch(mut self, max_batch: NonZeroUsize) -> Self {
        self.max_batch = Some(max_batch);
        self
    }

    /// At most so many bytes in one value.
    pub const fn max_value_len(mut self, max_value_len: usize) -> Self {
        self.max_value_len = Some(max_value_len);
        self
    }

    /// The largest number of keys to send in one call.
    pub(crate) fn chunk_len(&self) -> usize {
        self.max_batch.map_or(usize::MAX, NonZeroUsize::get)
    }
}

/// What an atomic batch may span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Atomicity {
    /// Any number of keys of one space.
    Batch,
    /// One key.
    Key,
}

/// What survives an acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: the data ends with the process.
    None,
    /// The end of the process, also by a kill; a power cut may lose the last writes.
    Process,
    /// A power cut.
    Power,
}

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
