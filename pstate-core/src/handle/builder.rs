//! Setting up a handle.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::pstate::{Life, PState, Shared};
use crate::background::{MigrationWriter, RunningWriter};
use crate::cache::Staleness;
use crate::engine::{Engine, EngineParts, Publishing, check_readable};
#[cfg(feature = "metrics")]
use crate::metrics::MetricsBridge;
use crate::model::{Result, Space};
use crate::preload::{Detector, NPlusOne};
use crate::runtime::Home;
use crate::schema::Schema;
use crate::storage::{Adapter, AdapterUse};
use crate::telemetry::{CACHE_READS_FOR_ONE_TIMED, Observer, Telemetry, Thresholds};

/// Sets up a [`PState`]; made by [`PState::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    adapter: AdapterUse,
    schema: Option<Schema>,
    space: Space,
    cache_bytes: u64,
    resolved_bytes: u64,
    staleness: Staleness,
    batch_reads: Option<bool>,
    n_plus_one: Option<NPlusOne>,
    migration_writer: MigrationWriter,
    observers: Vec<Arc<dyn Observer>>,
    time_cache_reads: u32,
    thresholds: Thresholds,
    publishing: Option<Publishing>,
}

impl PState {
    /// A handle on what this adapter stores.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// use std::sync::Arc;
    /// use pstate_core::{MemoryAdapter, PState};
    ///
    /// let pstate = PState::builder(Arc::new(MemoryAdapter::new())).cache_bytes(1 << 20).build()?;
    /// assert!(pstate.get("card:1").await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(adapter: Arc<dyn Adapter>) -> Builder {
        Builder {
            adapter: AdapterUse::begin(adapter),
            schema: None,
            space: Space::default(),
            cache_bytes: 64 << 20,
            resolved_bytes: 64 << 20,
            staleness: Staleness::default(),
            batch_reads: None,
            n_plus_one: None,
            migration_writer: MigrationWriter::default(),
            observers: Vec::new(),
            time_cache_reads: CACHE_READS_FOR_ONE_TIMED,
            thresholds: Thresholds::default(),
            publishing: None,
        }
    }
}

impl Builder {
    /// The entity types, their versions and migrations. Without, documents are stored as they are.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// The space to begin with. Default: `default`. One with a [reserved](Space::RESERVED) name is
    /// refused by [`build`](Self::build).
    pub fn space(mut self, space: Space) -> Self {
        self.space = space;
        self
    }

    /// How many bytes the cached documents take at most; 0 turns the cache off. Default: 64 MiB.
    ///
    /// An eighth is for the links between documents that preloads have found; see
    /// [`PState::preload`](super::PState::preload).
    ///
    /// What counts is what a document takes in memory: its bytes, the cache's own tables, and the
    /// tree and the typed value once they are built. A tree of a document of 200 bytes takes 4 KB.
    /// That is estimated: for 380,000 flashcards the process grew by 0.92 to 1.06 of it (`cargo
    /// xtask bench cache`, x86-64 Linux, glibc); typed values that hold far more than their JSON
    /// says are the exception. A document that takes more than a nineteenth need not find room.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// How many bytes a tree of [`get_resolved`](PState::get_resolved) takes at most. Default:
    /// 64 MiB.
    ///
    /// The bytes are those that [`cache_bytes`](Self::cache_bytes) counts for a tree. While a tree
    /// is built, the documents in it take up to as much again.
    pub fn resolved_bytes(mut self, bytes: u64) -> Self {
        self.resolved_bytes = bytes;
        self
    }

    /// How long a read may return a value that another process, or another handle on the same
    /// store, has overwritten. Default: 100 ms.
    pub fn staleness(mut self, staleness: Staleness) -> Self {
        self.staleness = staleness;
        self
    }

    /// Whether single reads that come together are made by one call. Default: what the adapter
    /// [says](crate::Capabilities::batch_reads).
    pub fn batch_reads(mut self, batch_reads: bool) -> Self {
        self.batch_reads = Some(batch_reads);
        self
    }

    /// Looks for loops that read one by one what a document refers to, where a preload would do:
    /// for development. Off by default, which costs nothing.
    ///
    /// Ten documents that a field of one document, or of documents that were read together, refers
    /// to are a loop, if one task reads them, none is cached, and each takes a call of its own.
    /// Reading one document ten times is none.
    /// The warning names the document and the field:
    /// `base_deck:spanish .cards: 10 single reads; preload 'cards'`. All that were found are listed
    /// by [`PState::single_reads`].
    ///
    /// # Cost
    /// Each document that is read is parsed, and reads of the cache take a lock. At most 100,000
    /// references are remembered, in about 10 MB, and 1,000 loops.
    pub fn n_plus_one(mut self, mode: NPlusOne) -> Self {
        self.n_plus_one = Some(mode);
        self
    }

