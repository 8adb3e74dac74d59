//! The runtime that a handle was built on.

use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use tokio::runtime::RuntimeFlavor;
use tokio::sync::oneshot;

use super::{Handle, JoinHandle, sleep};
use crate::model::{Error, ErrorKind, Result};

/// The runtime that a handle was built on: its background tasks, its timers and the ends of
/// interrupted calls belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    handle: Handle,
    /// Whether its tasks only run while a thread blocks on it. What is handed to it from elsewhere
    /// may then wait forever.
    current_thread: bool,
    ended: Arc<AtomicBool>,
}

impl Home {
    /// The runtime of the caller, for something that needs one.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) outside of a runtime, and in one without timers.
    pub(crate) fn current(what: &str) -> Result<Self> {
        let handle = Handle::try_current().map_err(|error| {
            let why = format!(
                "{what} needs a Tokio runtime: do it in async code, or after \
                 `tokio::runtime::Handle::enter`"
            );
            Error::new(ErrorKind::Config, why).caused_by(error)
        })?;
        // Tokio has no call that asks. The future of a timer is made at once, or panics.
        if catch_unwind(|| drop(sleep(Duration::ZERO))).is_err() {
            let why = format!(
                "{what} needs a runtime with timers: call `enable_time` or `enable_all` on its \
                 builder"
            );
            return Err(Error::new(ErrorKind::Config, why));
        }
        let current_thread = handle.runtime_flavor() == RuntimeFlavor::CurrentThread;
        Ok(Self { handle, current_thread, ended: Arc::default() })
    }

    /// Whether calls have to be made on the runtime itself.
    pub(crate) fn is_current_thread(&self) -> bool {
        self.current_thread
    }

    /// Whether the runtime was dropped, or is being dropped.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(SeqCst)
    }

    /// Whether work that is polled here can come to its end.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) if the runtime has ended, and outside of a current-thread
    /// runtime.
    pub(crate) fn check(&self) -> Result<()> {
        if self.has_ended() {
            return Err(Error::new(
                ErrorKind::Config,
                "this PState was built on a runtime that has ended, and nothing was done: build a \
                 PState on each runtime, or share one runtime that outlives them",
            ));
        }
        if self.current_thread && !self.is_here() {
            return Err(Error::new(
                ErrorKind::Config,
                "this PState was built on a current-thread runtime and is used outside of it, \
                 where nothing runs its tasks; nothing was done: build it on a multi-thread \
                 runtime, or use it within its own",
            ));
        }
        Ok(())
    }

    /// Whether the caller is within this runtime.
    fn is_here(&self) -> bool {
        Handle::try_current().is_ok_and(|here| here.id() == self.handle.id())
    }

    /// Makes timers and tasks of the caller those of this runtime, until the guard is dropped.
    pub(crate) fn enter(&self) -> impl Sized + '_ {
        self.handle.enter()
    }

    /// Starts a task.
    pub(crate) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.handle.spawn(work)
    }

    /// Starts a task that does something when the runtime ends before the returned value is
    /// dropped.
    pub(crate) fn watch(&self, on_end: impl FnOnce() + Send + 'static) -> oneshot::Sender<()> {
        let (watched, released) = oneshot::channel();
        let guard = EndGuard { ended: self.ended.clone(), on_end: Some(on_end) };
        self.spawn(async move {
            let mut guard = guard;
            _ = released.await;
            guard.on_end = None;
        });
        watched
    }
}

/// Lives in a task. A runtime that ends drops its tasks.
struct EndGuard<F: FnOnce()> {
    ended: Arc<AtomicBool>,
    on_end: Option<F>,
}

impl<F: FnOnce()> Drop for EndGuard<F> {
    fn drop(&mut self) {
        if let Some(on_end) = self.on_end.take() {
            self.ended.store(true, SeqCst);
            on_end();
        }
    }
}
