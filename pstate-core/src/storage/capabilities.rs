//! What an adapter can do, and its limits.

use std::num::NonZeroUsize;

use crate::model::{Error, ErrorKind, Key, Result};

/// What an adapter can do, and its limits.
///
/// The handle keeps to them: it splits longer calls, and refuses what it cannot split. A copy,
/// which works on adapters, does so itself. An adapter refuses what exceeds them by
/// [`Batch::check`](crate::Batch::check) and [`check_keys`](Self::check_keys).
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
    /// Whether single reads that come together are better made by one call: so for most stores.
    pub batch_reads: bool,
}

impl Capabilities {
    /// Capabilities without limits on batches and values.
    pub const fn new(atomicity: Atomicity, durability: Durability) -> Self {
        Self { atomicity, durability, max_batch: None, max_value_len: None, batch_reads: true }
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

    /// Whether single reads that come together are better made by one call.
    ///
    /// The first of them then lets other tasks go before it, which takes about 0.1 µs; while a call
    /// waits for its answer, others gather, for at most a millisecond.
    pub const fn batch_reads(mut self, batch_reads: bool) -> Self {
        self.batch_reads = batch_reads;
        self
    }

    /// Refuses more keys than an adapter with these capabilities reads in one call. Adapters with a
    /// [`max_batch`](Self::max_batch) call this first in [`multi_get`](crate::Adapter::multi_get).
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported).
    pub fn check_keys(&self, keys: &[Key]) -> Result<()> {
        match self.max_batch {
            Some(max) if keys.len() > max.get() => {
                let why = format!("{} keys in a read; this store takes at most {max}", keys.len());
                Err(Error::new(ErrorKind::Unsupported, why))
            }
            _ => Ok(()),
        }
    }

    /// The largest number of keys or writes to send in one call.
    pub(crate) fn chunk_len(&self) -> usize {
        self.max_batch.map_or(usize::MAX, NonZeroUsize::get)
    }

    /// Refuses a value of this length.
    pub(crate) fn check_len(&self, key: &Key, len: usize) -> Result<()> {
        match self.max_value_len {
            Some(max_len) if len > max_len => {
                let why = format!("a value of {len} bytes; this store takes at most {max_len}");
                Err(Error::invalid_input(why).at_key(key))
            }
            _ => Ok(()),
        }
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
