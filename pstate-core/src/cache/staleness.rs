//! How old a cached document may be.

use std::time::Duration;

/// The default bound.
const DEFAULT_BOUND: Duration = Duration::from_millis(100);

/// Timers are exact to a millisecond: below this a bound could not be kept, and nothing is stale.
const LEAST_BOUND: Duration = Duration::from_millis(10);

/// A longer bound is kept as this one: a poll in 12 hours costs nothing, and times are added to the
/// bound.
const LONGEST_BOUND: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a read may return a value that another process, or another handle on the same store,
/// has overwritten.
///
/// Writes through a handle, its clones and siblings are seen by all of them at once, whatever is
/// chosen here; and whatever is cached, the store decides compare-and-swap.
///
/// | store | how the bound is kept |
/// |---|---|
/// | with a [`ChangeFeed`](crate::ChangeFeed): SQLite, Redis, sled, memory | PState polls for changes, twice within the bound, or for each read; what has not changed stays cached |
/// | without | by a time-to-live: a document is served for half to three quarters of the bound; with [`None`](Self::None) nothing is served from the cache |
///
/// The time runs from when the other write was acknowledged. It is kept as long as the timers of
/// the runtime are on time: a process that is stopped (a laptop that sleeps, a task that blocks the
/// runtime's threads) may serve what it had until its timers have caught up. With
/// [`None`](Self::None) there is no timer, and no such exception. Nor is there on a current-thread
/// runtime, which only runs while a thread blocks on it: there each read of the cache looks at the
/// clock as well, which takes some 30 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Staleness {
    /// No time at all: each read polls for changes first. On SQLite that takes about 2 µs.
    None,
    /// At most this long; less than 10 ms are taken as [`None`](Self::None). The default: 100 ms.
    /// It costs nothing while nothing is read from the cache, and otherwise two polls in that time.
    AtMost(Duration),
    /// Forever: right if nothing else writes to the store.
    Unbounded,
}

impl Default for Staleness {
    fn default() -> Self {
        Self::AtMost(DEFAULT_BOUND)
    }
}

impl Staleness {
    /// The same, as far as timers can keep it.
    pub(super) fn effective(self) -> Self {
        match self {
            Self::AtMost(bound) if bound < LEAST_BOUND => Self::None,
            Self::AtMost(bound) => Self::AtMost(bound.min(LONGEST_BOUND)),
            staleness => staleness,
        }
    }
}
