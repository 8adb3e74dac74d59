//! What a store of one size takes.

use serde::{Deserialize, Serialize};

/// What a store of one size takes; times in nanoseconds, memory in bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// The store.
    pub backend: String,
    /// How many documents it has.
    pub documents: usize,
    /// Writing a document, in batches of 500, keys in ascending order.
    pub seed_ns: f64,
    /// The same, keys in random order.
    #[serde(default)]
    pub seed_random_ns: Option<f64>,
    /// The median of reading a document that is not cached.
    pub get_cold_ns: f64,
    /// The median of reading 100 documents that are not cached.
    pub multi_get_100_ns: f64,
    /// The median of scanning the 11 documents whose keys begin alike.
    pub scan_11_ns: f64,
    /// A document of a scan of all.
    pub full_scan_ns: f64,
    /// How much the process grew at most during that scan.
    pub full_scan_bytes: u64,
    /// A document of a sweep that migrates all.
    pub sweep_ns: f64,
    /// What a document takes in the store; `None` if the store lies in the process.
    pub stored_bytes: Option<f64>,
    /// The resident memory in the end, including a cache of 64 MiB.
    pub resident_bytes: u64,
    /// From opening the store until a document is read; `None` if there is nothing to open.
    pub cold_start_ns: Option<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn documents_f64(documents: usize) -> f64 {
    documents as f64
}
