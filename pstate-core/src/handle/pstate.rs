//! The handle that programs use.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};

use crate::background::RunningWriter;
use crate::cache::{Cache, CachePolicy};
use crate::engine::Engine;
use crate::model::{KeyRef, Result, Space};
use crate::preload::SingleReads;
use crate::runtime::shield;
use crate::storage::AdapterUse;
use crate::telemetry::{Call, FlushReport, FlushTrigger, Stats};

/// A lazy-loading, persistent graph of JSON documents.
///
/// A handle on one store, with a cache in front and the schema of its documents. Clones, and the
/// siblings made by [`space`](PState::space), share the store, the cache and the writer.
///
/// # Consistency
///
/// Once a write has returned, no read through any clone or sibling returns an older value. What
/// *other* handles and processes write is seen within the time that the handle was
/// [built](crate::Builder::staleness) with, 100 ms if nothing was said; see
/// [`Staleness`](crate::Staleness). Compare-and-swap ([`update`](PState::update),
/// [`WriteBatch::put_expecting`](crate::WriteBatch::put_expecting)) is always decided by the store.
///
/// # Cancel safety
///
/// Every method may be dropped at any time. A write that has reached the storage is then either
/// wholly done or not at all, and the cache is right in both cases. Reads have no effect.
///
/// # Runtime
///
/// A handle belongs to the Tokio runtime that it was [built](crate::Builder::build) on, where its
/// background tasks run.
///
/// - Built on a multi-thread runtime, it works from everywhere: from tasks of any runtime, also one
///   without timers, and from threads outside of all of them (`futures::executor::block_on`,
///   a GUI).
/// - Built on a current-thread runtime, it works on that runtime. Elsewhere every call fails with
///   [`Config`](crate::ErrorKind::Config), because nothing might run its tasks.
/// - When the runtime has ended, every call but [`close`](PState::close) fails with
///   [`Config`](crate::ErrorKind::Config), before anything is read or stored. A handle in a
///   `static` therefore needs a runtime that lives as long; with `#[tokio::test]`, which starts
///   a runtime for each test, build a handle in each test.
///
/// # End
///
/// [`close`](PState::close) writes what is queued and closes the store. If instead the last clone
/// is dropped, the queue is written in the background as long as the runtime lives.
#[derive(Clone)]
pub struct PState {
    shared: Arc<Shared>,
    /// The engine's, at hand for reads of what is cached.
    pub(super) cache: Arc<Cache>,
    pub(super) space: Space,
    pub(super) policy: CachePolicy,
    pub(super) fast_path: FastPath,
}

/// Whether a read looks into the cache before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FastPath {
    /// It does, and does nothing else.
    Direct,
    /// It does, observers get events, and on a current-thread runtime the clock is read.
    Checked,
    /// It does not.
    Off,
}

/// What the clones and siblings of a handle share.
pub(super) struct Shared {
    pub(super) engine: Arc<Engine>,
    pub(super) writer: RunningWriter,
    pub(super) adapter_use: AdapterUse,
    /// How many bytes a resolved tree takes at most.
    pub(super) max_resolved_bytes: u64,
    /// How long closing may wait for jobs.
    pub(super) close_deadline: Duration,
    /// Held while the handle is closed, so that a second call waits for the first.
    pub(super) life: Mutex<Life>,
}

/// How far a handle has come on its way to its end.
pub(super) enum Life {
    /// The tasks of the handle run until their senders are dropped: the one that polls for the
    /// changes of others, the one that publishes what is counted, and the one that notices the end
    /// of the runtime.
    Open { _tasks: [Option<oneshot::Sender<()>>; 3] },
    /// No call but [`close`](PState::close) succeeds; the store may not have been closed.
    Draining,
    /// The store is closed.
    Closed,
}

impl Shared {
    fn fast_path(&self, policy: CachePolicy) -> FastPath {
        if policy != CachePolicy::Use || self.engine.detects_single_reads() {
            FastPath::Off
        } else if self.engine.telemetry().is_observed() || self.engine.home().is_current_thread() {
            FastPath::Checked
        } else {
            FastPath::Direct
        }
    }

    /// Writes what is queued, ends the tasks, and closes the store.
    async fn close(&self) -> Result<FlushReport> {
        let (mut life, engine) = (self.life.lock().await, &self.engine);
        let mut report = FlushReport::new(FlushTrigger::Close);
        if let Life::Open { .. } = *life {
            if !engine.home().has_ended() {
                engine.tasks().close(self.close_deadline).await;
            }
            // A writer that has ended already, by a panic or with its runtime, has left what is
            // still in the queue.
            report = self.writer.close().await.unwrap_or_else(|error| FlushReport {
                left: engine.queue().len(),
                unavailable: Some(error),
                ..report
            });
            engine.close();
            *life = Life::Draining;
        }
        if let Life::Draining = *life {
            engine.close_store(self.adapter_use.end()).await?;
            *life = Life::Closed;
        }
        Ok(report)
    }
}

