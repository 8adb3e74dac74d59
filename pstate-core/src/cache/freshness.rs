//! Keeping what is cached within its staleness bound.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::cache::Cache;
use super::epochs::ALL_STALE;
use super::key::CacheKey;
use super::staleness::Staleness;
use crate::model::{Error, ErrorKind, Result};
use crate::runtime::{Home, Instant, shield, sleep_until, timeout};
use crate::storage::{Adapter, ChangeSubscription, ChangedRecord, Changes};

/// After a change notification, the task waits `bound / 20` before polling, so that a steady writer
/// causes at most 20 polls per bound.
const POLLS_PER_BOUND: u32 = 20;

/// Readers leave the cache `bound / 8` before the bound has passed: a timer is late by its own
/// millisecond, and on a busy machine by as long as the runtime's thread waits for a processor.
const MARGINS_PER_BOUND: u32 = 8;

/// How long a read waits for the change feed before it asks the store instead of the cache.
const FEED_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a feed that has failed is left alone. Reads go to the store meanwhile.
const FEED_PAUSE: Duration = Duration::from_secs(1);

/// How many epochs a time-to-live has. What is loaded in one is served in the next two: at least
/// half of the time-to-live, at most three quarters, and a quarter is left for timers that are
/// late.
const EPOCHS: u32 = 4;
const EPOCHS_KEPT: u32 = 2;

/// Follows the changes of other handles and processes, and makes the cache forget what they have
/// overwritten.
///
/// While the cache is read, a [task](Self::run) polls for changes in time, and readers take the
/// fast path. When the cache has not been read for a while, the task rests; the next reader
/// [polls](Self::verify) and wakes it. After a poll that fails, everything counts as changed, and
/// readers go to the store until a poll succeeds.
pub(crate) struct Freshness {
    adapter: Arc<dyn Adapter>,
    cache: Arc<Cache>,
    staleness: Staleness,
    /// Nothing may be stale, and there is no feed to poll: the cache is never served.
    never_serves: bool,
    home: Home,
    /// How many polls have begun.
    begun: AtomicU64,
    state: tokio::sync::Mutex<State>,
    /// The fast path is open: the task has to poll from now on.
    opened: Notify,
    /// The fast path is open: readers who wait for a poll need not.
    answered: Notify,
    /// A reader waits for a poll: the task makes it before it is due.
    wanted: Notify,
}

struct State {
    source: Source,
    /// The number of the last poll that succeeded, and when it began.
    answered: u64,
    polled: Instant,
    failed: Option<Instant>,
}

enum Source {
    /// The adapter's, once it is subscribed to.
    Feed(Option<Box<dyn ChangeSubscription>>),
    /// There is none.
    Clock {
        /// How long an epoch is.
        epoch: Duration,
        began: Instant,
    },
}

/// What a poll found.
enum Answer {
    Changes(Changes),
    /// This many epochs have passed.
    Time(u64),
}

impl Source {
    async fn poll(&mut self, adapter: &dyn Adapter) -> Result<Answer> {
        let changes = match self {
            Self::Feed(Some(subscription)) => subscription.changes().await?,
            Self::Feed(none) => {
                let feed = adapter.extensions().change_feed.ok_or_else(|| {
                    Error::new(ErrorKind::Other, "the adapter has lost its change feed")
                })?;
                *none = Some(feed.subscribe().await?);
                // The subscription does not know what was changed before it.
                Changes::Everything
            }
            Self::Clock { epoch, began } => {
                let (elapsed, epoch) = (began.elapsed(), epoch.as_nanos().max(1));
                let (passed, rest) = (elapsed.as_nanos() / epoch, elapsed.as_nanos() % epoch);
                let rest = Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX));
                // What is left over counts for the next epoch: polls before it ends must not make
                // it longer.
                *began += elapsed.saturating_sub(rest);
                return Ok(Answer::Time(u64::try_from(passed).unwrap_or(u64::MAX)));
            }
        };
        Ok(Answer::Changes(changes))
    }

    async fn wait(&mut self) {
        match self {
            Self::Feed(Some(subscription)) => subscription.wait().await,
            Self::Feed(None) | Self::Clock { .. } => std::future::pending().await,
        }
    }

    /// For how long after a poll nothing that is served is older than the bound.
    fn proven_for(&self, bound: Duration) -> Duration {
        match self {
            Self::Feed(_) => bound,
            // What is served then was loaded within the epochs that are kept, or in this one.
            Self::Clock { epoch, .. } => epoch.saturating_mul(EPOCHS - EPOCHS_KEPT - 1),
        }
    }

    /// When the next poll is due, after one at this time.
    fn due(&self, polled: Instant, bound: Duration) -> Instant {
        match self {
            Self::Feed(_) => polled + bound / 2,
            Self::Clock { epoch, began } => *began + *epoch,
        }
    }
}

