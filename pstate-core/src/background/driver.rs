//! Driving a job: when its next page may begin, when a call is made again, what it says about
//! itself.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use tokio::sync::watch;

use super::job_settings::{JobHandle, JobSettings, SettingsReceiver, job_settings};
use super::rate_limiter::RateLimiter;
use crate::model::{Error, ErrorKind, Result};
use crate::runtime::{Closing, Instant, unavailable_delay, wait_until};
use crate::telemetry::JobState;

/// The progress of a job, as far as all jobs have it.
pub(super) trait Progress: Clone + Send + Sync + 'static {
    fn state(&self) -> JobState;

    /// Changes the state, and says why the job waits, if it does.
    fn set_state(&mut self, state: JobState, unavailable: Option<Error>);

    /// How many documents are left, if that is known.
    fn left(&self) -> Option<u64>;

    /// Sets documents per second, and how long those that are left will take.
    fn set_rate(&mut self, rate: f64, remaining: Option<Duration>);
}

/// Why a job ends before it has done everything.
#[derive(Debug)]
pub(super) enum Ended {
    Canceled,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Why a job is dropped before its end: asked while it is dropped.
pub(super) fn ended_early() -> Error {
    if std::thread::panicking() {
        return Error::new(ErrorKind::Other, "the job panicked, or the storage adapter within it");
    }
    Error::new(ErrorKind::Unavailable, "the runtime that the job ran on has shut down")
}

/// Keeps a job to its settings, and publishes its progress.
pub(super) struct JobDriver<P: Progress> {
    settings: SettingsReceiver,
    /// Of the handle that the job belongs to, if it belongs to one.
    closing: Option<Closing>,
    limiter: RateLimiter,
    /// How often a call is tried while the store is unavailable; forever without a number.
    attempts: Option<u32>,
    progress: watch::Sender<P>,
}

impl<P: Progress> JobDriver<P> {
    /// A driver, and the owner's end of it.
    pub(super) fn new(
        rate: Option<NonZeroU32>,
        closing: Option<Closing>,
        attempts: Option<u32>,
        progress: P,
    ) -> (JobHandle, Self) {
        let (handle, settings) = job_settings(rate);
        let (limiter, progress) = (RateLimiter::default(), watch::Sender::new(progress));
        (handle, Self { settings, closing, limiter, attempts, progress })
    }

    /// The job's progress, for its owner.
    pub(super) fn subscribe(&self) -> watch::Receiver<P> {
        self.progress.subscribe()
    }

    pub(super) fn progress(&self) -> P {
        self.progress.borrow().clone()
    }

    /// Changes the progress.
    pub(super) fn publish(&self, change: impl FnOnce(&mut P)) {
        self.progress.send_modify(change);
    }

    /// Changes the state, if it is another one.
    pub(super) fn set_state(&self, state: JobState) {
        self.progress.send_if_modified(|progress| {
            let changed = progress.state() != state;
            progress.set_state(state, None);
            changed
        });
    }

    /// Begins to measure the rate from here: what was measured before is about something else.
    pub(super) fn restart_rate(&mut self) {
        self.limiter.restart();
    }

    /// The settings, unless the job has to end.
    pub(super) fn check(&mut self) -> Result<JobSettings, Ended> {
        let closing = self.closing.as_ref().is_some_and(Closing::is_closing);
        self.settings.current().filter(|_| !closing).ok_or(Ended::Canceled)
    }

    /// Waits until the next page may begin, and says how long it may be.
    ///
    /// # Cancel safety
    /// Nothing has begun if the future is dropped.
    pub(super) async fn begin_page(
        &mut self,
        page_size: NonZeroUsize,
    ) -> Result<NonZeroUsize, Ended> {
        // A store in memory never waits; other tasks get a turn all the same.
        tokio::task::yield_now().await;
        loop {
            let settings = self.check()?;
            let now = Instant::now();
            let due = (!settings.paused).then(|| self.limiter.due(settings.rate, now));
            if due.is_some_and(|due| due <= now) {
                self.set_state(JobState::Running);
                self.limiter.begin_page(now);
                return Ok(settings.limit(page_size));
            }
            if settings.paused {
                self.limiter.restart();
                self.publish(|progress| {
                    progress.set_state(JobState::Paused, None);
                    progress.set_rate(0.0, None);
                });
            }
            self.wait_for_change(due).await;
        }
    }

    /// Ends a page of so many documents, and publishes what came of it.
    pub(super) fn end_page(&mut self, len: usize, change: impl FnOnce(&mut P)) {
        self.limiter.end_page(Instant::now(), len);
        let limiter = &self.limiter;
        self.progress.send_modify(|progress| {
            change(progress);
            if progress.state() == JobState::Waiting {
                progress.set_state(JobState::Running, None);
            }
            let remaining = progress.left().and_then(|left| limiter.time_for(left));
            progress.set_rate(limiter.rate(), remaining);
        });
    }

    /// Makes a call that may be made again whatever its effect was, until it succeeds.
    pub(super) async fn attempt<T, F>(&mut self, call: impl Fn() -> F) -> Result<T, Ended>
    where
        F: Future<Output = Result<T>>,
    {
        let mut failed = 0;
        loop {
            match call().await {
                Ok(done) => {
                    if failed > 0 {
                        self.set_state(JobState::Running);
                    }
                    return Ok(done);
                }
                Err(error) => self.wait_after(error, &mut failed).await?,
            }
        }
    }

    /// Waits after a call that failed, if it may succeed later. The job stays
    /// [`Waiting`](JobState::Waiting) until the call has succeeded: until
    /// [`end_page`](Self::end_page) at the latest.
    pub(super) async fn wait_after(&mut self, error: Error, failed: &mut u32) -> Result<(), Ended> {
        let exhausted = self.attempts.is_some_and(|attempts| *failed + 1 >= attempts);
        if !error.is_transient() || exhausted {
            return Err(error.into());
        }
        let due = Instant::now() + unavailable_delay(*failed);
        *failed = failed.saturating_add(1);
        self.publish(|progress| progress.set_state(JobState::Waiting, Some(error)));
        while Instant::now() < due {
            self.check()?;
            self.wait_for_change(Some(due)).await;
        }
        self.limiter.measure_from(Instant::now());
        Ok(())
    }

    /// Waits until a time, or until the settings may have changed.
    async fn wait_for_change(&mut self, due: Option<Instant>) {
        let closing = async {
            match &mut self.closing {
                Some(closing) => closing.closing().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = closing => {}
            () = self.settings.changed() => {}
            () = wait_until(due) => {}
        }
    }
}

impl<P: Progress> Drop for JobDriver<P> {
    /// A job that is dropped before its end must not look as if it still ran.
    fn drop(&mut self) {
        self.progress.send_if_modified(|progress| {
            let running = !progress.state().is_ended();
            if running {
                progress.set_state(JobState::Failed, Some(ended_early()));
            }
            running
        });
    }
}
