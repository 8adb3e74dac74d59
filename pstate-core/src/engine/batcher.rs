//! Which call of the adapter reads a key: a call that is under way, one for several readers, or
//! one of its own.
//!
//! All loads pass through here, on their way from the cache to the [`Loader`]. A key that another
//! load reads is waited for. The keys of a larger load go to the store in one call.
//!
//! Single reads are batched. The first that misses the cache opens a batch and yields once, so that
//! the other tasks that are ready get a turn; what they miss joins the batch. Then the batch is
//! read in one call. While a call is under way that waits for its answer, the next batch stays open
//! until that call ends. When no reader has joined for a while, batches are opened only now and
//! then. So a lone reader pays nothing, and many concurrent single reads pay for a few calls.
//!
//! A batch never waits for long: if its first reader is dropped, a task reads it; and if that
//! reader is not polled any more, or the call before is slow, a timer starts it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::loader::Loader;
use super::loads::{Documents, Loads, LookedUp, Source};
use crate::cache::{
    ALL_STALE, Announced, Cache, CachePolicy, Flight, FlightResults, Freshness, Hit,
    IndeterminateWrites, LoadGuard, Miss,
};
use crate::document::{Document, Members};
use crate::model::{Key, KeyRef, Result, Space};
use crate::runtime::{Home, Instant, Mutex, shield, sleep};
use crate::telemetry::{CacheChange, Telemetry};

/// How many keys a batch has at most.
const MAX_BATCH_KEYS: usize = 1_000;

/// After this many batches with a single key, only one read in as many opens a batch.
const LONE_READS: u64 = 16;

/// How long a batch waits at most.
const MAX_WAIT: Duration = Duration::from_millis(1);

/// Decides which call reads a key, and waits for it.
pub(crate) struct ReadBatcher {
    pub(super) loader: Arc<Loader>,
    pub(super) cache: Arc<Cache>,
    pub(super) freshness: Arc<Freshness>,
    pub(super) indeterminate: Arc<IndeterminateWrites>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) home: Home,
    /// Whether single reads are batched.
    pub(super) batches_reads: bool,
    pub(super) state: Mutex<State>,
}

/// The batch that is open, and what it waits for.
#[derive(Default)]
pub(super) struct State {
    open: Option<OpenBatch>,
    /// How many batches there were.
    batches: u64,
    /// How many of the last ones had a single key.
    lone: u64,
    /// How many calls for batches are under way and wait for their answers.
    waiting: usize,
}

/// Keys of one space that are going to be read together.
struct OpenBatch {
    number: u64,
    guard: LoadGuard,
    /// Whether a timer will start it.
    timed: bool,
}

/// How a single read continues.
enum Admission {
    /// The key was loaded in the meantime.
    Hit(Option<Document>),
    /// It waits for this flight, at this place: one that loads the key already, or the open batch.
    Joined(Arc<Flight>, usize),
    /// It opened the batch of this number, and yields first.
    Leader(Arc<Flight>, u64),
    /// It reads a batch of its own, at once.
    Immediate(OpenBatch),
    /// It does not fit into the batch that is open.
    Full,
}

/// The reading of a batch, by whichever task.
type Reading = Pin<Box<dyn Future<Output = Result<FlightResults>> + Send>>;

impl State {
    fn take(&mut self, number: u64) -> Option<OpenBatch> {
        let taken = self.open.take_if(|open| open.number == number)?;
        self.lone = if taken.guard.keys().len() == 1 { self.lone + 1 } else { 0 };
        Some(taken)
    }

    /// Whether other readers are likely to join a batch.
    fn expects_company(&self) -> bool {
        self.waiting > 0 || self.lone < LONE_READS || self.batches.is_multiple_of(LONE_READS)
    }
}

impl ReadBatcher {
    /// Waits until the changes of others are known, and returns the oldest epoch that a read that
    /// begins now accepts from the cache.
    pub(crate) async fn wait_until_fresh(&self, policy: CachePolicy) -> u64 {
        match policy {
            CachePolicy::Use => self.freshness.verify().await,
            CachePolicy::Refresh | CachePolicy::Bypass => ALL_STALE,
        }
    }

    /// What the cache has of `min_epoch` or younger.
    pub(super) fn look_up(&self, space: &Space, key: &Key, min_epoch: u64) -> Result<Hit, Miss> {
        if min_epoch == ALL_STALE {
            return Err(Miss::LEFT_OUT);
        }
        self.cache.get(space, key.borrow(), min_epoch)
    }

