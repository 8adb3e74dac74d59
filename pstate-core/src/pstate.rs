//! The handle that programs use.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};

use crate::cache::Cache;
use crate::cache_policy::CachePolicy;
use crate::engine::Engine;
use crate::error::Result;
use crate::flush::{FlushReport, FlushTrigger};
use crate::migration_writer::RunningWriter;
use crate::n_plus_one::{Detector, SingleReads};
use crate::space::Space;
use crate::stats::Stats;

mod batch;
mod builder;
mod link;
mod preload;
mod read;
mod resolve;
mod scan;
mod write;

pub use batch::WriteBatch;
pub use builder::Builder;
pub use scan::{DocumentPage, ScanQuery};

/// A lazy-loading, persistent graph of JSON documents.
///
/// A handle on one store, with a cache in front and the schema of its documents. Clones, and the
/// siblings made by [`space`](PState::space), share the store, the cache and the writer.
///
/// # Consistency
///
/// Once a write has returned, no read through any clone or sibling returns an older value. What
/// *other* handles and processes write is seen within the time that the handle was
/// [built](Builder::staleness) with, 100 ms if nothing was said; see [`Staleness`](crate::Staleness).
/// Compare-and-swap ([`update`](PState::update), [`WriteBatch::put_expecting`]) is always decided by
/// the store.
///
/// # Cancel safety
///
/// Every method may be dropped at any time. A write that has reached the storage is then either
/// wholly done or not at all, and the cache is right in both cases. Reads have no effect.
///
/// # End
///
/// [`close`](PState::close) writes what is queued and closes the store. If instead the last clone
/// is dropped, the queue is written in the background as long as the runtime lives.
#[derive(Clone)]
pub struct PState {
    shared: Arc<Shared>,
    /// The engine's, at hand for reads of what is cached.
    cache: Arc<Cache>,
    space: Space,
    policy: CachePolicy,
    first_look: FirstLook,
}

/// How a read looks into the cache before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstLook {
    /// And does nothing else.
    Quiet,
    /// And observers are told.
    Told,
    /// Not at all.
    None,
}

struct Shared {
    engine: Arc<Engine>,
    writer: RunningWriter,
    /// Dropped to end the task that follows what others change.
    _follows: oneshot::Sender<()>,
    /// Dropped to end the task that publishes what is counted.
    _publishes: Option<oneshot::Sender<()>>,
    /// How long closing may wait for sweeps.
    close_deadline: Duration,
    /// Held while the handle is closed, so that a second call waits for the first.
    closing: Mutex<()>,
}

impl Shared {
    fn first_look(&self, policy: CachePolicy) -> FirstLook {
        if policy != CachePolicy::Use || self.engine.detector.is_some() {
            FirstLook::None
        } else if self.engine.telemetry.is_observed() {
            FirstLook::Told
        } else {
            FirstLook::Quiet
        }
    }
}

impl PState {
    #[inline]
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// A handle on another space of the same store, sharing cache and writer.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed or [reserved](Space::RESERVED)
    /// name.
    pub fn space(&self, name: &str) -> Result<Self> {
        let space: Space = name.parse()?;
        space.check_usable()?;
        Ok(Self { space, ..self.clone() })
    }

    /// A handle whose reads do something else with the cache; everything else is shared.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # let pstate = pstate_core::PState::builder(Arc::new(pstate_core::MemoryAdapter::new())).build()?;
    /// use pstate_core::CachePolicy;
    ///
    /// let card = pstate.cache_policy(CachePolicy::Refresh).get("card:1").await?;
    /// # assert!(card.is_none());
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    pub fn cache_policy(&self, policy: CachePolicy) -> Self {
        Self { policy, first_look: self.shared.first_look(policy), ..self.clone() }
    }

    /// The space that this handle works on.
    pub fn current_space(&self) -> &Space {
        &self.space
    }

    /// The spaces of the store that hold documents.
    pub async fn spaces(&self) -> Result<Vec<Space>> {
        self.engine().spaces().await
    }

    /// Loops of single reads that were found, each with the most reads that it had; none unless they are
    /// [looked for](Builder::n_plus_one).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # use pstate_core::{CachePolicy, MemoryAdapter, NPlusOne, PState};
    /// # use serde_json::json;
    /// # let adapter = Arc::new(MemoryAdapter::new());
    /// # let cards: Vec<_> = (0..12).map(|card| json!({"$ref": format!("card:{card}")})).collect();
    /// # PState::builder(adapter.clone()).build()?.put("deck:es", &json!({"cards": cards})).await?;
    /// let pstate = PState::builder(adapter).n_plus_one(NPlusOne::Warn).build()?;
    /// let deck = pstate.get("deck:es").await?.unwrap();
    /// for card in deck.references("cards")? {
    ///     pstate.get(card.key()).await?;
    /// }
    /// let found = pstate.single_reads();
    /// assert_eq!(found[0].to_string(), "deck:es .cards: 12 single reads; preload 'cards'");
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    pub fn single_reads(&self) -> Vec<SingleReads> {
        self.engine().detector.as_ref().map(Detector::found).unwrap_or_default()
    }

    /// What was done since the handle was built, by all its clones and siblings.
    pub fn stats(&self) -> Stats {
        self.engine().stats()
    }

    /// Publishes through the crate `metrics` what was counted since it was last published, which otherwise
    /// happens in [intervals](crate::MetricsBridge::publish_every); does nothing if the handle was built without
    /// [`metrics`](Builder::metrics).
    #[cfg(feature = "metrics")]
    pub fn publish_metrics(&self) {
        self.engine().publish();
    }

    /// Returns when every migrated document that was queued before is stored or reported, and
    /// everything acknowledged before has reached the store's medium.
    ///
    /// # Errors
    /// Those of the store's own flush. A store that cannot take the documents now is no error: they
    /// stay queued, and [`FlushReport::left`] and [`FlushReport::unavailable`] say so.
    pub async fn flush(&self) -> Result<FlushReport> {
        self.engine().check_open()?;
        let report = self.shared.writer.flush().await?;
        self.engine().adapter.flush().await.map_err(|error| error.in_operation("flush"))?;
        Ok(report)
    }

    /// Stops sweeps, writes what is queued, both within the
    /// [deadline](crate::MigrationWriter::close_deadline), then closes the store. Every later call on
    /// any clone fails with
    /// [`Unavailable`](crate::ErrorKind::Unavailable); closing again succeeds.
    ///
    /// # Errors
    /// Those of closing the store. Documents that could not be written back are reported, not an
    /// error: they are migrated again when they are read.
    pub async fn close(&self) -> Result<FlushReport> {
        let _closing = self.shared.closing.lock().await;
        let engine = self.engine();
        if engine.closed.load(Ordering::Acquire) {
            return Ok(FlushReport::new(FlushTrigger::Close));
        }
        engine.background.close(self.shared.close_deadline).await;
        // A writer that has ended already, by a panic or an earlier call that was dropped, has left
        // what is still in the queue.
        let report = self.shared.writer.close().await.unwrap_or_else(|error| FlushReport {
            left: engine.queue.len(),
            unavailable: Some(error),
            ..FlushReport::new(FlushTrigger::Close)
        });
        engine.adapter.close().await.map_err(|error| error.in_operation("close"))?;
        engine.closed.store(true, Ordering::Release);
        engine.cache.validity().close();
        engine.publish();
        Ok(report)
    }
}

impl fmt::Debug for PState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PState")
            .field("adapter", &self.engine().adapter.name())
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}
