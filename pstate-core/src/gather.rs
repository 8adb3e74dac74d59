//! Single reads that come together go to the store together.
//!
//! The first read that finds nothing in the cache opens a batch and lets the other tasks that are ready
//! have their turn, once; what they ask for meanwhile joins it. Then the batch is read in one call. While
//! a call is under way that has to wait for its answer, the next batch stays open until it ends. So
//! somebody who reads alone loses nothing, and whoever reads many documents at the same time, one by
//! one, pays for a few calls.
//!
//! A batch never waits for long: if its first reader is dropped, a task reads it; and if that one is not
//! polled any more, or the call before is slow, a timer lets it go.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::cache::{BeginLoad, CacheKey, Flight, LoadGuard};
use crate::detached::detached;
use crate::document::Document;
use crate::engine::Engine;
use crate::error::Result;
use crate::runtime::{Mutex, sleep};
use crate::space::Space;

/// How many keys a batch has at most.
const MOST_KEYS: usize = 1_000;

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
    /// How many calls for batches are under way and have to wait.
    waiting: usize,
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
type Reading = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// How a read goes on.
enum Part {
    Hit(Option<Document>),
    /// It waits for this flight's result, at this place.
    Member(Arc<Flight>, usize),
    /// The same, and it has to see to it that a batch is let go in time.
    FirstMember(Arc<Flight>, usize, u64),
    /// It opened a batch.
    Lead(Arc<Flight>, usize, u64),
    /// It does not fit into the batch that is open.
    Apart,
}

impl State {
    fn take(&mut self, number: u64) -> Option<Gathered> {
        self.open.take_if(|open| open.number == number)
    }
}

impl Engine {
    /// Loads a document that was not in the cache, together with what others load now; `None` if that
    /// is not possible.
    ///
    /// The second result says whether it was read by a call of its own.
    pub(crate) async fn load_gathered(
        self: &Arc<Self>,
        key: &CacheKey,
        valid_since: u64,
    ) -> Option<(Result<Option<Document>>, bool)> {
        let (flight, at) = match self.take_part(key, valid_since) {
            Part::Apart => return None,
            Part::Hit(document) => return Some((Ok(document), false)),
            Part::Member(flight, at) => (flight, at),
            Part::FirstMember(flight, at, number) => {
                self.let_go_in_time(number);
                (flight, at)
            }
            Part::Lead(flight, at, number) => {
                let lead = Lead { engine: self, number };
                let_others_ask().await;
                if let Err(error) = lead.go().await {
                    return Some((Err(error), false));
                }
                (flight, at)
            }
        };
        let (document, alone) = flight.join_counted(at).await;
        Some((document, alone))
    }

    fn take_part(self: &Arc<Self>, key: &CacheKey, valid_since: u64) -> Part {
        let mut state = self.gathering.0.lock();
        let opens = state.open.is_none();
        if opens {
            let (flight, guard) = Flight::new(&self.cache);
            state.batches += 1;
            let (number, space) = (state.batches, key.space.clone());
            state.open = Some(Gathered { number, space, flight, guard, timed: false });
        }
        let Some(open) = &mut state.open else { return Part::Apart };
        let at = open.guard.keys().len();
        if open.space != key.space || at >= MOST_KEYS.min(self.capabilities.chunk_len()) {
            return Part::Apart;
        }
        let known = match self.cache.begin_load(key, &open.flight, at, valid_since) {
            BeginLoad::Lead(known) => known,
            BeginLoad::Alone => None,
            done => {
                if opens {
                    state.open = None;
                }
                return match done {
                    BeginLoad::Hit(document) => Part::Hit(document),
                    BeginLoad::Join(flight, at) => Part::Member(flight, at),
                    BeginLoad::Lead(_) | BeginLoad::Alone => Part::Apart,
                };
            }
        };
        open.guard.push(key.clone(), known);
        let flight = open.flight.clone();
        if opens {
            Part::Lead(flight, at, open.number)
        } else if std::mem::replace(&mut open.timed, true) {
            Part::Member(flight, at)
        } else {
            Part::FirstMember(flight, at, open.number)
        }
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
            let waits = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_pending())).await;
            if waits {
                self.gathering.0.lock().waiting += 1;
                let _waiting = Waiting(&self);
                read.await;
            }
            Ok(())
        })
    }
}

/// The reader that opened a batch.
struct Lead<'a> {
    engine: &'a Arc<Engine>,
    number: u64,
}

impl Lead<'_> {
    /// Reads the batch, or leaves it to the end of the call that is under way.
    async fn go(self) -> Result<()> {
        let gathered = {
            let mut state = self.engine.gathering.0.lock();
            if state.waiting > 0 {
                let open = state.open.as_mut().filter(|open| open.number == self.number);
                let untimed = open.is_some_and(|open| !std::mem::replace(&mut open.timed, true));
                if untimed {
                    self.engine.let_go_in_time(self.number);
                }
                None
            } else {
                state.take(self.number)
            }
        };
        match gathered {
            None => Ok(()),
            Some(gathered) => {
                let read = self.engine.clone().read_gathered(gathered);
                detached(&self.engine.runtime, read).await
            }
        }
    }
}

impl Drop for Lead<'_> {
    /// It has gone away, or has read: others may wait for the batch.
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
