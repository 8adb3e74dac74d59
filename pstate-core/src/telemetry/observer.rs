//! Who is told.

use super::Event;

/// Is told everything that a handle does; see [`Builder::observer`](crate::Builder::observer).
///
/// # Contract
/// Each event is told once, to every observer, after what it tells has happened. Events of different tasks
/// come in any order, and at the same time.
///
/// # Cost
/// It is called by whoever does what is told, who waits for it, on a thread of the runtime: it does not block.
/// It is called outside of the cache's locks, so it may use the handle. A panic is caught, logged, and counted
/// in [`Stats::observer_panics`](crate::Stats::observer_panics); what was being done goes on.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use pstate_core::{Event, MemoryAdapter, Observer, PState};
///
/// #[derive(Default)]
/// struct SlowReads(AtomicUsize);
///
/// impl Observer for SlowReads {
///     fn on_event(&self, event: &Event<'_>) {
///         if let Event::Fetch { duration: Some(duration), .. } = event
///             && duration.as_millis() > 5
///         {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let slow = Arc::new(SlowReads::default());
/// let pstate = PState::builder(Arc::new(MemoryAdapter::new())).observer(slow.clone()).build()?;
/// pstate.get("card:1").await?;
/// assert_eq!(slow.0.load(Ordering::Relaxed), 0);
/// # Ok::<(), pstate_core::Error>(()) }).unwrap();
/// ```
pub trait Observer: Send + Sync {
    /// Something has happened.
    fn on_event(&self, event: &Event<'_>);

    /// Which reads of the cache it is told; asked once, when the handle is built. By default each.
    fn cache_reads(&self) -> CacheReads {
        CacheReads::Each
    }
}

/// Which reads of the cache an observer is told: what was found there takes a few dozen nanoseconds, so
/// that telling it costs as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheReads {
    /// Each: an [`Event::Cache`] and an [`Event::Fetch`].
    Each,
    /// Only those that were [timed](crate::Builder::time_cache_reads). How many there were altogether is
    /// in [`Stats`](crate::Stats), exactly.
    Timed,
}
