//! The same names, played by the model checker [shuttle](https://docs.rs/shuttle), which decides at
//! each lock and each wait which task continues. Only as much as this crate uses.

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::{Add, AddAssign, Sub};
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::RuntimeFlavor;

pub(crate) use shuttle::sync::MutexGuard;

/// The same in each run, so that a schedule can be replayed: what shares a lock depends on it.
pub(crate) type RandomState = foldhash::fast::FixedState;

/// A lock without poisoning.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime, of which there is one.
#[derive(Debug, Clone)]
pub(crate) struct Handle;

impl Handle {
    #[expect(clippy::unnecessary_wraps, reason = "like Tokio's, which can fail")]
    pub(crate) fn try_current() -> Result<Self, Infallible> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "like Tokio's")]
    pub(crate) fn id(&self) -> u64 {
        0
    }

    #[expect(clippy::unused_self, reason = "like Tokio's")]
    pub(crate) fn runtime_flavor(&self) -> RuntimeFlavor {
        RuntimeFlavor::MultiThread
    }

    #[expect(clippy::unused_self, reason = "like Tokio's")]
    pub(crate) fn enter(&self) -> impl Drop {
        Entered
    }

    /// Starts a task, which continues if the handle is dropped.
    #[expect(clippy::unused_self, reason = "like Tokio's")]
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        JoinHandle(shuttle::future::spawn(work))
    }
}

struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {}
}

pub(crate) struct JoinHandle<T>(shuttle::future::JoinHandle<T>);

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(joined.map_err(|_| JoinError))
    }
}

/// The task was stopped. One that panics ends the whole run instead.
pub(crate) struct JoinError;

impl JoinError {
    #[expect(clippy::unused_self, reason = "like Tokio's")]
    pub(crate) fn is_panic(&self) -> bool {
        false
    }
}

/// A point in a time that only timers move: one that the checker lets go on moves it to where that
/// timer is due. So timers end in any order, after anything else that can happen, each at its
/// earliest when it is due, and no test waits for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

thread_local! {
    /// Continues from one schedule to the next: only differences matter.
    static NOW: Cell<Instant> = const { Cell::new(Instant(Duration::ZERO)) };
}

impl Instant {
    pub(crate) fn now() -> Self {
        NOW.get()
    }

    pub(crate) fn checked_add(self, delay: Duration) -> Option<Self> {
        self.0.checked_add(delay).map(Self)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Self::now() - *self
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, delay: Duration) -> Self {
        Self(self.0 + delay)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, delay: Duration) {
        self.0 += delay;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

pub(crate) async fn sleep(delay: Duration) {
    sleep_until(Instant::now() + delay).await;
}

pub(crate) async fn sleep_until(due: Instant) {
    if due > Instant::now() {
        // Also tells schedulers that prefer one task to let others go on.
        shuttle::future::yield_now().await;
        NOW.set(due.max(Instant::now()));
    }
}

/// The time was up.
#[derive(Debug)]
pub(crate) struct Elapsed;

pub(crate) async fn timeout<F: Future>(limit: Duration, work: F) -> Result<F::Output, Elapsed> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = sleep(limit) => Err(Elapsed),
    }
}
