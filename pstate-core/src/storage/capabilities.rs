//! What an adapter can do, and its limits.

use std::num::NonZeroUsize;

/// Limits of the adapter that PState cannot emulate.
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
