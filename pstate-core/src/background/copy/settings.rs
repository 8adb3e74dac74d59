//! The options of a copy.

use std::num::{NonZeroU32, NonZeroUsize};

use crate::model::Space;

#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Only these spaces, in ascending order; all if there are none.
    pub(super) spaces: Vec<Space>,
    pub(super) page_size: NonZeroUsize,
    pub(super) page_bytes: NonZeroUsize,
    pub(super) rate: Option<NonZeroU32>,
    pub(super) overwrite: bool,
    pub(super) verify: bool,
    pub(super) keep_failures: usize,
    pub(super) attempts: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            spaces: Vec::new(),
            page_size: NonZeroUsize::new(512).unwrap_or(NonZeroUsize::MIN),
            page_bytes: NonZeroUsize::new(4 << 20).unwrap_or(NonZeroUsize::MIN),
            rate: None,
            overwrite: false,
            verify: true,
            keep_failures: 100,
            attempts: 10,
        }
    }
}