    /// Loads a document that the cache lacks; also says which call has read it.
    pub(super) async fn load_one(
        self: &Arc<Self>,
        space: &Space,
        key: &Key,
        policy: CachePolicy,
        (miss, min_epoch): (Miss, u64),
    ) -> (Result<Option<Document>>, Source) {
        if policy == CachePolicy::Bypass {
            let loaded = self.read_past_cache(space, vec![key.clone()], None).await;
            let document = loaded.and_then(|mut loaded| loaded.pop().unwrap_or(Ok(None)));
            return (document, Source::OwnCall);
        }
        self.indeterminate.settle_old_ones();
        if self.batches_reads {
            let admission = self.admit(space, key, &miss, min_epoch);
            if !matches!(admission, Admission::Full) {
                self.emit_look_up(space, key.borrow(), matches!(admission, Admission::Hit(_)));
            }
            match admission {
                Admission::Hit(document) => return (Ok(document), Source::Cache),
                Admission::Joined(flight, at) => return self.join(&flight, at).await,
                Admission::Immediate(batch) => return self.read_first(batch).await,
                Admission::Leader(flight, number) => {
                    let leader = Leader { batcher: self, number };
                    yield_once().await;
                    return match leader.take() {
                        Some(batch) => self.read_first(batch).await,
                        None => self.join(&flight, 0).await,
                    };
                }
                Admission::Full => {}
            }
        }
        let mut own = LoadGuard::new(&self.cache, space);
        match self.announce(&mut own, key, &miss, min_epoch) {
            Announced::Hit(document) => (Ok(document), Source::Cache),
            Announced::Elsewhere(flight, at) => {
                // This flight has no keys: it ends before the wait.
                drop(own);
                (self.join(&flight, at).await.0, Source::SharedCall)
            }
            Announced::Here(at) => match self.read(own).await {
                Ok(loaded) => (loaded[at].clone(), Source::OwnCall),
                Err(error) => (Err(error), Source::OwnCall),
            },
        }
    }

    /// Loads documents through the cache: what it lacks is read in one call for each `max_batch`
    /// keys, keys that another load reads are waited for, and a repeated key is read once. What the
    /// members refer to is learned while the documents are validated.
    pub(super) async fn load(
        self: &Arc<Self>,
        space: &Space,
        keys: &[Key],
        policy: CachePolicy,
        members: Option<&Members>,
    ) -> Loads {
        let chunks = |keys: usize| keys.div_ceil(self.loader.adapter.chunk_len());
        if policy == CachePolicy::Bypass {
            let loaded = self.read_past_cache(space, keys.to_vec(), members).await;
            let looked_up = self.telemetry.is_observed().then(|| LookedUp::nothing(keys.len()));
            let documents = loaded.unwrap_or_else(|error| vec![Err(error); keys.len()]);
            return Loads { documents, round_trips: chunks(keys.len()), looked_up };
        }
        let min_epoch = self.wait_until_fresh(policy).await;
        let mut own = None;
        let sources: Vec<Announced> = keys
            .iter()
            .map(|key| match self.look_up(space, key, min_epoch) {
                Ok(hit) => {
                    self.telemetry.cache_hit(space, key.borrow());
                    Announced::Hit(hit.document)
                }
                Err(miss) => {
                    let own = own.get_or_insert_with(|| {
                        self.indeterminate.settle_old_ones();
                        LoadGuard::new(&self.cache, space).following(members)
                    });
                    self.announce(own, key, &miss, min_epoch)
                }
            })
            .collect();
        let looked_up = self.telemetry.is_observed().then(|| LookedUp {
            from_cache: sources.iter().map(|it| matches!(it, Announced::Hit(_))).collect(),
            at: Instant::now(),
        });

        let mut loaded: Result<FlightResults> = Ok(Arc::new([]));
        let mut round_trips = 0;
        if let Some(own) = own.filter(|own| !own.keys().is_empty()) {
            round_trips = chunks(own.keys().len());
            loaded = self.read(own).await;
        }

        let mut documents = Vec::with_capacity(keys.len());
        for source in sources {
            documents.push(match source {
                Announced::Hit(document) => Ok(document),
                Announced::Here(at) => match &loaded {
                    Ok(loaded) => loaded[at].clone(),
                    Err(error) => Err(error.clone()),
                },
                Announced::Elsewhere(flight, at) => self.join(&flight, at).await.0,
            });
        }
        Loads { documents, round_trips, looked_up }
    }

    /// Announces the load of a key by a flight of its own.
    fn announce(&self, own: &mut LoadGuard, key: &Key, miss: &Miss, min_epoch: u64) -> Announced {
        let announced = own.announce(key, miss, min_epoch);
        self.emit_look_up(own.space(), key.borrow(), matches!(announced, Announced::Hit(_)));
        announced
    }

    /// Emits what an announced load has found in the cache.
    fn emit_look_up(&self, space: &Space, key: KeyRef<'_>, hit: bool) {
        if hit {
            self.telemetry.cache_hit(space, key);
        } else {
            self.telemetry.cache_changed(space, key, CacheChange::Miss);
        }
    }

    /// Reads the keys of a flight, to the end even if the caller goes away: others may wait for it.
    async fn read(&self, own: LoadGuard) -> Result<FlightResults> {
        let loader = self.loader.clone();
        shield(&self.home, Box::pin(async move { Ok(loader.load(own).await) })).await
    }

    /// Reads keys past the cache: no other load shares this one, and nothing of it is kept.
    async fn read_past_cache(
        &self,
        space: &Space,
        keys: Vec<Key>,
        members: Option<&Members>,
    ) -> Result<Documents> {
        self.indeterminate.settle_old_ones();
        let (loader, space, members) = (self.loader.clone(), space.clone(), members.cloned());
        let read = async move { Ok(loader.load_past_cache(&space, &keys, members.as_ref()).await) };
        shield(&self.home, Box::pin(read)).await
    }

