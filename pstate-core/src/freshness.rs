//! Keeping what is cached no older than it may be.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::adapter::Adapter;
use crate::cache::{Cache, CacheKey, NEVER};
use crate::changes::{ChangeSubscription, ChangedRecord, Changes};
use crate::detached::detached;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{Handle, Instant, sleep_until, timeout};

/// How old the cache may be by default.
const DEFAULT_BOUND: Duration = Duration::from_millis(100);

/// Timers are exact to a millisecond: below this a bound could not be kept, and nothing is stale.
const LEAST_BOUND: Duration = Duration::from_millis(10);

/// Into how many parts the bound is divided, of which one is waited for after a change was told before it is
/// asked about: a program that writes all the time would otherwise be asking all the time.
const TOGETHER: u32 = 20;

/// How long a read waits for what others have changed before it asks the store instead of the cache.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a feed that has failed is left alone. Reads go to the store meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// How many epochs a time-to-live has. What is loaded in one may be used in the next two: at least
/// half of the time-to-live, at most three quarters, and a quarter is left for timers that are late.
const EPOCHS: u32 = 4;
const EPOCHS_KEPT: u64 = 2;

/// How long a read may go on to return what somebody else has replaced: another process, or another
/// handle on the same store.
///
/// What is written through a handle, its clones and siblings is seen by all of them at once, whatever
/// is chosen here; and whatever is cached, compare-and-swap is decided by the store.
///
/// | store | how it is kept |
/// |---|---|
/// | with a [`ChangeFeed`](crate::ChangeFeed): SQLite, Redis, sled, memory | asked what has changed, twice in the time allowed, or for each read; what has not changed stays |
/// | without | by a time-to-live: what was loaded is used for half to three quarters of the time allowed; with [`None`](Self::None) nothing is served from the cache |
///
/// The time runs from when the other's write was acknowledged. It is kept as long as the timers of
/// the runtime are on time: a process that is stopped (a laptop that sleeps, a task that blocks the
/// runtime's threads) may serve what it had until its timers have caught up. With [`None`](Self::None)
/// there is no timer, and no such exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Staleness {
    /// No time at all: each read asks first whether anything has changed. On SQLite that takes about
    /// 2 µs.
    None,
    /// At most so long; less than 10 ms are taken as [`None`](Self::None). The default: 100 ms. It
    /// costs nothing while nothing is read from the cache, and otherwise two questions in that time.
    AtMost(Duration),
    /// For ever: right if nobody else writes.
    Unbounded,
}

impl Default for Staleness {
    fn default() -> Self {
        Self::AtMost(DEFAULT_BOUND)
    }
}

/// Follows what others change, and makes the cache forget it.
///
/// While the cache is read, a [task](Self::follow) asks for changes in time, and readers need not.
/// When nobody has read for a while, the task rests; the next reader [asks](Self::verify) and wakes it.
/// Whenever somebody fails to learn what has changed, everything counts as changed, and readers go to the
/// store until it is known again.
pub(crate) struct Freshness {
    adapter: Arc<dyn Adapter>,
    cache: Arc<Cache>,
    staleness: Staleness,
    /// Nothing may be stale, and nobody can be asked.
    never_trusts: bool,
    runtime: Handle,
    /// How often somebody began to ask.
    begun: AtomicU64,
    state: tokio::sync::Mutex<State>,
    /// Readers need not ask any more: the task has to.
    trusted: Notify,
}

