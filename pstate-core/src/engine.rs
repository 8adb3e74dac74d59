//! What all handles on one store share: loading through the cache, storing around it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::adapter::{Atomicity, Capabilities, Scan};
use crate::background::Background;
use crate::cache::{
    BeginLoad, Cache, CacheKey, Flight, FlightResults, LoadGuard, NEVER, UncertainWrites,
};
use crate::cache_policy::CachePolicy;
use crate::detached::detached;
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::freshness::Freshness;
use crate::gather::Gathering;
use crate::key::Key;
use crate::migrate::{self, Reading};
use crate::n_plus_one::Detector;
use crate::record::{Batch, BatchMode, Change, Outcome, Record, Write, check_distinct};
use crate::runtime::{Handle, Instant};
use crate::schema::{Entity, Schema};
use crate::space::Space;
use crate::stats::Counters;
use crate::telemetry::{
    Event, ObservedAdapter, Operation, Publish, Telemetry, operation_span, within,
};
use crate::versions::VersionCounts;
use crate::write_back::WriteBackQueue;

mod tell;

use tell::LookedUp;

/// How many documents are validated and migrated before other tasks have their turn: about 0.1 ms,
/// a few times that if all are migrated.
const PORTION: usize = 256;

/// How many documents are read at once to be counted, where the adapter does not count by itself.
const COUNTED_AT_ONCE: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

pub(crate) struct Engine {
    pub(crate) adapter: ObservedAdapter,
    pub(crate) capabilities: Capabilities,
    pub(crate) schema: Option<Schema>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) gathering: Gathering,
    /// Finds loops of single reads, if that is wanted.
    pub(crate) detector: Option<Detector>,
    pub(crate) uncertain: UncertainWrites,
    pub(crate) queue: WriteBackQueue,
    pub(crate) counters: Counters,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Publishes what is counted, if that is wanted.
    pub(crate) publisher: Option<Box<dyn Publish>>,
    pub(crate) runtime: Handle,
    pub(crate) background: Background,
    pub(crate) closed: AtomicBool,
}

/// The documents of a load, in the order of its keys, and what they cost.
pub(crate) struct LoadedDocuments {
    pub(crate) documents: Vec<Result<Option<Document>>>,
    /// Calls of the adapter that were made for it.
    pub(crate) round_trips: usize,
    /// For observers, if there are any.
    looked_up: Option<LookedUp>,
}

/// Who has read a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadBy {
    /// Nobody: it was in the cache.
    Cache,
    /// A call for others as well.
    Shared,
    /// A call of its own.
    Alone,
}

/// One write, and what is known of the document that it stores.
#[derive(Debug)]
pub(crate) struct StoreItem {
    pub(crate) write: Write,
    /// The `$v` in what is put.
    pub(crate) version: Option<u32>,
    /// Whether what is put is what a read returns, so that it may be cached.
    pub(crate) keep: bool,
}

/// Where a loaded document comes from.
enum Source {
    Cache(Option<Document>),
    OwnRead(usize),
    OtherRead(Arc<Flight>, usize),
}

impl Engine {
    /// The spaces that hold documents, without PState's own.
    pub(crate) async fn spaces(&self) -> Result<Vec<Space>> {
        self.check_open()?;
        let spaces = self.adapter.spaces().await.map_err(|error| error.in_operation("spaces"))?;
        Ok(spaces.into_iter().filter(|space| !space.is_reserved()).collect())
    }