impl Freshness {
    pub(crate) fn new(
        adapter: Arc<dyn Adapter>,
        cache: Arc<Cache>,
        staleness: Staleness,
        home: Home,
    ) -> Arc<Self> {
        let staleness = staleness.effective();
        if staleness == Staleness::Unbounded {
            cache.epochs().open_fast_path();
        }
        let source = match adapter.extensions().change_feed {
            Some(_) => Source::Feed(None),
            None => Source::Clock {
                epoch: match staleness {
                    Staleness::AtMost(bound) => bound / EPOCHS,
                    Staleness::None | Staleness::Unbounded => Duration::MAX,
                },
                began: Instant::now(),
            },
        };
        let clock = matches!(source, Source::Clock { .. });
        let never_serves = clock && staleness == Staleness::None;
        let state = State { source, answered: 0, polled: Instant::now(), failed: None };
        Arc::new(Self {
            adapter,
            cache,
            staleness,
            never_serves,
            home,
            begun: AtomicU64::new(0),
            state: tokio::sync::Mutex::new(state),
            opened: Notify::new(),
            answered: Notify::new(),
            wanted: Notify::new(),
        })
    }

    /// Whether a task has to [poll](Self::run) for changes.
    pub(crate) fn needs_task(&self) -> bool {
        matches!(self.staleness, Staleness::AtMost(_))
    }

    /// The oldest epoch that a read that begins now accepts from the cache; [`ALL_STALE`] if that
    /// is not known.
    ///
    /// Other readers wait for the same poll, so it continues if this future is not polled any more.
    pub(crate) async fn verify(self: &Arc<Self>) -> u64 {
        let min_epoch = self.cache.epochs().fast_path_in_time();
        if min_epoch != ALL_STALE || self.never_serves {
            return min_epoch;
        }
        let before = self.begun.load(SeqCst);
        shield(&self.home, Box::pin(self.clone().poll_since(before))).await.unwrap_or(ALL_STALE)
    }

    /// Polls, unless a poll that began after `before` has succeeded.
    async fn poll_since(self: Arc<Self>, before: u64) -> Result<u64> {
        let epochs = self.cache.epochs();
        let waiting = timeout(FEED_TIMEOUT, self.wait_for_poll()).await;
        let min_epoch = epochs.fast_path_in_time();
        if min_epoch != ALL_STALE {
            return Ok(min_epoch);
        }
        let Ok(Some(mut state)) = waiting else { return Ok(ALL_STALE) };
        if epochs.is_closed() {
            return Ok(ALL_STALE);
        }
        if state.answered > before {
            return Ok(epochs.min_epoch());
        }
        if state.failed.is_some_and(|failed| failed.elapsed() < FEED_PAUSE) {
            return Ok(ALL_STALE);
        }
        self.poll(&mut state).await?;
        if self.staleness != Staleness::None {
            self.open_fast_path(&state);
            self.opened.notify_one();
        }
        Ok(epochs.min_epoch())
    }