    /// Lets a single read into the batch that is open, or opens one.
    fn admit(self: &Arc<Self>, space: &Space, key: &Key, miss: &Miss, min_epoch: u64) -> Admission {
        let mut state = self.state.lock();
        let Some(open) = &mut state.open else {
            let mut guard = LoadGuard::new(&self.cache, space);
            match guard.announce(key, miss, min_epoch) {
                Announced::Hit(document) => return Admission::Hit(document),
                Announced::Elsewhere(flight, at) => return Admission::Joined(flight, at),
                Announced::Here(_) => {}
            }
            state.batches += 1;
            let (number, flight) = (state.batches, guard.flight().clone());
            let batch = OpenBatch { number, guard, timed: false };
            if !state.expects_company() {
                return Admission::Immediate(batch);
            }
            state.open = Some(batch);
            return Admission::Leader(flight, number);
        };
        let max_keys = MAX_BATCH_KEYS.min(self.loader.adapter.chunk_len());
        if open.guard.keys().len() >= max_keys || open.guard.space() != space {
            return Admission::Full;
        }
        match open.guard.announce(key, miss, min_epoch) {
            Announced::Hit(document) => Admission::Hit(document),
            Announced::Elsewhere(flight, at) => Admission::Joined(flight, at),
            Announced::Here(at) => Admission::Joined(open.guard.flight().clone(), at),
        }
    }

    /// Waits for what a flight loads at a place; also says by which call. If the flight is that of
    /// the open batch, a timer bounds how long it waits for company.
    async fn join(
        self: &Arc<Self>,
        flight: &Arc<Flight>,
        at: usize,
    ) -> (Result<Option<Document>>, Source) {
        let waits = {
            let mut state = self.state.lock();
            let open = state.open.as_mut().filter(|open| Arc::ptr_eq(open.guard.flight(), flight));
            open.filter(|open| !open.timed).map(|open| {
                open.timed = true;
                open.number
            })
        };
        if let Some(number) = waits {
            self.start_in_time(number);
        }
        let (document, lone) = flight.join(at).await;
        (document, source(lone))
    }

    /// Reads a batch; returns the result for its first key, and which call has read it.
    async fn read_first(self: &Arc<Self>, batch: OpenBatch) -> (Result<Option<Document>>, Source) {
        match shield(&self.home, self.clone().read_batch(batch)).await {
            Ok(loaded) => (loaded[0].clone(), source(loaded.len() == 1)),
            Err(error) => (Err(error), Source::SharedCall),
        }
    }

    /// Starts a batch if it is still open after a while.
    fn start_in_time(self: &Arc<Self>, number: u64) {
        let batcher = self.clone();
        self.home.spawn(async move {
            sleep(MAX_WAIT).await;
            let late = batcher.state.lock().take(number);
            if let Some(batch) = late {
                // An error is a panic, which the readers learn from the flight.
                _ = batcher.read_batch(batch).await;
            }
        });
    }

    /// Reads a batch, and if that had to wait, starts the one that was opened in the meantime.
    fn read_batch(self: Arc<Self>, batch: OpenBatch) -> Reading {
        Box::pin(async move {
            let mut read = pin!(self.loader.load(batch.guard));
            let first = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await;
            if let Poll::Ready(loaded) = first {
                return Ok(loaded);
            }
            self.state.lock().waiting += 1;
            let _waiting = WaitingCall(&self);
            Ok(read.await)
        })
    }
}

fn source(lone: bool) -> Source {
    if lone { Source::OwnCall } else { Source::SharedCall }
}

/// The reader that opened a batch.
struct Leader<'a> {
    batcher: &'a Arc<ReadBatcher>,
    number: u64,
}

impl Leader<'_> {
    /// The batch, unless it waits for the end of the call that is under way, or is gone.
    fn take(self) -> Option<OpenBatch> {
        let mut state = self.batcher.state.lock();
        if state.waiting == 0 {
            return state.take(self.number);
        }
        let open = state.open.as_mut().filter(|open| open.number == self.number)?;
        if !std::mem::replace(&mut open.timed, true) {
            self.batcher.start_in_time(self.number);
        }
        None
    }
}

impl Drop for Leader<'_> {
    /// If it has gone away, others may wait for its batch.
    fn drop(&mut self) {
        let mut state = self.batcher.state.lock();
        if state.waiting == 0
            && let Some(batch) = state.take(self.number)
        {
            drop(state);
            self.batcher.home.spawn(self.batcher.clone().read_batch(batch));
        }
    }
}

/// A call that waits for its answer. Its end starts the open batch.
struct WaitingCall<'a>(&'a Arc<ReadBatcher>);

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.waiting -= 1;
        if state.waiting == 0
            && let Some(batch) = state.open.take()
        {
            drop(state);
            self.0.home.spawn(self.0.clone().read_batch(batch));
        }
    }
}

/// Lets the tasks that are ready have a turn. It needs nothing but the waker, so it works the same
/// on every executor, and within combinators that poll several reads in one task.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
