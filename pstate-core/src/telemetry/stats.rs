//! What a handle has done so far.

use std::collections::BTreeMap;
use std::time::Duration;

use super::operation::Operation;

/// A snapshot of what a handle, its clones and siblings have done since it was built.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls of the adapter that read by key: the round trips.
    pub reads: u64,
    /// Keys asked for in those.
    pub keys_read: u64,
    /// Calls of the adapter that wrote, write-backs included.
    pub writes: u64,
    /// Documents brought up to date by a read.
    pub migrations: u64,
    /// The same by entity type; none that has no such document.
    pub migrations_by_type: BTreeMap<String, u64>,
    /// Documents that a read could not bring to the schema's version, or that the schema refuses.
    pub failed_migrations: u64,
    /// The same by entity type.
    pub failed_migrations_by_type: BTreeMap<String, u64>,
    /// The cache, all entity types together.
    pub cache: CacheStats,
    /// The cache by entity type.
    pub by_type: BTreeMap<String, CacheStats>,
    /// Bytes that the cached documents take, their trees and typed values included.
    pub cache_bytes: u64,
    /// Documents, and known absences, in the cache.
    pub cache_entries: usize,
    /// The queue of migrated documents and its writer.
    pub write_back: WriteBackStats,
    /// Graphs that were loaded.
    pub preloads: PreloadStats,
    /// Sweeps of this handle.
    pub sweeps: SweepStats,
    /// Operations that took longer than
    /// [`Thresholds::slow_operation`](crate::Thresholds::slow_operation).
    pub slow_operations: u64,
    /// The same by operation; none that was never slow.
    pub slow_by_operation: BTreeMap<Operation, u64>,
    /// How often an [`Observer`](crate::Observer) panicked.
    pub observer_panics: u64,
}

impl Stats {
    /// The share of reads that the cache served, of all entity types; see [`CacheStats::hit_rate`].
    pub fn hit_rate(&self) -> Option<f64> {
        self.cache.hit_rate()
    }
}

/// What preloads did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreloadStats {
    /// How many there were.
    pub count: u64,
    /// Keys that they asked for, in the cache or the store.
    pub keys: u64,
    /// Calls of the adapter that they took.
    pub round_trips: u64,
}

/// What sweeps did since the handle was built, and not what earlier parts of them have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepStats {
    /// Documents looked at.
    pub done: u64,
    /// Documents migrated and stored.
    pub stored: u64,
    /// Documents that another writer changed between reading and storing.
    pub conflicts: u64,
    /// Documents that could not be read, migrated or stored.
    pub failed: u64,
}

/// What a cache counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Documents that were served from the cache.
    pub hits: u64,
    /// Documents that were not in the cache.
    pub misses: u64,
    /// Documents, and absences, that were put into it.
    pub inserts: u64,
    /// Those that had to leave for lack of room.
    pub evictions: u64,
    /// Those that had to leave because they were written.
    pub invalidations: u64,
}

impl CacheStats {
    /// The share of reads that the cache served, from 0 to 1; `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        let reads = self.hits + self.misses;
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        (reads > 0).then(|| self.hits as f64 / reads as f64)
    }
}

/// What the migration writer did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteBackStats {
    /// Documents waiting to be written back.
    pub queued: usize,
    /// Documents written back.
    pub stored: u64,
    /// Documents not written back, since another writer had changed them in between.
    pub conflicts: u64,
    /// Documents that the store refused.
    pub failed: u64,
    /// Documents that left a full queue unwritten, or came when the handle was being closed. The
    /// next read of the store queues them again.
    pub dropped: u64,
    /// Flushes that found something to write.
    pub flushes: u64,
    /// Those because a batch was full.
    pub flushes_by_size: u64,
    /// Those because the interval had passed.
    pub flushes_by_interval: u64,
    /// Those that were asked for.
    pub flushes_by_hand: u64,
    /// Those at the end of a handle.
    pub flushes_by_close: u64,
    /// How long the last of them took.
    pub last_flush: Duration,
    /// How long the longest of them took.
    pub longest_flush: Duration,
}