impl PState {
    pub(super) fn new(shared: Shared, space: Space) -> Self {
        let policy = CachePolicy::default();
        let fast_path = shared.fast_path(policy);
        let cache = shared.engine.cache().clone();
        Self { shared: Arc::new(shared), cache, space, policy, fast_path }
    }

    #[inline]
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    pub(super) fn max_resolved_bytes(&self) -> u64 {
        self.shared.max_resolved_bytes
    }

    /// A method of this handle that the program has called, on the key that it names, if it names
    /// one.
    pub(super) fn call<'a>(&'a self, name: &'static str, key: Option<KeyRef<'a>>) -> Call<'a> {
        self.engine().call(name, &self.space, key)
    }

    /// A handle on another space of the same store, sharing cache and writer.
    ///
    /// Spaces are not created: one exists while it holds documents. So a misspelled name is an
    /// empty space and no error: nothing is found in it, and sweeps, dry runs, counts, warm-ups and
    /// [`clear_space`](Self::clear_space) report 0 documents. [`spaces`](Self::spaces) lists those
    /// that hold documents. Only [copies](crate::Copy::space) refuse a space without documents.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed or
    /// [reserved](Space::RESERVED) name.
    pub fn space(&self, name: &str) -> Result<Self> {
        let space: Space = name.parse()?;
        space.check_usable()?;
        Ok(Self { space, ..self.clone() })
    }

    /// A handle whose reads do something else with the cache; everything else is shared.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use pstate_core::CachePolicy;
    ///
    /// let card = pstate.cache_policy(CachePolicy::Refresh).get("card:1").await?;
    /// # assert!(card.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cache_policy(&self, policy: CachePolicy) -> Self {
        Self { policy, fast_path: self.shared.fast_path(policy), ..self.clone() }
    }

    /// The space that this handle works on.
    pub fn current_space(&self) -> &Space {
        &self.space
    }

    /// The spaces of the store that hold documents.
    pub async fn spaces(&self) -> Result<Vec<Space>> {
        self.call("spaces", None).of_store().run(self.engine().spaces()).await
    }

    /// Loops of single reads that were found, each with the most reads that it had; none unless
    /// they are [looked for](crate::Builder::n_plus_one).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
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
    /// # Ok(())
    /// # }
    /// ```
    pub fn single_reads(&self) -> Vec<SingleReads> {
        self.engine().single_reads()
    }

    /// What was done since the handle was built, by all its clones and siblings.
    pub fn stats(&self) -> Stats {
        self.engine().stats()
    }

    /// Publishes through the crate `metrics` what was counted since it was last published, which
    /// otherwise happens in [intervals](crate::MetricsBridge::publish_every); does nothing if the
    /// handle was built without [`metrics`](crate::Builder::metrics).
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
        let flush = async {
            self.engine().check_open()?;
            let report = self.shared.writer.flush().await?;
            self.engine().adapter().flush().await?;
            Ok(report)
        };
        self.call("flush", None).of_store().run(flush).await
    }

    /// Stops sweeps, writes what is queued, both within the
    /// [deadline](crate::MigrationWriter::close_deadline), then closes the store. Every later call
    /// on any clone fails with [`Unavailable`](crate::ErrorKind::Unavailable); closing again
    /// succeeds.
    ///
    /// Several handles may be built on one adapter, on clones of one `Arc`: then the store is only
    /// flushed, and the last of them that is closed closes it. Handles that were dropped do not
    /// count, builders do.
    ///
    /// # Errors
    /// Those of closing the store; the handle is closed all the same, and to close it again tries
    /// that again. Documents that could not be written back are reported, not an error: they are
    /// migrated again when they are read.
    ///
    /// # Cancel safety
    /// A future that was polled may be dropped: the handle closes in the background. To close it
    /// again waits for that.
    pub async fn close(&self) -> Result<FlushReport> {
        let (call, shared) = (self.call("close", None).of_store(), self.shared.clone());
        let home = self.engine().home();
        if home.has_ended() {
            // What can still be done needs no task and no timer.
            return shared.close().await.map_err(|error| call.locate(error));
        }
        call.run(shield(home, Box::pin(async move { shared.close().await }))).await
    }
}

impl fmt::Debug for PState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PState")
            .field("adapter", &self.engine().adapter().name())
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}