    /// Waits until no other poll is under way; `None` if the task, which keeps the state while the
    /// cache is read, has opened the fast path in the meantime.
    async fn wait_for_poll(&self) -> Option<tokio::sync::MutexGuard<'_, State>> {
        if let Ok(state) = self.state.try_lock() {
            return Some(state);
        }
        self.wanted.notify_one();
        let mut lock = pin!(self.state.lock());
        loop {
            let mut answered = pin!(self.answered.notified());
            answered.as_mut().enable();
            if self.cache.epochs().fast_path_in_time() != ALL_STALE {
                return None;
            }
            tokio::select! {
                biased;
                state = lock.as_mut() => return Some(state),
                () = answered => {}
            }
        }
    }

    /// Opens the fast path after a poll that has succeeded.
    fn open_fast_path(&self, state: &State) {
        let epochs = self.cache.epochs();
        match self.staleness {
            // The task may not get a turn before the bound has passed: a program that calls
            // `block_on` for each read of the cache leaves it none.
            Staleness::AtMost(bound) if self.home.is_current_thread() => {
                let time = state.source.proven_for(bound);
                epochs.open_fast_path_for(time.saturating_sub(state.polled.elapsed()));
            }
            _ => epochs.open_fast_path(),
        }
        self.answered.notify_waiters();
    }

    /// Subscribes to the feed, so that what is written from now on stays cached: a later
    /// subscription would have to forget it.
    pub(crate) async fn subscribe(self: &Arc<Self>) {
        if self.begun.load(SeqCst) == 0 && self.staleness != Staleness::Unbounded {
            self.verify().await;
        }
    }

    /// Ends the subscription, so that the store need not keep changes for it. The cache is closed,
    /// and nothing subscribes again.
    pub(crate) async fn unsubscribe(&self) {
        let mut state = self.state.lock().await;
        if let Source::Feed(subscription) = &mut state.source {
            *subscription = None;
        }
    }

    /// Polls for changes, and makes the cache forget what has changed.
    ///
    /// # Errors
    /// Those of the feed. The next poll is made after a [`FEED_PAUSE`].
    async fn poll(&self, state: &mut State) -> Result<()> {
        let number = self.begun.fetch_add(1, SeqCst) + 1;
        let polled = Instant::now();
        let answer = match timeout(FEED_TIMEOUT, state.source.poll(&*self.adapter)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::new(ErrorKind::Timeout, "polling for changes")),
        };
        match answer {
            Ok(answer) => {
                (state.answered, state.polled, state.failed) = (number, polled, None);
                self.apply(answer);
                Ok(())
            }
            Err(error) => {
                // A poll that met the end of the handle is of no interest.
                if !self.cache.epochs().is_closed() {
                    tracing::warn!(%error, "reading from the store instead of the cache");
                }
                state.source = Source::Feed(None);
                state.failed = Some(polled);
                Err(error)
            }
        }
    }

    fn apply(&self, answer: Answer) {
        let epochs = self.cache.epochs();
        match answer {
            Answer::Changes(Changes::Everything) => epochs.expire_all(),
            Answer::Changes(Changes::Records(records)) => {
                for ChangedRecord { space, key, now } in records {
                    self.cache.changed(&CacheKey { space, key }, now);
                }
            }
            Answer::Time(passed) => epochs.advance(passed, EPOCHS_KEPT.into()),
        }
    }

    /// Polls in time as long as the cache is read, until the sender of `closed` is dropped.
    pub(crate) async fn run(self: Arc<Self>, closed: oneshot::Receiver<()>) {
        let Staleness::AtMost(bound) = self.staleness else { return };
        tokio::select! {
            biased;
            _ = closed => {}
            () = self.poll_on_demand(bound) => {}
        }
        self.cache.epochs().close_fast_path();
    }

    async fn poll_on_demand(&self, bound: Duration) {
        loop {
            self.opened.notified().await;
            let mut state = self.state.lock().await;
            self.poll_until_idle(&mut state, bound).await;
            self.cache.epochs().close_fast_path();
        }
    }

    /// Returns when the cache was not read for half the bound, or a poll has failed.
    async fn poll_until_idle(&self, state: &mut State, bound: Duration) {
        let (mut reads, mut read_last) = (self.cache.counters().reads(), Instant::now());
        loop {
            let due = state.source.due(state.polled, bound);
            tokio::select! {
                biased;
                () = state.source.wait() => {
                    sleep_until(due.min(Instant::now() + bound / POLLS_PER_BOUND)).await;
                }
                () = sleep_until(due) => {}
                () = self.wanted.notified() => {}
            }
            let margin = bound / MARGINS_PER_BOUND;
            let left = bound.saturating_sub(margin + state.polled.elapsed());
            let answer = {
                let mut poll = pin!(self.poll(state));
                if let Ok(answer) = timeout(left, poll.as_mut()).await {
                    answer
                } else {
                    // The bound is about to pass: readers have to wait for the answer now.
                    self.cache.epochs().close_fast_path();
                    poll.await
                }
            };
            let reads_now = self.cache.counters().reads();
            if reads_now != reads {
                (reads, read_last) = (reads_now, Instant::now());
            }
            if answer.is_err() || read_last.elapsed() >= bound / 2 {
                return;
            }
            self.open_fast_path(state);
        }
    }
}

impl fmt::Debug for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Freshness").field("staleness", &self.staleness).finish_non_exhaustive()
    }
}
