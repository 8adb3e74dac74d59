//! The engine: one for all handles on a store.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use super::batcher::ReadBatcher;
use super::counters::Counters;
use super::events;
use super::loader::{LoadedPage, Loader};
use super::loads::{Loads, Source};
use super::observed_adapter::ObservedAdapter;
use super::publishing::Publish;
use super::undeclared::UndeclaredWrites;
use super::write_back_queue::WriteBackQueue;
use super::writer::{StoreItem, Writer};
use crate::cache::{Cache, CachePolicy, Freshness, IndeterminateWrites, Miss, Staleness};
use crate::document::{Document, Members};
use crate::model::{
    BatchMode, Change, Error, ErrorKind, Key, KeyRef, Outcome, Result, Space, VersionCounts,
};
use crate::preload::{Detector, SingleReads};
use crate::runtime::{Home, Instant, Mutex, TaskTracker, sleep};
use crate::schema::Schema;
use crate::storage::{Adapter, Scan};
use crate::telemetry::{Call, Event, Operation, OperationSpan, Stats, Telemetry};

/// How many documents are read at once to be counted, where the adapter cannot count.
const COUNTED_AT_ONCE: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

/// What an engine is made of.
pub(crate) struct EngineParts {
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) schema: Option<Schema>,
    pub(crate) cache_bytes: u64,
    pub(crate) staleness: Staleness,
    /// Whether single reads are batched; what the adapter says, if it is `None`.
    pub(crate) batch_reads: Option<bool>,
    pub(crate) detector: Option<Detector>,
    pub(crate) queue: WriteBackQueue,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) publisher: Option<Box<dyn Publish>>,
    pub(crate) home: Home,
}

/// What all handles on a store share.
///
/// Reads enter through the [`ReadBatcher`], which stands in front of the [`Loader`]; writes through
/// the [`Writer`]. The engine itself checks that the handle is open, and knows its tasks.
pub(crate) struct Engine {
    adapter: Arc<ObservedAdapter>,
    cache: Arc<Cache>,
    freshness: Arc<Freshness>,
    loader: Arc<Loader>,
    batcher: Arc<ReadBatcher>,
    writer: Arc<Writer>,
    queue: Arc<WriteBackQueue>,
    /// Finds loops of single reads, if the program wants that.
    detector: Option<Detector>,
    undeclared_writes: UndeclaredWrites,
    counters: Arc<Counters>,
    telemetry: Arc<Telemetry>,
    /// Publishes what is counted, if the program wants that.
    publisher: Option<Box<dyn Publish>>,
    home: Home,
    tasks: TaskTracker,
    closed: AtomicBool,
}

impl Engine {
    pub(crate) fn new(parts: EngineParts) -> Result<Arc<Self>> {
        let EngineParts { adapter, schema, staleness, detector, telemetry, home, .. } = parts;
        let cache = Cache::new(parts.cache_bytes, telemetry.clone())?;
        let freshness = Freshness::new(adapter.clone(), cache.clone(), staleness, home.clone());
        let adapter = Arc::new(ObservedAdapter::new(adapter, telemetry.clone()));
        let indeterminate = Arc::new(IndeterminateWrites::default());
        let (queue, counters) = (Arc::new(parts.queue), Arc::new(Counters::default()));
        let loader = Arc::new(Loader {
            adapter: adapter.clone(),
            schema,
            cache: cache.clone(),
            queue: queue.clone(),
            counters: counters.clone(),
            telemetry: telemetry.clone(),
        });
        let batcher = Arc::new(ReadBatcher {
            loader: loader.clone(),
            cache: cache.clone(),
            freshness: freshness.clone(),
            indeterminate: indeterminate.clone(),
            telemetry: telemetry.clone(),
            home: home.clone(),
            batches_reads: parts.batch_reads.unwrap_or(adapter.capabilities().batch_reads),
            state: Mutex::default(),
        });
        let writer = Arc::new(Writer {
            adapter: adapter.clone(),
            cache: cache.clone(),
            freshness: freshness.clone(),
            indeterminate,
            counters: counters.clone(),
            home: home.clone(),
        });
        Ok(Arc::new(Self {
            adapter,
            cache,
            freshness,
            loader,
            batcher,
            writer,
            queue,
            detector,
            undeclared_writes: UndeclaredWrites::default(),
            counters,
            telemetry,
            publisher: parts.publisher,
            home,
            tasks: TaskTracker::default(),
            closed: AtomicBool::new(false),
        }))
    }

    /// Starts the task that polls for the changes of others, if there has to be one. It ends when
    /// the returned value is dropped.
    pub(crate) fn start_polling(&self) -> Option<oneshot::Sender<()>> {
        self.freshness.needs_task().then(|| {
            let (ends, dropped) = oneshot::channel();
            self.home.spawn(self.freshness.clone().run(dropped));
            ends
        })
    }

