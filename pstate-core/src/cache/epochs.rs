//! Which entries of the cache are too old to be served.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// A minimum that no entry reaches.
pub(crate) const ALL_STALE: u64 = u64::MAX;

/// Epochs, and the oldest one whose entries are served.
///
/// Everything that is cached carries the epoch in which its load or write began. When others may
/// have written, a new epoch begins, and the minimum says which of the earlier ones still count;
/// entries of the others stay where they are and are read again on demand. So nothing has to be
/// walked through. A load takes its epoch before it asks the store, and a new epoch begins after
/// others have written: an entry older than their write can only carry an epoch below the minimum.
#[derive(Debug)]
pub(crate) struct Epochs {
    /// The epoch of loads that begin now.
    now: AtomicU64,
    /// The oldest epoch that is served.
    min_epoch: AtomicU64,
    /// The same on the fast path, for readers who ask for no changes first; [`ALL_STALE`] while it
    /// is closed.
    fast_path: AtomicU64,
    /// Set when the handle is closed: the fast path never opens again.
    closed: AtomicBool,
    /// How long the fast path counts as open, in nanoseconds since `created`.
    open_until: AtomicU64,
    created: Instant,
}

impl Epochs {
    /// The first epoch. The fast path is closed.
    pub(super) fn new() -> Self {
        Self {
            now: AtomicU64::new(0),
            min_epoch: AtomicU64::new(0),
            fast_path: AtomicU64::new(ALL_STALE),
            closed: AtomicBool::new(false),
            open_until: AtomicU64::new(u64::MAX),
            created: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(SeqCst)
    }

    /// The oldest epoch that is served.
    pub(crate) fn min_epoch(&self) -> u64 {
        self.min_epoch.load(SeqCst)
    }

    /// The oldest epoch that is served to readers who ask for no changes first; [`ALL_STALE`] while
    /// they have to.
    #[inline]
    pub(crate) fn fast_path(&self) -> u64 {
        self.fast_path.load(Acquire)
    }

    /// The same, and [`ALL_STALE`] if the fast path was opened for a time that is over.
    ///
    /// The clock is the machine's, also where a test has paused that of the runtime: this is for
    /// a runtime that does not run, whose timers say nothing.
    pub(crate) fn fast_path_in_time(&self) -> u64 {
        let open_until = self.open_until.load(Acquire);
        if open_until != u64::MAX && nanos(self.created.elapsed()) > open_until {
            return ALL_STALE;
        }
        self.fast_path()
    }

    /// Begins the next epoch, and only that is served.
    pub(crate) fn expire_all(&self) {
        self.advance(1, 0);
    }

    /// Begins an epoch `by` further, and serves the last `kept` ones before it as well.
    pub(crate) fn advance(&self, by: u64, kept: u64) {
        let now = self.now.fetch_add(by, SeqCst) + by;
        let min_epoch = now.saturating_sub(kept);
        self.min_epoch.store(min_epoch, SeqCst);
        if self.fast_path() != ALL_STALE {
            self.set_fast_path(min_epoch);
        }
    }

    /// Lets readers look into the cache without asking for changes first.
    pub(crate) fn open_fast_path(&self) {
        self.set_fast_path(self.min_epoch());
    }

    /// The same for a time, of which [`fast_path_in_time`](Self::fast_path_in_time) knows.
    pub(crate) fn open_fast_path_for(&self, time: Duration) {
        let open_until = nanos(self.created.elapsed().saturating_add(time));
        self.open_until.store(open_until, SeqCst);
        self.open_fast_path();
    }

    fn set_fast_path(&self, min_epoch: u64) {
        self.fast_path.store(min_epoch, SeqCst);
        if self.closed.load(SeqCst) {
            self.close_fast_path();
        }
    }

    /// Makes readers ask for changes first.
    pub(crate) fn close_fast_path(&self) {
        self.fast_path.store(ALL_STALE, SeqCst);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Closes the fast path for good: readers find out that the handle is closed.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.close_fast_path();
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
