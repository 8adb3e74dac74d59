//! Jobs: sweeps, copies, and warming the cache.

use std::fmt;
use std::future::Future;

use tokio::sync::{oneshot, watch};

use super::driver::ended_early;
use super::job_settings::JobHandle;
use crate::model::Result;
use crate::runtime::Home;

/// A job that was started: it runs in a task of its own, page by page, until it has done
/// everything, is [canceled](Self::cancel), or its handle is closed. Dropping it cancels it, too.
///
/// `P` is what it says about itself while it runs, `R` what it reports in the end.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> pstate_core::Result<()> {
/// # use std::sync::Arc;
/// # use pstate_core::{MemoryAdapter, PState, Warm};
/// # let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build()?;
/// # pstate.put("card:1", &serde_json::json!({})).await?;
/// let job = pstate.warm(Warm::new().prefix("card:").rate(5_000))?;
/// let mut changes = job.changes();
/// tokio::spawn(async move {
///     while let Some(progress) = changes.next().await {
///         println!("{progress}");
///     }
/// });
/// job.set_rate(0); // as fast as it can, from now on
/// let report = job.wait().await?;
/// assert_eq!(report.done, 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it cancels the job"]
pub struct Job<P, R> {
    /// The method that started it.
    name: &'static str,
    handle: JobHandle,
    progress: watch::Receiver<P>,
    report: oneshot::Receiver<Result<R>>,
}

impl<P: Clone + Send + Sync + 'static, R: Send + 'static> Job<P, R> {
    /// Starts a job that the method of this name was called for.
    pub(super) fn start(
        name: &'static str,
        home: &Home,
        handle: JobHandle,
        progress: watch::Receiver<P>,
        work: impl Future<Output = Result<R>> + Send + 'static,
    ) -> Self {
        let (done, report) = oneshot::channel();
        let mut sender = ReportSender(Some(done));
        home.spawn(async move { sender.send(work.await) });
        Self { name, handle, progress, report }
    }

    /// How far it has come.
    pub fn progress(&self) -> P {
        self.progress.borrow().clone()
    }

    /// Its progress, each time that it changes.
    pub fn changes(&self) -> JobChanges<P> {
        JobChanges { progress: self.progress.clone() }
    }

    /// Changes how many documents a second it looks at, at most; 0 for no limit. Takes effect at
    /// once.
    pub fn set_rate(&self, documents_per_second: u32) {
        self.handle.set_rate(documents_per_second);
    }

    /// Halts it after the current page, until it is [resumed](Self::resume).
    pub fn pause(&self) {
        self.handle.set_paused(true);
    }

    /// Continues after a [pause](Self::pause).
    pub fn resume(&self) {
        self.handle.set_paused(false);
    }

    /// Ends it after the current page; [`wait`](Self::wait) then reports what it has done. A sweep
    /// or copy that is started again resumes there.
    pub fn cancel(&self) {
        self.handle.cancel();
    }

    /// Waits for its end, and returns its report. A report is not yet a success: a canceled job has
    /// one as well.
    ///
    /// # Errors
    /// Those of the job, as the method that started it says.
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if the runtime that it ran on has shut down,
    /// [`Other`](crate::ErrorKind::Other) if the storage adapter panicked.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the job.
    pub async fn wait(self) -> Result<R> {
        let Self { name, handle: _handle, progress: _, report } = self;
        let ended = report.await.unwrap_or_else(|_| Err(ended_early()));
        ended.map_err(|error| error.of_operation(name))
    }
}

/// Sends the report of a job, or why there is none.
struct ReportSender<R>(Option<oneshot::Sender<Result<R>>>);

impl<R> ReportSender<R> {
    fn send(&mut self, report: Result<R>) {
        if let Some(sender) = self.0.take() {
            // The owner may have dropped the job.
            _ = sender.send(report);
        }
    }
}

impl<R> Drop for ReportSender<R> {
    fn drop(&mut self) {
        self.send(Err(ended_early()));
    }
}

/// The changes of a job's progress; made by [`Job::changes`]. It does not keep the job running.
#[derive(Debug, Clone)]
pub struct JobChanges<P> {
    progress: watch::Receiver<P>,
}

impl<P: Clone> JobChanges<P> {
    /// Waits until the progress has changed, and returns it; of changes in quick succession the
    /// last. `None` when the job has ended and its last progress was returned.
    ///
    /// # Cancel safety
    /// Dropping the future loses no change.
    pub async fn next(&mut self) -> Option<P> {
        self.progress.changed().await.ok()?;
        Some(self.progress.borrow_and_update().clone())
    }
}

impl<P: fmt::Debug, R> fmt::Debug for Job<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("progress", &*self.progress.borrow())
            .finish_non_exhaustive()
    }
}