    /// Starts the task that notices the end of the runtime: without tasks, nothing keeps the cache
    /// from serving what is too old. It ends when the returned value is dropped.
    pub(crate) fn watch_runtime(&self) -> oneshot::Sender<()> {
        let cache = self.cache.clone();
        self.home.watch(move || cache.epochs().close())
    }

    /// Starts the task that publishes what is counted, in intervals. It ends when the returned
    /// value is dropped.
    pub(crate) fn start_publishing(self: &Arc<Self>, interval: Duration) -> oneshot::Sender<()> {
        let (ends, dropped) = oneshot::channel();
        let engine = Arc::downgrade(self);
        let publishing = async move {
            loop {
                sleep(interval).await;
                let Some(engine) = engine.upgrade() else { return };
                engine.publish();
            }
        };
        self.home.spawn(async move {
            tokio::select! {
                biased;
                _ = dropped => {}
                () = publishing => {}
            }
        });
        ends
    }

    /// A method that the program has called, on the key that it names, if it names one.
    pub(crate) fn call<'a>(
        &'a self,
        name: &'static str,
        space: &'a Space,
        key: Option<KeyRef<'a>>,
    ) -> Call<'a> {
        Call::new(name, space, key, &self.home)
    }

    /// Starts an operation for a call, on so many keys.
    pub(crate) fn operation<'a>(
        &'a self,
        call: Call<'a>,
        operation: Operation,
        keys: usize,
    ) -> OperationSpan<'a> {
        OperationSpan::start(&self.telemetry, operation, call, keys)
    }

    /// Reads one document, after a look-up on the fast path that missed it, if there was one.
    pub(crate) async fn get(
        &self,
        operation: &OperationSpan<'_>,
        key: &Key,
        policy: CachePolicy,
        miss: Option<Miss>,
    ) -> Result<Option<Document>> {
        self.check_open()?;
        let space = operation.space();
        let min_epoch = self.batcher.wait_until_fresh(policy).await;
        let miss = match miss {
            Some(miss) => miss,
            None => match self.batcher.look_up(space, key, min_epoch) {
                Ok(hit) => {
                    self.telemetry.cache_hit(space, key.borrow());
                    self.track_reads(space, hit.document.as_ref());
                    let document = Ok(hit.document);
                    events::end_get(operation, key, &document, Source::Cache);
                    return document;
                }
                Err(miss) => miss,
            },
        };
        if let Some(detector) = &self.detector {
            detector.check(space, key)?;
        }
        let load = self.batcher.load_one(space, key, policy, (miss, min_epoch));
        let (document, source) = load.await;
        events::end_get(operation, key, &document, source);
        if source == Source::OwnCall
            && let Some(detector) = &self.detector
        {
            detector.read_alone(space, key);
        }
        if let Ok(document) = &document {
            self.track_reads(space, document.as_ref());
        }
        document
    }

    /// Reads documents through the cache; see [`ReadBatcher::load`].
    pub(crate) async fn load(
        &self,
        operation: &OperationSpan<'_>,
        keys: &[Key],
        policy: CachePolicy,
        members: Option<&Members>,
    ) -> Loads {
        if let Err(error) = self.check_open() {
            let documents = vec![Err(error); keys.len()];
            return Loads { documents, round_trips: 0, looked_up: None };
        }
        let started = operation.is_observed().then(Instant::now);
        let loads = self.batcher.load(operation.space(), keys, policy, members).await;
        self.track_reads(operation.space(), loads.documents.iter().flatten().flatten());
        if let (Some(started), Some(looked_up)) = (started, &loads.looked_up) {
            events::emit_load(operation, keys, &loads.documents, (started, looked_up));
        }
        loads
    }

    /// Reads one page from the store, past the cache, and ends the operation.
    pub(crate) async fn load_page(
        &self,
        operation: &OperationSpan<'_>,
        scan: &Scan,
    ) -> Result<LoadedPage> {
        self.check_open()?;
        let page = self.loader.load_page(operation.space(), scan).await?;
        let documents = page.documents.iter().filter_map(|(_, document)| document.as_ref().ok());
        self.track_reads(operation.space(), documents);
        events::end_scan(operation, &page.documents);
        Ok(page)
    }

    /// Shows documents that were read together to the detector of single reads.
    fn track_reads<'a>(&self, space: &Space, documents: impl IntoIterator<Item = &'a Document>) {
        if let Some(detector) = &self.detector {
            detector.loaded(space, documents);
        }
    }

    /// Waits until the changes of others are known, and returns the oldest epoch that a read that
    /// begins now accepts from the cache.
    pub(crate) async fn wait_until_fresh(&self, policy: CachePolicy) -> u64 {
        self.batcher.wait_until_fresh(policy).await
    }

    /// Writes items, ends the operation, and emits what became of each item. One outcome for each.
    ///
    /// # Errors
    /// Before anything is written: a closed handle, and those of [`Writer::write`].
    pub(crate) async fn write(
        &self,
        operation: &OperationSpan<'_>,
        mode: BatchMode,
        items: Vec<StoreItem>,
    ) -> Result<Vec<Outcome>> {
        let count = items.len();
        let first = items.first().map(|item| item.write.key.clone());
        let is_delete = |item: &StoreItem| matches!(item.write.change, Change::Delete);
        let observed = operation.is_observed();
        let written: Vec<(Key, bool)> = items
            .iter()
            .filter(|_| observed)
            .map(|item| (item.write.key.clone(), is_delete(item)))
            .collect();
        if let Some(schema) = self.schema() {
            self.undeclared_writes.warn(schema, &items);
        }
        let writing = async {
            self.check_open()?;
            self.writer.write(operation.space(), mode, items).await
        };
        let outcomes = operation.run(writing).await;
        let duration = operation.end(first.as_ref().map(Key::borrow), count);
        for (at, (key, deleted)) in written.iter().enumerate() {
            let refused;
            let outcome = match &outcomes {
                Ok(outcomes) => &outcomes[at],
                Err(error) => {
                    refused = Outcome::Failed(error.clone());
                    &refused
                }
            };
            operation.emit(&Event::Put {
                operation: operation.operation(),
                space: operation.space(),
                key: key.borrow(),
                deleted: *deleted,
                outcome,
                duration,
            });
        }
        outcomes
    }

    /// Writes migrated documents, each for itself, in one call; see [`Writer::write_together`].
    pub(crate) async fn write_back(
        &self,
        space: &Space,
        items: Vec<StoreItem>,
    ) -> Result<Vec<Outcome>> {
        self.check_open()?;
        self.writer.write_together(space, items).await
    }

    /// The spaces that hold documents, without PState's own.
    pub(crate) async fn spaces(&self) -> Result<Vec<Space>> {
        self.check_open()?;
        let spaces = self.adapter.spaces().await?;
        Ok(spaces.into_iter().filter(|space| !space.is_reserved()).collect())
    }

    /// Counts the documents of a space, where they are stored if the adapter can.
    pub(crate) async fn count_versions(&self, space: &Space) -> Result<VersionCounts> {
        if let Some(counter) = self.adapter.extensions().count_versions {
            return counter.count_versions(space).await;
        }
        let mut counts = VersionCounts::default();
        let mut scan = Scan { prefix: String::new(), after: None, limit: COUNTED_AT_ONCE };
        loop {
            let page = self.adapter.scan(space, &scan).await?;
            for (key, record) in &page.records {
                counts.add(key.as_str(), &record.bytes);
            }
            for error in &page.unreadable {
                counts.add_unreadable(error.message());
            }
            match page.next {
                Some(next) => scan.after = Some(next),
                None => return Ok(counts),
            }
        }
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(Error::new(ErrorKind::Unavailable, "this PState is closed"));
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the engine: every later call fails.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.cache.epochs().close();
        self.publish();
    }

    /// Closes the store of an engine that is closed, or only flushes it for other handles.
    pub(crate) async fn close_store(&self, is_last: bool) -> Result<()> {
        self.freshness.unsubscribe().await;
        if is_last { self.adapter.close().await } else { self.adapter.flush().await }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.counters.snapshot(&self.cache, &self.queue, &self.telemetry)
    }

    /// Publishes what was counted since the last time.
    pub(crate) fn publish(&self) {
        if let Some(publisher) = &self.publisher {
            publisher.publish(&|| self.stats());
        }
    }

    /// The loops of single reads that were found so far.
    pub(crate) fn single_reads(&self) -> Vec<SingleReads> {
        self.detector.as_ref().map(Detector::found).unwrap_or_default()
    }

    /// Whether reads have to pass the detector of single reads.
    pub(crate) fn detects_single_reads(&self) -> bool {
        self.detector.is_some()
    }

    pub(crate) fn adapter(&self) -> &ObservedAdapter {
        &self.adapter
    }

    pub(crate) fn schema(&self) -> Option<&Schema> {
        self.loader.schema.as_ref()
    }

    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    pub(crate) fn queue(&self) -> &WriteBackQueue {
        &self.queue
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(publisher) = &self.publisher {
            publisher.withdraw(self.stats());
        }
    }
}
