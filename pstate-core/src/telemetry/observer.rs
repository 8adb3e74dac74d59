//! Observers of events.

use super::event::Event;

/// Gets an event for everything that a handle does; see
/// [`Builder::observer`](crate::Builder::observer).
///
/// # Contract
/// Every observer gets each event once, after what it reports has happened. Events of different
/// tasks come in any order, and at the same time.
///
/// # Cost
/// The task that did it calls the observer and waits for it, on a thread of the runtime: an
/// observer does not block. It is called outside of the cache's locks, so it may use the handle. A
/// panic is caught, logged, and counted in
/// [`Stats::observer_panics`](crate::Stats::observer_panics); what was being done continues.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> pstate_core::Result<()> {
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
/// # Ok(())
/// # }
/// ```
pub trait Observer: Send + Sync {
    /// Takes an event.
    fn on_event(&self, event: &Event<'_>);

    /// Which reads of the cache it gets; asked once, when the handle is built. By default each.
    fn cache_reads(&self) -> CacheReads {
        CacheReads::Each
    }
}

/// Which reads of the cache an observer gets: such a read takes a few dozen nanoseconds, and an
/// event costs as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheReads {
    /// Each: an [`Event::Cache`] and an [`Event::Fetch`].
    Each,
    /// Only those that were [timed](crate::Builder::time_cache_reads). How many there were
    /// altogether is in [`Stats`](crate::Stats), exactly.
    Timed,
}
