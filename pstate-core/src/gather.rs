//! Single reads that come together go to the store together.
//!
//! The first read that finds nothing in the cache opens a batch and lets the other tasks that are ready
//! have their turn, once; what they ask for meanwhile joins it. Then the batch is read in one call. While
//! a call is under way that has to wait for its answer, the next batch stays open until it ends. When
//! nobody has joined for a while, others are let go first only now and then. So somebody who reads
//! alone loses nothing, and whoever reads many documents at the same time, one by one, pays for a few
//! calls.
//!
//! A batch never waits for long: if its first reader is dropped, a task reads it; and if that one is not
//! polled any more, or the call before is slow, a timer lets it go.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::cache::{BeginLoad, CacheKey, Flight, FlightResults, LoadGuard};
use crate::detached::detached;
use crate::document::Document;
use crate::engine::{Engine, ReadBy};
use crate::error::Result;
use crate::runtime::{Mutex, sleep};
use crate::space::Space;

/// How many keys a batch has at most.
const MOST_KEYS: usize = 1_000;

/// After so many batches of a single key, others are let go first only once in so many.
const ALONE: u64 = 16;

/// How long a batch waits at most.
const LONGEST_WAIT: Duration = Duration::from_millis(1);

/// The batch that is open, and what it waits for.
#[derive(Default)]
pub(crate) struct Gathering(Mutex<State>);

#[derive(Default)]
struct State {
    open: Option<Gathered>,
    /// How many batches there were.
    batches: u64,
    /// How many of the last ones had a single key.
    alone: u64,
    /// How many calls for batches are under way and have to wait.
    waiting: usize,
}

/// Who loads a key.
enum Announced {
    /// It was loaded meanwhile.
    Hit(Option<Document>),
    /// The flight, at this place.
    Here(usize),
    /// It or another one, at a place that it has already.
    Elsewhere(Arc<Flight>, usize),
}

/// A batch: keys of one space that are read together.
struct Gathered {
    number: u64,
    space: Space,
    flight: Arc<Flight>,
    guard: LoadGuard,
    /// Whether a timer will let it go.
    timed: bool,
}

/// The reading of a batch, by whichever task.
type Reading = Pin<Box<dyn Future<Output = Result<FlightResults>> + Send>>;

/// How a read goes on.
enum Part {
    Hit(Option<Document>),
    /// It waits for this flight's result, at this place.
    Member(Arc<Flight>, usize),
    /// It opened the batch of this number, and lets others go first.
    Lead(Arc<Flight>, u64),
    /// It reads a batch of its own, at once.
    Alone(Gathered),
    /// It does not fit into the batch that is open.
    Apart,
}

impl State {
    fn take(&mut self, number: u64) -> Option<Gathered> {
        let taken = self.open.take_if(|open| open.number == number)?;
        let alone = taken.guard.keys().len() == 1;
        self.alone = if alone { self.alone + 1 } else { 0 };
        Some(taken)
    }

    /// Whether the one who opens a batch is likely to be joined.
    fn expects_others(&self) -> bool {
        self.waiting > 0 || self.alone < ALONE || self.batches.is_multiple_of(ALONE)
    }
}

impl Engine {
    /// Loads a document that was not in the cache, together with what others load now; `None` if that
    /// is not possible.
    ///
    /// The second result says by which call it was read.
    pub(crate) async fn load_gathered(
        self: &Arc<Self>,
        key: &CacheKey,
        valid_since: u64,
    ) -> Option<(Result<Option<Document>>, ReadBy)> {
        let part = self.take_part(key, valid_since);
        if !matches!(part, Part::Apart) {
            self.looked_up(key, matches!(part, Part::Hit(_)));
        }
        let (flight, at) = match part {
            Part::Apart => return None,
            Part::Hit(document) => return Some((Ok(document), ReadBy::Cache)),
            Part::Member(flight, at) => (flight, at),
            Part::Lead(flight, number) => {
                let lead = Lead { engine: self, number };
                let_others_ask().await;
                match lead.take() {
                    Some(gathered) => return Some(self.read_now(gathered).await),
                    None => (flight, 0),
                }
            }
            Part::Alone(gathered) => return Some(self.read_now(gathered).await),
        };
        Some(self.join(&flight, at).await)
    }

    /// Waits for what a flight loads at this place, and does not wait for long until it begins; also
    /// says by which call.
    pub(crate) async fn join(
        self: &Arc<Self>,
        flight: &Arc<Flight>,
        at: usize,
    ) -> (Result<Option<Document>>, ReadBy) {
        let waits = {
            let mut state = self.gathering.0.lock();
            let open = state.open.as_mut().filter(|open| Arc::ptr_eq(&open.flight, flight));
            open.filter(|open| !open.timed).map(|open| {
                open.timed = true;
                open.number
            })
        };
        if let Some(number) = waits {
            self.let_go_in_time(number);
        }
        let (document, alone) = flight.join(at).await;
        (document, read_by(alone))
    }

