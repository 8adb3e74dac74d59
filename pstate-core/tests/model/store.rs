//! A store that notes what takes effect in which order, and the invariant over that.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pstate_core::{
    Adapter, Batch, Capabilities, Change, ChangeFeed, ChangeSubscription, Changes, Error,
    ErrorKind, Expect, Extensions, Key, MemoryAdapter, Outcome, Page, Record, Result, Revision,
    Scan, Space, Write,
};
use serde_json::Value;

use crate::schedules::random;

/// What the store does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Now and then it is unavailable: before a call has done anything, or so that only the answer is
    /// lost.
    Unavailable,
    /// Now and then a write takes too long, and takes effect after that was said.
    Late,
    /// It writes whatever is stored, even if it is to expect a revision.
    ExpectsNothing,
    /// Its writes take effect after they were answered.
    AnswersTooEarly,
    /// It does not tell what has changed.
    TellsNothing,
}

/// A key in a space, as the documents under it name it.
pub(crate) type Place = String;

pub(crate) fn place(space: &Space, key: &str) -> Place {
    format!("{space}/{key}")
}

/// A write that took effect: what is stored since; nothing after a delete.
#[derive(Debug)]
struct Effect {
    place: Place,
    stored: Option<Arc<[u8]>>,
}

/// Memory, with effects that others see come and go: before and after each, others may go on.
#[derive(Debug)]
pub(crate) struct Store {
    memory: MemoryAdapter,
    effects: Mutex<Vec<Effect>>,
    fault: Option<Fault>,
    /// Whether the fault has gone.
    mended: AtomicBool,
    documents: AtomicUsize,
    calls: AtomicUsize,
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
            mended: AtomicBool::new(false),
            documents: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
        }
    }

    /// No faults from now on.
    pub(crate) fn mend(&self) {
        self.mended.store(true, Relaxed);
    }

    /// A number that no other document has.
    pub(crate) fn new_id(&self) -> usize {
        self.documents.fetch_add(1, Relaxed)
    }

    /// Waits until no call is under way.
    pub(crate) async fn quiet(&self) {
        while self.calls.load(Relaxed) > 0 {
            shuttle::future::yield_now().await;
        }
    }

    /// How many writes took effect.
    pub(crate) fn effects(&self) -> usize {
        self.effects.lock().unwrap().len()
    }

    /// What users have stored in a place, in the order in which it took effect; `None` is a delete,
    /// and the beginning.
    ///
    /// Each write of a user stores a document with a number of its own, so a number that comes again
    /// is a write-back.
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

    /// The invariant of the store: in each place there is the last user write, or that write migrated.
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

    /// What a place holds now.
    pub(crate) fn stored(&self, place: &str) -> Option<Value> {
        let effects = self.effects.lock().unwrap();
        let last = effects.iter().rev().find(|effect| effect.place == place)?;
        last.stored.as_deref().map(parse)
    }

    async fn others_go_on(&self) {
        for _ in 0..random(3) {
            tokio::task::yield_now().await;
        }
    }

    /// What goes wrong with one call.
    fn unavailable(&self, effect: &mut bool) -> Option<Error> {
        if self.fault != Some(Fault::Unavailable) || self.mended.load(Relaxed) {
            return None;
        }
        let error = Error::new(ErrorKind::Unavailable, "gone for a while");
        match random(8) {
            0 => {
                *effect = false;
                Some(error.retryable())
            }
            1 => Some(error),
            _ => None,
        }
    }

    async fn apply(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        // Memory answers at once, so what is noted here is in the order of the effects.
        let outcomes = self.memory.write(space, batch).await?;
        let done = batch.writes.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_done());
        self.effects.lock().unwrap().extend(done.filter(|_| !space.is_reserved()).map(
            |(write, _)| Effect { place: place(space, write.key.as_str()), stored: put(write) },
        ));
        Ok(outcomes)
    }
}

/// Counts a call while it is under way.
struct Call(Arc<Store>);

impl Call {
    /// Goes on without whoever called.
    fn apply_later(self, space: &Space, batch: Batch) {
        let space = space.clone();
        shuttle::future::spawn(async move {
            self.0.others_go_on().await;
            // Whatever comes of it, nobody waits for it.
            _ = self.0.apply(&space, &batch).await;
        });
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Relaxed);
    }
}

