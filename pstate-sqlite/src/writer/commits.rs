//! What is known about commits: our own one by one, those of others by their number.

use std::sync::atomic::{AtomicU64, Ordering};

use pstate_core::ChangeHub;

#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// Our own: the writer thread publishes them after the commit and before the acknowledgement.
    pub(crate) hub: ChangeHub,
    /// How often commits of others were found.
    foreign: AtomicU64,
}

impl Commits {
    pub(crate) fn foreign(&self) -> u64 {
        self.foreign.load(Ordering::Acquire)
    }

    pub(crate) fn count_foreign(&self) {
        self.foreign.fetch_add(1, Ordering::AcqRel);
    }
}
