//! How a store is opened.

use std::time::Duration;

use pstate_core::{Durability, Error, ErrorKind, ReadMode, Result};

const MIB: u64 = 1 << 20;

/// sled divides its cache into 256 parts, each of which has to hold some pages.
const LEAST_CACHE: u64 = MIB;

/// A page of several values beyond this would take more memory than most machines have.
const LONGEST_VALUE: usize = 1 << 30;

/// sled counts milliseconds.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How often sled flushes, and reclaims space in its file, where every write is flushed anyway.
const RECLAIM_INTERVAL: Duration = Duration::from_millis(500);

/// When an acknowledged write has left the process.
///
/// sled collects writes in the process's own memory. Until they are flushed, they end with the
/// process. [`close`](pstate_core::Adapter::close) and [`flush`](pstate_core::Adapter::flush)
/// always flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flush {
    /// Before it is acknowledged: a killed process loses nothing. About 0.1 ms for each group of
    /// writes on an SSD. Declared as [`Durability::Process`].
    ///
    /// It promises nothing about power cuts: sled hands its log to the disk, but does not make the
    /// disk empty its own cache.
    #[default]
    EveryWrite,
    /// After this time at the latest: a killed process loses what it wrote since, atomic batches as
    /// a whole. Declared as [`Durability::None`], because an acknowledged write may be lost.
    ///
    /// From a millisecond to an hour; opening fails otherwise.
    Every(Duration),
}

impl Flush {
    pub(crate) const fn durability(self) -> Durability {
        match self {
            Self::EveryWrite => Durability::Process,
            Self::Every(_) => Durability::None,
        }
    }

    /// The interval of sled's own thread. It also reclaims space in the file, so it has to run in
    /// any case.
    pub(crate) fn interval_in_millis(self) -> u64 {
        let interval = match self {
            Self::EveryWrite => RECLAIM_INTERVAL,
            Self::Every(interval) => interval,
        };
        u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)
    }
}

/// How a store is opened.
///
/// ```
/// use std::time::Duration;
///
/// use pstate_sled::{Flush, SledConfig};
///
/// let config = SledConfig::default()
///     .flush(Flush::Every(Duration::from_millis(100)))
///     .cache_capacity(256 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledConfig {
    pub(crate) flush: Flush,
    pub(crate) cache_capacity: u64,
    pub(crate) busy_timeout: Duration,
    pub(crate) read_mode: ReadMode,
    pub(crate) max_value_len: usize,
}

impl Default for SledConfig {
    fn default() -> Self {
        Self {
            flush: Flush::EveryWrite,
            cache_capacity: 128 * MIB,
            busy_timeout: Duration::from_secs(5),
            read_mode: ReadMode::InPlace,
            max_value_len: 64 << 20,
        }
    }
}

impl SledConfig {
    /// When an acknowledged write has left the process. Default: [`Flush::EveryWrite`].
    pub fn flush(mut self, flush: Flush) -> Self {
        self.flush = flush;
        self
    }

    /// How many bytes of pages sled keeps in memory, at least 1 MiB. Default: 128 MiB.
    pub fn cache_capacity(mut self, bytes: u64) -> Self {
        self.cache_capacity = bytes;
        self
    }

    /// How long opening waits for another handle to be closed before it fails as
    /// [`Unavailable`](ErrorKind::Unavailable). Default: 5 s.
    ///
    /// It blocks the calling thread.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Where `multi_get` runs. Default: [`ReadMode::InPlace`].
    ///
    /// In place, a key whose page is in sled's cache takes less than a microsecond. More than 256
    /// keys, or 256 KiB, are read on a thread for blocking work all the same.
    /// [`ReadMode::Blocking`] adds about 30 µs to each call.
    pub fn read_mode(mut self, mode: ReadMode) -> Self {
        self.read_mode = mode;
        self
    }

    /// The longest value that is stored, in bytes. Default: 64 MiB; at most 1 GiB.
    ///
    /// sled keeps up to about 25 neighbouring documents in one page, reads them together, and
    /// rewrites them together after some changes; what makes a page longer than 128 KiB lies in a
    /// file of its own.
    pub fn max_value_len(mut self, bytes: usize) -> Self {
        self.max_value_len = bytes.min(LONGEST_VALUE);
        self
    }

    /// Checks what can be checked without a directory.
    pub(crate) fn validate(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::new(ErrorKind::Config, why));
        if let Flush::Every(interval) = self.flush
            && !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval)
        {
            return refuse(format!(
                "a flush every {interval:?}: from {SHORTEST_INTERVAL:?} to {LONGEST_INTERVAL:?} are \
                 allowed"
            ));
        }
        if self.cache_capacity < LEAST_CACHE {
            return refuse(format!(
                "a cache of {} bytes: at least {LEAST_CACHE} are needed",
                self.cache_capacity
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refusal(config: &SledConfig) -> String {
        let error = config.validate().expect_err("the configuration should be refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn the_default_is_valid() {
        assert!(SledConfig::default().validate().is_ok());
    }

    #[test]
    fn intervals_that_are_none_are_refused() {
        for interval in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
            let config = SledConfig::default().flush(Flush::Every(interval));
            assert!(refusal(&config).contains("from 1ms to 3600s are allowed"));
        }
    }

    #[test]
    fn a_cache_that_holds_nothing_is_refused() {
        let refusal = refusal(&SledConfig::default().cache_capacity(1000));
        assert_eq!(refusal, "a cache of 1000 bytes: at least 1048576 are needed");
    }
}
