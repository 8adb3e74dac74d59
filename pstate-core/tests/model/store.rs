//! A store that records its effects in order, and checks the invariant over them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use pstate_core::{Adapter, Batch, Change, MemoryAdapter, Outcome, Result, Space, Write};
use serde_json::Value;

use crate::schedules::random;

/// A fault of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Some calls fail as unavailable: before they take effect, or after, so that only the answer
    /// is lost.
    Unavailable,
    /// Some writes time out, and take effect after that.
    Late,
    /// Writes ignore their expectations.
    IgnoresExpectations,
    /// Writes take effect after they are answered.
    AnswersEarly,
    /// The change feed reports nothing.
    ReportsNothing,
}

/// A space and a key. Each document contains the place that it is stored at.
pub(crate) type Place = String;

pub(crate) fn place(space: &Space, key: &str) -> Place {
    format!("{space}/{key}")
}

/// A write that took effect: the new content of a place; `None` after a delete.
#[derive(Debug)]
struct Effect {
    place: Place,
    stored: Option<Arc<[u8]>>,
}

/// A store in memory that yields before and after each effect, so that other tasks can observe
/// both states.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) memory: MemoryAdapter,
    effects: Mutex<Vec<Effect>>,
    fault: Option<Fault>,
    /// Whether the fault no longer occurs.
    is_healed: AtomicBool,
    documents: AtomicUsize,
    /// The number of calls in flight.
    pub(crate) calls: AtomicUsize,
}

impl Store {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::with(None))
    }

    pub(crate) fn with_fault(fault: Fault) -> Arc<Self> {
        Arc::new(Self::with(Some(fault)))
    }

    fn with(fault: Option<Fault>) -> Self {
        Self {
            memory: MemoryAdapter::new(),
            effects: Mutex::default(),
            fault,
            is_healed: AtomicBool::new(false),
            documents: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
        }
    }

    /// Ends the fault.
    pub(crate) fn heal(&self) {
        self.is_healed.store(true, Relaxed);
    }

    /// The fault, until the store is healed.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault.filter(|_| !self.is_healed.load(Relaxed))
    }

    /// A number for a document, never used before.
    pub(crate) fn new_id(&self) -> usize {
        self.documents.fetch_add(1, Relaxed)
    }

    /// Waits until no call is in flight.
    pub(crate) async fn idle(&self) {
        while self.calls.load(Relaxed) > 0 {
            shuttle::future::yield_now().await;
        }
    }

    /// The number of writes that took effect.
    pub(crate) fn effects(&self) -> usize {
        self.effects.lock().unwrap().len()
    }

    /// The user writes of a place, in the order of their effects. `None` is a delete, or the
    /// initial state.
    ///
    /// Each user write stores a document with a new number, so a number that occurs again is a
    /// write-back.
    pub(crate) fn user_writes(&self, place: &str) -> Vec<Option<Value>> {
        let mut writes = vec![None];
        for effect in self.effects.lock().unwrap().iter().filter(|effect| effect.place == place) {
            let stored = effect.stored.as_deref().map(parse);
            if let Some(document) = &stored {
                assert_eq!(document["at"], place, "written to another place");
                if writes.iter().any(|write| id(write.as_ref()) == id(Some(document))) {
                    continue;
                }
            }
            writes.push(stored);
        }
        writes
    }

    /// Checks the invariant: each place holds the last user write, or that write migrated.
    pub(crate) fn check(&self) {
        let places: Vec<Place> =
            self.effects.lock().unwrap().iter().map(|effect| effect.place.clone()).collect();
        for place in places {
            let stored = self.stored(&place);
            let writes = self.user_writes(&place);
            let last = writes.last().unwrap();
            assert!(
                stored == *last || stored == migrated(last.clone()),
                "{place} holds {stored:?} after {writes:?}"
            );
        }
    }

    /// The current content of a place.
    pub(crate) fn stored(&self, place: &str) -> Option<Value> {
        let effects = self.effects.lock().unwrap();
        let last = effects.iter().rev().find(|effect| effect.place == place)?;
        last.stored.as_deref().map(parse)
    }

    /// Yields a random number of times.
    pub(crate) async fn yield_randomly(&self) {
        for _ in 0..random(3) {
            tokio::task::yield_now().await;
        }
    }

    /// Applies a batch, and records its effects.
    pub(crate) async fn apply(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        // Memory answers without yielding, so the effects are recorded in their order.
        let outcomes = self.memory.write(space, batch).await?;
        let done = batch.writes.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_done());
        self.effects.lock().unwrap().extend(done.filter(|_| !space.is_reserved()).map(
            |(write, _)| Effect { place: place(space, write.key.as_str()), stored: content(write) },
        ));
        Ok(outcomes)
    }
}

/// What a write stores.
fn content(write: &Write) -> Option<Arc<[u8]>> {
    match &write.change {
        Change::Put(bytes) => Some(bytes.clone()),
        Change::Delete => None,
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The number of a document; `None` for a delete.
pub(crate) fn id(document: Option<&Value>) -> Option<&Value> {
    document.map(|document| &document["id"])
}

/// The document after its migration.
pub(crate) fn migrated(document: Option<Value>) -> Option<Value> {
    let mut document = document?;
    if document["$v"] == 1 {
        document["$v"] = 2.into();
        document["migrated"] = true.into();
    }
    Some(document)
}