    /// Counts the documents of a space, in the cheapest way there is.
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
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Unavailable, "this PState is closed"));
        }
        Ok(())
    }

    /// Since when entries of the cache are valid for a read that begins now.
    pub(crate) async fn valid_since(&self, policy: CachePolicy) -> u64 {
        match policy {
            CachePolicy::Use => self.freshness.verify().await,
            CachePolicy::Refresh | CachePolicy::Bypass => NEVER,
        }
    }

    /// Loads one document through the cache; what it lacks is read together with what others ask
    /// for, where that pays.
    pub(crate) async fn load_one(
        self: &Arc<Self>,
        space: &Space,
        key: Key,
        policy: CachePolicy,
    ) -> Result<Option<Document>> {
        self.check_open()?;
        let started = self.telemetry.begin();
        let valid_since = self.valid_since(policy).await;
        if let Some(hit) = self.cache.get(space, key.borrow(), valid_since) {
            self.telemetry.cache_hit(space, key.borrow());
            self.notice(space, hit.document.as_ref());
            let document = Ok(hit.document);
            self.fetched_one(space, &key, &document, ReadBy::Cache, started);
            return document;
        }
        if let Some(detector) = &self.detector {
            detector.check(space, &key)?;
        }
        let (document, by) = self.read_one(space, &key, policy, valid_since).await;
        self.fetched_one(space, &key, &document, by, started);
        if by == ReadBy::Alone
            && let Some(detector) = &self.detector
        {
            detector.read_alone(space, &key);
        }
        if let Ok(document) = &document {
            self.notice(space, document.as_ref());
        }
        document
    }

    /// Reads what was not in the cache; also says by which call.
    async fn read_one(
        self: &Arc<Self>,
        space: &Space,
        key: &Key,
        policy: CachePolicy,
        valid_since: u64,
    ) -> (Result<Option<Document>>, ReadBy) {
        if self.capabilities.batch_reads && policy != CachePolicy::Bypass {
            self.uncertain.settle_old_ones();
            let cache_key = CacheKey { space: space.clone(), key: key.clone() };
            if let Some(loaded) = self.load_gathered(&cache_key, valid_since).await {
                return loaded;
            }
        }
        let keys = std::slice::from_ref(key);
        let mut loaded = self.load_valid(space, keys, policy, valid_since).await;
        let by = match loaded.round_trips {
            0 if loaded.looked_up.is_some_and(|it| it.from_cache == [true]) => ReadBy::Cache,
            0 => ReadBy::Shared,
            _ => ReadBy::Alone,
        };
        (loaded.documents.pop().unwrap_or(Ok(None)), by)
    }

    /// Tells whoever looks for loops of single reads what was read.
    pub(crate) fn notice<'a>(
        &self,
        space: &Space,
        documents: impl IntoIterator<Item = &'a Document>,
    ) {
        if let Some(detector) = &self.detector {
            detector.loaded(space, documents);
        }
    }

    /// Loads documents through the cache: what it lacks is read in one call for each `max_batch`
    /// keys, keys that somebody else is loading are waited for, and a key that is there twice is
    /// read once.
    pub(crate) async fn load(
        self: &Arc<Self>,
        operation: Operation,
        space: &Space,
        keys: &[Key],
        policy: CachePolicy,
    ) -> LoadedDocuments {
        if let Err(error) = self.check_open() {
            let documents = vec![Err(error); keys.len()];
            return LoadedDocuments { documents, round_trips: 0, looked_up: None };
        }
        let started = self.telemetry.is_observed().then(Instant::now);
        let valid_since = self.valid_since(policy).await;
        let loaded = self.load_valid(space, keys, policy, valid_since).await;
        self.notice(space, loaded.documents.iter().flatten().flatten());
        if let (Some(started), Some(looked_up)) = (started, &loaded.looked_up) {
            self.fetched(operation, space, keys, &loaded.documents, (started, looked_up));
        }
        loaded
    }

    /// The same, with what is valid since then.
    async fn load_valid(
        self: &Arc<Self>,
        space: &Space,
        keys: &[Key],
        policy: CachePolicy,
        valid_since: u64,
    ) -> LoadedDocuments {
        let mut own: Option<(Arc<Flight>, LoadGuard)> = None;
        let sources: Vec<Source> = keys
            .iter()
            .map(|key| {
                if let Some(hit) = self.cache.get(space, key.borrow(), valid_since) {
                    self.telemetry.cache_hit(space, key.borrow());
                    return Source::Cache(hit.document);
                }
                let (flight, guard) = own.get_or_insert_with(|| {
                    self.uncertain.settle_old_ones();
                    Flight::new(&self.cache)
                });
                let key = CacheKey { space: space.clone(), key: key.clone() };
                let at = guard.keys().len();
                if policy == CachePolicy::Bypass {
                    // Not announced, so it is neither shared nor kept.
                    guard.push(key, None);
                    return Source::OwnRead(at);
                }
                let begun = self.cache.begin_load(&key, flight, at, valid_since);
                self.looked_up(&key, matches!(begun, BeginLoad::Hit(_)));
                match begun {
                    BeginLoad::Hit(document) => Source::Cache(document),
                    BeginLoad::Lead(known) => {
                        guard.push(key, known);
                        Source::OwnRead(at)
                    }
                    BeginLoad::Alone => {
                        guard.push(key, None);
                        Source::OwnRead(at)
                    }
                    BeginLoad::Join(other, at) if Arc::ptr_eq(&other, flight) => {
                        Source::OwnRead(at)
                    }
                    BeginLoad::Join(other, at) => Source::OtherRead(other, at),
                }
            })
            .collect();
        let looked_up = self.telemetry.is_observed().then(|| LookedUp {
            from_cache: sources.iter().map(|it| matches!(it, Source::Cache(_))).collect(),
            at: Instant::now(),
        });

        let mut loaded: Result<FlightResults> = Ok(Arc::new([]));
        let mut round_trips = 0;
        if let Some((_, guard)) = own.filter(|(_, guard)| !guard.keys().is_empty()) {
            round_trips = guard.keys().len().div_ceil(self.capabilities.chunk_len());
            let engine = self.clone();
            let space = space.clone();
            let read = async move { Ok(engine.read(&space, guard).await) };
            loaded = detached(&self.runtime, read).await;
        }

        let mut documents = Vec::with_capacity(keys.len());
        for source in sources {
            documents.push(match source {
                Source::Cache(document) => Ok(document),
                Source::OwnRead(at) => match &loaded {
                    Ok(loaded) => loaded[at].clone(),
                    Err(error) => Err(error.clone()),
                },
                Source::OtherRead(flight, at) => self.join(&flight, at).await.0,
            });
        }
        LoadedDocuments { documents, round_trips, looked_up }
    }

    /// Reads the keys of a flight from the store, migrates what is old, and ends the flight.
    pub(crate) async fn read(&self, space: &Space, guard: LoadGuard) -> FlightResults {
        let keys: Vec<Key> = guard.keys().iter().map(|key| key.key.clone()).collect();
        let mut loaded = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(self.capabilities.chunk_len()) {
            self.counters.reads.add(1);
            self.counters.keys_read.add(chunk.len());
            let answer = self.adapter.multi_get(space, chunk).await;
            match answer.and_then(|records| self.expect_len(records, chunk.len())) {
                Ok(records) => {
                    for (key, record) in chunk.iter().zip(records) {
                        if loaded.len() % PORTION == PORTION - 1 {
                            tokio::task::yield_now().await;
                        }
                        let document =
                            record.map(|record| match guard.unchanged(loaded.len(), &record) {
                                Some(known) => Ok(known),
                                None => self.admit(space, key, record),
                            });
                        loaded.push(document.transpose());
                    }
                }
                Err(error) => {
                    let error = error.in_operation("multi_get").in_space(space);
                    loaded.extend(chunk.iter().map(|_| Err(error.clone())));
                }
            }
        }
        let loaded: FlightResults = loaded.into();
        guard.finish(&loaded);
        loaded
    }

    /// Refuses an answer that does not fit the question.
    fn expect_len<T>(&self, answer: Vec<T>, len: usize) -> Result<Vec<T>> {
        if answer.len() == len {
            return Ok(answer);
        }
        let (name, found) = (self.adapter.name(), answer.len());
        let why = format!("the {name} adapter answered {found} results for {len} keys");
        Err(Error::new(ErrorKind::Other, why))
    }

    /// What a read returns for a stored record: validated, up to date, and queued for write-back
    /// if it was not.
    pub(crate) fn admit(&self, space: &Space, key: &Key, record: Record) -> Result<Document> {
        let revision = record.revision;
        let document =
            Document::load(key.clone(), record).map_err(|error| error.in_space(space))?;
        let Some(schema) = &self.schema else { return Ok(document) };
        let current = schema.entity(key.entity_type()).map(Entity::version);
        let record = |text: Vec<u8>| Record { bytes: text.into(), revision };
        let (text, version) = (document.as_str(), document.version());
        let is_old = current.is_some_and(|current| version < current);
        let started = (is_old && self.telemetry.is_observed()).then(Instant::now);
        let reading = migrate::read(schema, key.entity_type(), text, version);
        if let Some(started) = started {
            self.tell_migration(space, &document, current, &reading, started);
        }
        match reading {
            Ok(Reading::AsStored) => Ok(document),
            Ok(Reading::Downgraded(text)) => {
                Ok(Document::downgraded(key.clone(), record(text), current))
            }
            Ok(Reading::Migrated(text)) => {
                let document = Document::migrated(key.clone(), record(text), current);
                self.cache.counters().of(key.entity_type()).migrated();
                self.telemetry.queued(self.queue.push(space.clone(), document.clone()));
                Ok(document)
            }
            Ok(Reading::Unmigrated(error)) => {
                self.cache.counters().of(key.entity_type()).migration_failed();
                tracing::warn!(%key, %space, %error, "served as it is stored, not migrated");
                Ok(document)
            }
            Err(error) => {
                self.cache.counters().of(key.entity_type()).migration_failed();
                Err(error.at_key(key).in_space(space))
            }
        }
    }

    /// Sends writes to the store and keeps the cache coherent with them.
    ///
    /// One outcome for each; an error of the whole call is [`Outcome::Failed`] for all that it
    /// concerns. Goes on to its end when the caller is dropped.
    pub(crate) async fn store(
        self: &Arc<Self>,
        operation: Operation,
        space: &Space,
        mode: BatchMode,
        items: Vec<StoreItem>,
    ) -> Vec<Outcome> {
        let started = self.telemetry.begin();
        let count = items.len();
        let first = items.first().map(|item| item.write.key.clone());
        let told = |item: &StoreItem| {
            let deleted = matches!(item.write.change, Change::Delete);
            (item.write.key.clone(), deleted)
        };
        let observed = self.telemetry.is_observed();
        let written: Vec<_> = items.iter().filter(|_| observed).map(told).collect();
        let span = operation_span(operation, space, count);
        let storing = async { Ok(self.store_items(space, mode, items).await) };
        let outcomes = within(span, storing).await.unwrap_or_default();
        let asked = (space, first.as_ref().map(Key::borrow), count);
        let duration = self.telemetry.end(operation, asked, started);
        for ((key, deleted), outcome) in written.iter().zip(&outcomes) {
            let (key, deleted) = (key.borrow(), *deleted);
            let put = Event::Put { operation, space, key, deleted, outcome, duration };
            self.telemetry.emit(&put);
        }
        outcomes
    }

    async fn store_items(
        self: &Arc<Self>,
        space: &Space,
        mode: BatchMode,
        items: Vec<StoreItem>,
    ) -> Vec<Outcome> {
        let count = items.len();
        let failed = |error: Error| vec![Outcome::Failed(error); count];
        if let Err(error) = self.check_batch(mode, &items) {
            return failed(error);
        }
        let too_long: Vec<Option<Error>> = items
            .iter()
            .map(|StoreItem { write, .. }| match &write.change {
                Change::Put(bytes) => self.check_len(&write.key, bytes.len()).err(),
                Change::Delete => None,
            })
            .collect();
        if let Some(error) = too_long.iter().flatten().next()
            && mode == BatchMode::Atomic
        {
            return failed(error.clone());
        }
        let sent = items
            .into_iter()
            .zip(&too_long)
            .filter(|(_, error)| error.is_none())
            .map(|(item, _)| item);
        let items: Vec<StoreItem> = sent.collect();
        let engine = self.clone();
        let space = space.clone();
        let work = async move { Ok(engine.store_in_chunks(&space, mode, items).await) };
        let mut outcomes = detached(&self.runtime, work).await.unwrap_or_else(failed).into_iter();
        too_long
            .into_iter()
            .map(|error| match error {
                Some(error) => Outcome::Failed(error),
                None => outcomes.next().unwrap_or(Outcome::Aborted),
            })
            .collect()
    }

    fn check_batch(&self, mode: BatchMode, items: &[StoreItem]) -> Result<()> {
        self.check_open()?;
        check_distinct(items.iter().map(|item| &item.write.key))?;
        if mode == BatchMode::Each || items.len() < 2 {
            return Ok(());
        }
        let Capabilities { atomicity, max_batch, .. } = self.capabilities;
        let name = self.adapter.name();
        let refuse = |why| Err(Error::new(ErrorKind::Unsupported, why).in_operation("batch"));
        if atomicity == Atomicity::Key {
            return refuse(format!("{name} writes single keys atomically, not batches"));
        }
        match max_batch.filter(|max| items.len() > max.get()) {
            None => Ok(()),
            Some(max) => {
                let count = items.len();
                refuse(format!("{count} writes, {name} takes {max} in an atomic batch"))
            }
        }
    }

    /// Refuses a document that is longer than the adapter takes.
    pub(crate) fn check_len(&self, key: &Key, len: usize) -> Result<()> {
        self.capabilities.check_len(self.adapter.name(), key, len)
    }

    /// Sends writes of which each stands for itself to the store in one call, at most as many as the
    /// adapter takes, and keeps the cache coherent with them.
    ///
    /// An error is that of the whole call. Goes on to its end when the caller is dropped.
    pub(crate) async fn store_together(
        self: &Arc<Self>,
        space: &Space,
        items: Vec<StoreItem>,
    ) -> Result<Vec<Outcome>> {
        self.check_open()?;
        let engine = self.clone();
        let space = space.clone();
        let work = async move { engine.store_chunk(&space, BatchMode::Each, items).await };
        detached(&self.runtime, work).await
    }

    async fn store_in_chunks(
        &self,
        space: &Space,
        mode: BatchMode,
        items: Vec<StoreItem>,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(items.len());
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let chunk: Vec<StoreItem> =
                items.by_ref().take(self.capabilities.chunk_len()).collect();
            let count = chunk.len();
            match self.store_chunk(space, mode, chunk).await {
                Ok(stored) => outcomes.extend(stored),
                Err(error) => outcomes.extend(vec![Outcome::Failed(error); count]),
            }
        }
        outcomes
    }

    async fn store_chunk(
        &self,
        space: &Space,
        mode: BatchMode,
        items: Vec<StoreItem>,
    ) -> Result<Vec<Outcome>> {
        let cache_key =
            |item: &StoreItem| CacheKey { space: space.clone(), key: item.write.key.clone() };
        self.freshness.subscribe().await;
        let guard = self.cache.begin_write(items.iter().map(cache_key).collect());
        let (writes, kept): (Vec<Write>, Vec<(Option<u32>, bool)>) =
            items.into_iter().map(|item| (item.write, (item.version, item.keep))).unzip();
        let batch = Batch { mode, writes };
        self.counters.writes.add(1);
        let answer = self.adapter.write(space, &batch).await;
        match answer.and_then(|outcomes| self.expect_len(outcomes, kept.len())) {
            Ok(outcomes) => {
                let writes = batch.writes.iter().zip(&outcomes).zip(kept);
                guard.settle(writes.map(|((write, outcome), kept)| stored(write, outcome, kept)));
                Ok(outcomes)
            }
            Err(error) => {
                if may_still_happen(&error) {
                    self.uncertain.add(guard);
                } else {
                    guard.settle([]);
                }
                Err(error.in_operation("write").in_space(space))
            }
        }
    }
}

/// What a read returns after a write with this outcome; `None` if that is not known.
fn stored(
    write: &Write,
    outcome: &Outcome,
    (version, keep): (Option<u32>, bool),
) -> Option<Option<Document>> {
    match (&write.change, outcome) {
        (Change::Put(bytes), Outcome::Stored(revision)) if keep => {
            let record = Record { bytes: bytes.clone(), revision: *revision };
            Some(Some(Document::from_valid(write.key.clone(), record, version)))
        }
        (Change::Delete, Outcome::Deleted) => Some(None),
        _ => None,
    }
}

/// Whether a failed write may take effect after its error was reported.
fn may_still_happen(error: &Error) -> bool {
    use ErrorKind::{Other, Timeout, Unavailable};
    !error.is_retryable() && matches!(error.kind(), Timeout | Unavailable | Other)
}
