//! Which of what is cached is too old.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::SeqCst};

/// What no entry is as young as.
pub(crate) const NEVER: u64 = u64::MAX;

/// Epochs, and which of them are valid.
///
/// Everything that is cached carries the epoch in which its load or write began. Somebody who knows
/// that others have written begins a new one, and says which are still good; entries of the others
/// are left where they are, and are read anew when they are asked for. So nothing has to be walked through.
/// The epoch is taken before the store is asked, and a new one begins after others have written: what
/// is older than their write can only carry an epoch that is no longer valid.
#[derive(Debug, Default)]
pub(crate) struct Validity {
    /// What is loaded now belongs to this one.
    now: AtomicU64,
    /// The first that is valid.
    since: AtomicU64,
    /// The same, for readers who ask nobody; [`NEVER`] while they have to.
    unasked: AtomicU64,
    /// From now on they have to.
    closed: AtomicBool,
}

impl Validity {
    /// Nothing is valid for those who ask nobody, until somebody [trusts](Self::trust).
    pub(super) fn new() -> Self {
        Self { unasked: AtomicU64::new(NEVER), ..Self::default() }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(SeqCst)
    }

    pub(crate) fn since(&self) -> u64 {
        self.since.load(SeqCst)
    }

    /// Since when entries are valid for a reader who asks nobody.
    #[inline]
    pub(crate) fn unasked(&self) -> u64 {
        self.unasked.load(Acquire)
    }

    /// Begins the next epoch, and only that is valid.
    pub(crate) fn expire_all(&self) {
        self.advance(1, 0);
    }

    /// Begins an epoch so many further, in which the last `kept` ones before are valid.
    pub(crate) fn advance(&self, by: u64, kept: u64) {
        let now = self.now.fetch_add(by, SeqCst) + by;
        let since = now.saturating_sub(kept);
        self.since.store(since, SeqCst);
        if self.unasked() != NEVER {
            self.let_read(since);
        }
    }

    /// Readers need not ask.
    pub(crate) fn trust(&self) {
        self.let_read(self.since());
    }

    fn let_read(&self, since: u64) {
        self.unasked.store(since, SeqCst);
        if self.closed.load(SeqCst) {
            self.distrust();
        }
    }

    /// Readers have to ask for ever, and are told that all is closed.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.distrust();
    }

    /// Readers have to ask.
    pub(crate) fn distrust(&self) {
        self.unasked.store(NEVER, SeqCst);
    }
}
