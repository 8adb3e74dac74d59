//! Users of a handle, and what their reads may return.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use pstate_core::schema::Entity;
use pstate_core::{Adapter, Builder, Error, MigrationWriter, PState, Result, Schema, Staleness};
use serde_json::{Value, json};

use crate::schedules::random;
use crate::store::{Place, Store, id, migrated, parse, place};
use crate::store_adapter::StoreAdapter;

pub(crate) const KEYS: [&str; 2] = ["card:1", "card:2"];

/// A user of a handle, who knows which writes were acknowledged.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) pstate: PState,
    pub(crate) store: Arc<Store>,
    tolerates_errors: bool,
    /// By place, the index of the last acknowledged user write. A read must return that write or a
    /// later one.
    acknowledged: Arc<Mutex<BTreeMap<Place, usize>>>,
}

/// A handle whose schema migrates documents from version 1 to 2.
pub(crate) fn builder(adapter: Arc<dyn Adapter>) -> Builder {
    let card = Entity::new("card", 2).step(1, 2, |card| {
        card.insert("migrated".to_owned(), true.into());
        Ok(())
    });
    // The model's clock runs in any order, so no bound in time would hold.
    let staleness = Staleness::Unbounded;
    PState::builder(adapter).schema(Schema::new([card]).unwrap()).staleness(staleness)
}

/// A migration writer with small batches and a small queue.
pub(crate) fn small_writer() -> MigrationWriter {
    MigrationWriter::default().batch_size(1 + random(2)).queue_limit(1 + random(2))
}

impl User {
    pub(crate) fn of(store: &Arc<Store>, pstate: PState) -> Self {
        let (store, acknowledged) = (store.clone(), Arc::default());
        Self { pstate, store, tolerates_errors: false, acknowledged }
    }

    /// A user of a new handle.
    pub(crate) fn new(store: &Arc<Store>) -> Self {
        let adapter = Arc::new(StoreAdapter(store.clone()));
        Self::of(store, builder(adapter).migration_writer(small_writer()).build().unwrap())
    }

    /// Two users of new handles without staleness: each must also observe what was acknowledged to
    /// the other.
    pub(crate) fn two_fresh(store: &Arc<Store>) -> [Self; 2] {
        let user = || {
            let builder = builder(Arc::new(StoreAdapter(store.clone())));
            let pstate = builder.migration_writer(small_writer()).staleness(Staleness::None);
            Self::of(store, pstate.build().unwrap())
        };
        let first = user();
        let second = Self { acknowledged: first.acknowledged.clone(), ..user() };
        [first, second]
    }

    /// The same user, whose calls may fail.
    pub(crate) fn tolerating_errors(mut self) -> Self {
        self.tolerates_errors = true;
        self
    }

    /// The same user in another space.
    pub(crate) fn in_space(&self, name: &str) -> Self {
        Self { pstate: self.pstate.space(name).unwrap(), ..self.clone() }
    }

    pub(crate) fn place(&self, key: &str) -> Place {
        place(self.pstate.current_space(), key)
    }

    fn acknowledged(&self, key: &str) -> usize {
        self.acknowledged.lock().unwrap().get(&self.place(key)).copied().unwrap_or(0)
    }

    /// Notes that the first user write at or after index `from` for which `is` holds was
    /// acknowledged.
    fn acknowledge(&self, key: &str, from: usize, is: impl Fn(Option<&Value>) -> bool) {
        let place = self.place(key);
        let writes = self.store.user_writes(&place);
        if let Some(at) = writes.iter().skip(from).position(|write| is(write.as_ref())) {
            let mut acknowledged = self.acknowledged.lock().unwrap();
            let last = acknowledged.entry(place).or_default();
            *last = (*last).max(from + at);
        }
    }