    /// How migrated documents are written back.
    pub fn migration_writer(mut self, writer: MigrationWriter) -> Self {
        self.migration_writer = writer;
        self
    }

    /// Adds an observer, which gets an event for everything that the handle does, its clones and
    /// siblings included.
    ///
    /// # Cost
    /// Without an observer, reads of the cache cost nothing more. With one they take a branch and a
    /// random number more, and what [it wants](Observer::cache_reads) of them.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// How many reads of the cache there are for one that is timed, if there is an
    /// [observer](Self::observer): 64 by default; 1 for each. Reading the clock takes as long as
    /// such a read.
    pub fn time_cache_reads(mut self, one_in: u32) -> Self {
        self.time_cache_reads = one_in;
        self
    }

    /// From when on [`tracing`] warns of slow operations, a long queue and slow flushes.
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// Publishes counters, gauges and histograms through the crate `metrics`; an exporter of the
    /// program's choice takes them from there.
    ///
    /// # Cost
    /// Reads of the cache take a branch and a random number more, and one in 64 is
    /// [timed](Self::time_cache_reads).
    #[cfg(feature = "metrics")]
    pub fn metrics(mut self, bridge: MetricsBridge) -> Self {
        self.publishing = Some(bridge.publishing());
        self
    }

    /// The handle. Starts its background tasks on the current Tokio runtime, to which it belongs
    /// from then on: see [`PState`, Runtime](PState#runtime).
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) outside of a Tokio runtime, and on one without timers,
    /// which `#[tokio::main]` and `#[tokio::test]` have;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a space with a reserved name;
    /// [`Schema`](crate::ErrorKind::Schema) for a schema that refuses undeclared types and has
    /// a reference to one.
    pub fn build(mut self) -> Result<PState> {
        self.space.check_usable()?;
        self.schema.as_ref().map_or(Ok(()), Schema::check_targets)?;
        let home = Home::current("building a PState")?;
        let publisher = self.publishing.map(|publishing| {
            let (publisher, observer) =
                (publishing.register)(self.schema.as_ref(), self.adapter.adapter().name());
            self.observers.push(observer);
            publisher
        });
        let engine = Engine::new(EngineParts {
            adapter: self.adapter.adapter().clone(),
            schema: self.schema,
            cache_bytes: self.cache_bytes,
            staleness: self.staleness,
            batch_reads: self.batch_reads,
            detector: self.n_plus_one.map(Detector::new),
            queue: self.migration_writer.queue(),
            telemetry: Telemetry::new(
                self.observers,
                self.time_cache_reads,
                self.thresholds,
                self.migration_writer.longest_wait(),
            ),
            publisher,
            home,
        })?;
        let close_deadline = self.migration_writer.deadline();
        let publishing = self.publishing.map(|it| engine.start_publishing(it.interval));
        let tasks = [engine.start_polling(), publishing, Some(engine.watch_runtime())];
        let shared = Shared {
            writer: RunningWriter::start(self.migration_writer, &engine),
            adapter_use: self.adapter,
            max_resolved_bytes: self.resolved_bytes,
            close_deadline,
            life: Mutex::new(Life::Open { _tasks: tasks }),
            engine,
        };
        Ok(PState::new(shared, self.space))
    }

    /// The handle, if this schema can read everything that is stored: a gate for the start of
    /// a program.
    ///
    /// A program that has dropped its oldest migration steps refuses the documents that would need
    /// them, one by one, when they are read. This refuses to begin instead, while there are any.
    ///
    /// # Errors
    /// [`Schema`](crate::ErrorKind::Schema) if there are documents older than the oldest kept step,
    /// with how many of which type and version in which space, and what to do; those of
    /// [`build`](Self::build) and of the store. The store is not closed.
    ///
    /// # Cost
    /// That of [`PState::migration_status`] for each space.
    pub async fn build_if_readable(self) -> Result<PState> {
        let pstate = self.build()?;
        let engine = pstate.engine();
        pstate.call("build_if_readable", None).of_store().run(check_readable(engine)).await?;
        Ok(pstate)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("adapter", self.adapter.adapter())
            .field("space", &self.space)
            .field("cache_bytes", &self.cache_bytes)
            .field("resolved_bytes", &self.resolved_bytes)
            .field("staleness", &self.staleness)
            .field("migration_writer", &self.migration_writer)
            .field("observers", &self.observers.len())
            .field("thresholds", &self.thresholds)
            .finish_non_exhaustive()
    }
}