    /// Reads a batch; what became of its first key, and by which call.
    async fn read_now(self: &Arc<Self>, gathered: Gathered) -> (Result<Option<Document>>, ReadBy) {
        match detached(&self.runtime, self.clone().read_gathered(gathered)).await {
            Ok(loaded) => (loaded[0].clone(), read_by(loaded.len() == 1)),
            Err(error) => (Err(error), ReadBy::Shared),
        }
    }

    fn take_part(self: &Arc<Self>, key: &CacheKey, valid_since: u64) -> Part {
        let mut state = self.gathering.0.lock();
        let Some(open) = &mut state.open else {
            let (flight, mut guard) = Flight::new(&self.cache);
            match self.announce(key, &flight, &mut guard, valid_since) {
                Announced::Hit(document) => return Part::Hit(document),
                Announced::Elsewhere(flight, at) => return Part::Member(flight, at),
                Announced::Here(_) => {}
            }
            state.batches += 1;
            let (number, space) = (state.batches, key.space.clone());
            let gathered = Gathered { number, space, flight: flight.clone(), guard, timed: false };
            if !state.expects_others() {
                return Part::Alone(gathered);
            }
            state.open = Some(gathered);
            return Part::Lead(flight, number);
        };
        let full = open.guard.keys().len() >= MOST_KEYS.min(self.capabilities.chunk_len());
        if full || open.space != key.space {
            return Part::Apart;
        }
        match self.announce(key, &open.flight, &mut open.guard, valid_since) {
            Announced::Hit(document) => Part::Hit(document),
            Announced::Elsewhere(flight, at) => Part::Member(flight, at),
            Announced::Here(at) => Part::Member(open.flight.clone(), at),
        }
    }

    /// Announces the load of a key by a flight.
    fn announce(
        &self,
        key: &CacheKey,
        flight: &Arc<Flight>,
        guard: &mut LoadGuard,
        valid_since: u64,
    ) -> Announced {
        let at = guard.keys().len();
        let known = match self.cache.begin_load(key, flight, at, valid_since) {
            BeginLoad::Hit(document) => return Announced::Hit(document),
            BeginLoad::Join(flight, at) => return Announced::Elsewhere(flight, at),
            BeginLoad::Lead(known) => known,
            BeginLoad::Alone => None,
        };
        guard.push(key.clone(), known);
        Announced::Here(at)
    }

    /// Lets a batch go if it is still open after a while.
    fn let_go_in_time(self: &Arc<Self>, number: u64) {
        let engine = self.clone();
        self.runtime.spawn(async move {
            sleep(LONGEST_WAIT).await;
            let late = engine.gathering.0.lock().take(number);
            if let Some(gathered) = late {
                // An error is a panic, and those who wait are told by its flight.
                _ = engine.read_gathered(gathered).await;
            }
        });
    }

    /// Reads a batch, and when that had to wait, the one that was opened meanwhile.
    fn read_gathered(self: Arc<Self>, gathered: Gathered) -> Reading {
        Box::pin(async move {
            let Gathered { space, guard, .. } = gathered;
            let mut read = pin!(self.read(&space, guard));
            let first = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await;
            if let Poll::Ready(loaded) = first {
                return Ok(loaded);
            }
            self.gathering.0.lock().waiting += 1;
            let _waiting = Waiting(&self);
            Ok(read.await)
        })
    }
}

fn read_by(alone: bool) -> ReadBy {
    if alone { ReadBy::Alone } else { ReadBy::Shared }
}

/// The reader that opened a batch.
struct Lead<'a> {
    engine: &'a Arc<Engine>,
    number: u64,
}

impl Lead<'_> {
    /// The batch, unless it is left to the end of the call that is under way, or gone.
    fn take(self) -> Option<Gathered> {
        let mut state = self.engine.gathering.0.lock();
        if state.waiting == 0 {
            return state.take(self.number);
        }
        let open = state.open.as_mut().filter(|open| open.number == self.number)?;
        if !std::mem::replace(&mut open.timed, true) {
            self.engine.let_go_in_time(self.number);
        }
        None
    }
}

impl Drop for Lead<'_> {
    /// If it has gone away, others may wait for its batch.
    fn drop(&mut self) {
        let mut state = self.engine.gathering.0.lock();
        if state.waiting == 0
            && let Some(gathered) = state.take(self.number)
        {
            drop(state);
            self.engine.runtime.spawn(self.engine.clone().read_gathered(gathered));
        }
    }
}

/// A call that is under way. Its end lets the open batch go.
struct Waiting<'a>(&'a Arc<Engine>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.gathering.0.lock();
        state.waiting -= 1;
        if state.waiting == 0
            && let Some(gathered) = state.open.take()
        {
            drop(state);
            self.0.runtime.spawn(self.0.clone().read_gathered(gathered));
        }
    }
}

/// Lets the tasks that are ready have their turn. Only the waker is used, so it is the same on every
/// executor, and within combinators that poll several reads in one task.
async fn let_others_ask() {
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