    /// The value of a call; `None` if it failed and the user tolerates that.
    fn value<T>(&self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(_) if self.tolerates_errors => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads a document, and checks that it is not older than allowed. `None` if the read failed.
    pub(crate) async fn get(&self, key: &str) -> Option<Option<Value>> {
        let from = self.acknowledged(key);
        let read = self.pstate.get(key).await;
        let document = self.value(read)?;
        let document = document.map(|document| parse(document.as_bytes()));
        let writes = self.store.user_writes(&self.place(key));
        assert!(
            writes[from..].iter().any(|write| migrated(write.clone()) == document),
            "read {document:?} after number {from} of {writes:?} was acknowledged"
        );
        Some(document)
    }

    fn document(&self, key: &str) -> (usize, Value) {
        let id = self.store.new_id();
        (id, json!({ "at": self.place(key), "id": id }))
    }

    pub(crate) async fn put(&self, key: &str) {
        let (new, document) = self.document(key);
        let done = self.pstate.put(key, &document).await;
        self.acknowledge_put(key, new, done.map(drop));
    }

    /// Stores a document of version 1.
    pub(crate) async fn put_old(&self, key: &str) {
        let (new, document) = self.document(key);
        let done = self.pstate.put_at(1, key, &document).await;
        self.acknowledge_put(key, new, done.map(drop));
    }

    async fn update(&self, key: &str) {
        let mut new = 0;
        let done = self.pstate.update(key, |document| {
            new = self.store.new_id();
            document["id"] = new.into();
            Ok(())
        });
        if let Some(Some(_)) = self.value(done.await) {
            self.acknowledge_put(key, new, Ok(()));
        }
    }

    fn acknowledge_put(&self, key: &str, new: usize, done: Result<(), Error>) {
        if self.value(done).is_some() {
            self.acknowledge(key, 0, |write| id(write) == Some(&new.into()));
        }
    }

    async fn delete(&self, key: &str) {
        let from = self.store.user_writes(&self.place(key)).len();
        let done = self.pstate.delete(key).await;
        if self.value(done).is_some() {
            self.acknowledge(key, from, |write| write.is_none());
        }
    }

    /// Reads random keys.
    pub(crate) async fn read(self, times: usize) {
        for _ in 0..times {
            self.get(KEYS[random(KEYS.len())]).await;
        }
    }

    /// Makes random calls, and drops some of them before they complete.
    pub(crate) async fn work(self, times: usize) {
        for _ in 0..times {
            let key = KEYS[random(KEYS.len())];
            let work = async {
                match random(6) {
                    0 => self.put(key).await,
                    1 | 2 => self.put_old(key).await,
                    3 => self.update(key).await,
                    4 => self.delete(key).await,
                    _ => drop(self.get(key).await),
                }
            };
            if random(4) == 0 {
                poll_at_most(work, 1 + random(3)).await;
            } else {
                work.await;
            }
        }
    }

    pub(crate) async fn flush(self) {
        self.value(self.pstate.flush().await);
    }

    /// Waits until all work has settled, then checks the invariant.
    pub(crate) async fn check(&self) {
        self.settle().await;
        self.store.check();
        for key in KEYS {
            let document = loop {
                // A dropped write may still retry, and take effect during the read.
                let effects = self.store.effects();
                let document = self.get(key).await;
                if let Some(document) = document.filter(|_| self.store.effects() == effects) {
                    break document;
                }
            };
            assert_eq!(document, migrated(self.store.stored(&self.place(key))), "{key} is cached");
        }
    }

    /// Waits until the store is idle and the queue is empty.
    pub(crate) async fn settle(&self) {
        for _ in 0..100 {
            self.store.idle().await;
            self.pstate.flush().await.unwrap();
            if self.pstate.stats().write_back.queued == 0 {
                return;
            }
        }
        panic!("the queue does not become empty");
    }
}

/// Polls a future at most this many times, then drops it.
async fn poll_at_most(work: impl Future<Output = ()>, polls: usize) {
    let mut work = std::pin::pin!(work);
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match work.as_mut().poll(cx) {
            Poll::Pending if left > 0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}