/// The adapter of a [`Store`].
#[derive(Debug, Clone)]
pub(crate) struct StoreAdapter(pub(crate) Arc<Store>);

impl StoreAdapter {
    fn call(&self) -> Call {
        self.0.calls.fetch_add(1, Relaxed);
        Call(self.0.clone())
    }
}

#[async_trait]
impl Adapter for StoreAdapter {
    fn name(&self) -> &'static str {
        "model"
    }

    fn capabilities(&self) -> Capabilities {
        self.0.memory.capabilities().batch_reads(random(2) == 0)
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none().change_feed(self)
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let _call = self.call();
        self.0.others_go_on().await;
        let records = self.0.memory.multi_get(space, keys).await?;
        self.0.others_go_on().await;
        match self.0.unavailable(&mut false) {
            None => Ok(records),
            Some(error) => Err(error.retryable()),
        }
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        let call = self.call();
        let mut batch = batch.clone();
        let mut effect = true;
        match self.0.fault {
            Some(Fault::ExpectsNothing) => {
                batch.writes.iter_mut().for_each(|write| write.expect = Expect::Any);
            }
            Some(Fault::AnswersTooEarly) => {
                let outcomes = batch.writes.iter().map(done).collect();
                call.apply_later(space, batch);
                return Ok(outcomes);
            }
            Some(Fault::Late) if random(4) == 0 && !self.0.mended.load(Relaxed) => {
                call.apply_later(space, batch);
                return Err(Error::new(ErrorKind::Timeout, "nobody knows"));
            }
            Some(Fault::Unavailable | Fault::Late | Fault::TellsNothing) | None => {}
        }
        let error = self.0.unavailable(&mut effect);
        self.0.others_go_on().await;
        let outcomes = if effect { self.0.apply(space, &batch).await? } else { Vec::new() };
        self.0.others_go_on().await;
        error.map_or(Ok(outcomes), Err)
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.0.others_go_on().await;
        self.0.memory.scan(space, scan).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.0.memory.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.0.memory.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.0.others_go_on().await;
        self.0.memory.close().await
    }
}

#[async_trait]
impl ChangeFeed for StoreAdapter {
    async fn subscribe(&self) -> Result<Box<dyn ChangeSubscription>> {
        self.0.others_go_on().await;
        let feed = self.0.memory.extensions().change_feed.expect("memory has one");
        let subscription = feed.subscribe().await?;
        self.0.others_go_on().await;
        Ok(Box::new(StoreChanges { store: self.0.clone(), subscription }))
    }
}

/// Tells what was changed in a [`Store`], sometimes only that something was, and sometimes it fails.
#[derive(Debug)]
struct StoreChanges {
    store: Arc<Store>,
    subscription: Box<dyn ChangeSubscription>,
}

#[async_trait]
impl ChangeSubscription for StoreChanges {
    async fn changes(&mut self) -> Result<Changes> {
        self.store.others_go_on().await;
        let changes = self.subscription.changes().await?;
        if self.store.fault == Some(Fault::TellsNothing) {
            return Ok(Changes::Records(Vec::new()));
        }
        match random(8) {
            0 => Ok(Changes::Everything),
            1 => Err(Error::new(ErrorKind::Unavailable, "lost track")),
            _ => Ok(changes),
        }
    }

    async fn wait(&mut self) {
        self.subscription.wait().await;
    }
}

/// What a write comes to if it does what it says.
fn done(write: &Write) -> Outcome {
    match write.change {
        Change::Put(_) => Outcome::Stored(Revision::from_number(u128::MAX)),
        Change::Delete => Outcome::Deleted,
    }
}

fn put(write: &Write) -> Option<Arc<[u8]>> {
    match &write.change {
        Change::Put(bytes) => Some(bytes.clone()),
        Change::Delete => None,
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// A document's number; that of a delete is none.
pub(crate) fn id(document: Option<&Value>) -> Option<&Value> {
    document.map(|document| &document["id"])
}

/// What the migration makes of a document.
pub(crate) fn migrated(document: Option<Value>) -> Option<Value> {
    let mut document = document?;
    if document["$v"] == 1 {
        document["$v"] = 2.into();
        document["migrated"] = true.into();
    }
    Some(document)
}
