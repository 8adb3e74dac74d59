//! The options of a sweep, and the pages that it reads.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use crate::model::Key;
use crate::storage::Scan;

#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Fixed by the program, if it is.
    pub(super) page_size: Option<NonZeroUsize>,
    pub(super) rate: Option<NonZeroU32>,
    pub(super) lease: Duration,
    pub(super) stop_on_failure: bool,
    pub(super) keep_failures: usize,
    pub(super) count_first: Option<bool>,
    pub(super) lossless: bool,
    pub(super) samples: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: None,
            rate: None,
            lease: Duration::from_secs(10),
            stop_on_failure: false,
            keep_failures: 100,
            count_first: None,
            lossless: false,
            samples: 3,
        }
    }
}

/// The page of an entity type after a key.
pub(super) fn page_of(entity_type: &str, after: Option<&Key>, limit: NonZeroUsize) -> Scan {
    Scan { prefix: format!("{entity_type}:"), after: after.cloned(), limit }
}