struct State {
    source: Source,
    /// Which of the questions was the last that was answered, and when it began.
    answered: u64,
    asked: Instant,
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

/// What a source says.
enum Answer {
    Changes(Changes),
    /// So many epochs have passed.
    Time(u64),
}

impl Source {
    async fn ask(&mut self, adapter: &dyn Adapter) -> Result<Answer> {
        let changes = match self {
            Self::Feed(Some(subscription)) => subscription.changes().await?,
            Self::Feed(none) => {
                let feed = adapter.extensions().change_feed.ok_or_else(|| {
                    Error::new(ErrorKind::Other, "the adapter has lost its change feed")
                })?;
                *none = Some(feed.subscribe().await?);
                // What was changed before, nobody can tell.
                Changes::Everything
            }
            Self::Clock { epoch, began } => {
                let passed = began.elapsed().as_nanos() / epoch.as_nanos().max(1);
                if passed > 0 {
                    *began = Instant::now();
                }
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

    /// How long to wait between two questions.
    fn interval(&self, bound: Duration) -> Duration {
        match self {
            Self::Feed(_) => bound / 2,
            Self::Clock { epoch, .. } => *epoch,
        }
    }
}

impl Freshness {
    pub(crate) fn new(
        adapter: Arc<dyn Adapter>,
        cache: Arc<Cache>,
        staleness: Staleness,
        runtime: Handle,
    ) -> Arc<Self> {
        let staleness = match staleness {
            Staleness::AtMost(bound) if bound < LEAST_BOUND => Staleness::None,
            staleness => staleness,
        };
        if staleness == Staleness::Unbounded {
            cache.validity().trust();
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
        let never_trusts = clock && staleness == Staleness::None;
        let state = State { source, answered: 0, asked: Instant::now(), failed: None };
        Arc::new(Self {
            adapter,
            cache,
            staleness,
            never_trusts,
            runtime,
            begun: AtomicU64::new(0),
            state: tokio::sync::Mutex::new(state),
            trusted: Notify::new(),
        })
    }

    /// Whether a task has to [follow](Self::follow) what others change.
    pub(crate) fn has_to_follow(&self) -> bool {
        matches!(self.staleness, Staleness::AtMost(_))
    }

    /// Since when entries of the cache are valid for a read that begins now; [`NEVER`] if that cannot be
    /// told.
    ///
    /// Others wait for the same answer, so the question goes on if nobody polls this any more.
    pub(crate) async fn verify(self: &Arc<Self>) -> u64 {
        let trusted = self.cache.validity().unasked();
        if trusted != NEVER || self.never_trusts {
            return trusted;
        }
        let before = self.begun.load(SeqCst);
        detached(&self.runtime, self.clone().ask(before)).await.unwrap_or(NEVER)
    }

    /// Asks, unless somebody has asked since `before` and was answered.
    async fn ask(self: Arc<Self>, before: u64) -> Result<u64> {
        let Ok(mut state) = timeout(PATIENCE, self.state.lock()).await else { return Ok(NEVER) };
        let validity = self.cache.validity();
        let trusted = validity.unasked();
        if trusted != NEVER {
            return Ok(trusted);
        }
        if state.answered > before {
            return Ok(validity.since());
        }
        if state.failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
            return Ok(NEVER);
        }
        self.check(&mut state).await?;
        if self.staleness != Staleness::None {
            validity.trust();
            self.trusted.notify_one();
        }
        Ok(validity.since())
    }

    /// Subscribes, so that what is written from now on need not be forgotten by doing so later.
    pub(crate) async fn subscribe(self: &Arc<Self>) {
        if self.begun.load(SeqCst) == 0 && self.staleness != Staleness::Unbounded {
            self.verify().await;
        }
    }

    /// Takes in what has changed.
    ///
    /// # Errors
    /// If it is not known. It will be asked again after a [`PAUSE`].
    async fn check(&self, state: &mut State) -> Result<()> {
        let question = self.begun.fetch_add(1, SeqCst) + 1;
        let asked = Instant::now();
        let answer = match timeout(PATIENCE, state.source.ask(&*self.adapter)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::new(ErrorKind::Timeout, "asking what others have changed")),
        };
        match answer {
            Ok(answer) => {
                (state.answered, state.asked, state.failed) = (question, asked, None);
                self.apply(answer);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "reading from the store instead of the cache");
                state.source = Source::Feed(None);
                state.failed = Some(asked);
                Err(error)
            }
        }
    }

    fn apply(&self, answer: Answer) {
        let validity = self.cache.validity();
        match answer {
            Answer::Changes(Changes::Everything) => validity.expire_all(),
            Answer::Changes(Changes::Records(records)) => {
                for ChangedRecord { space, key, now } in records {
                    self.cache.changed(&CacheKey { space, key }, now);
                }
            }
            Answer::Time(passed) => validity.advance(passed, EPOCHS_KEPT),
        }
    }

    /// Asks in time as long as the cache is read, until the sender of `closed` is dropped.
    pub(crate) async fn follow(self: Arc<Self>, closed: oneshot::Receiver<()>) {
        let Staleness::AtMost(bound) = self.staleness else { return };
        tokio::select! {
            biased;
            _ = closed => {}
            () = self.follow_on(bound) => {}
        }
        self.cache.validity().distrust();
    }

    async fn follow_on(&self, bound: Duration) {
        loop {
            self.trusted.notified().await;
            let mut state = self.state.lock().await;
            self.ask_in_time(&mut state, bound).await;
            self.cache.validity().distrust();
        }
    }

    /// Returns when nobody has read for half the bound, or it is not known what has changed.
    async fn ask_in_time(&self, state: &mut State, bound: Duration) {
        let (mut reads, mut read_last) = (self.cache.counters().reads(), Instant::now());
        loop {
            let due = state.asked + state.source.interval(bound);
            tokio::select! {
                biased;
                // What is told soon afterwards is asked about together.
                () = state.source.wait() => sleep_until(due.min(Instant::now() + bound / TOGETHER)).await,
                () = sleep_until(due) => {}
            }
            let left = bound.saturating_sub(state.asked.elapsed());
            let mut check = pin!(self.check(state));
            let answer = if let Ok(answer) = timeout(left, check.as_mut()).await {
                answer
            } else {
                // Readers have to wait for the answer now.
                self.cache.validity().distrust();
                check.await
            };
            let reads_now = self.cache.counters().reads();
            if reads_now != reads {
                (reads, read_last) = (reads_now, Instant::now());
            }
            if answer.is_err() || read_last.elapsed() >= bound / 2 {
                return;
            }
            self.cache.validity().trust();
        }
    }
}

impl fmt::Debug for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Freshness").field("staleness", &self.staleness).finish_non_exhaustive()
    }
}
