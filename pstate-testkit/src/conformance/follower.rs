use std::collections::btree_map::{BTreeMap, Entry};
use std::pin::Pin;
use std::task::Poll;

use futures_util::poll;
use pstate_core::{ChangeSubscription, ChangedRecord, ChangedTo, Changes, Key, Revision, Space};
use tokio::task::yield_now;

use super::case_error::{CaseError, CaseResult};
use super::check::ensure_eq;
use super::poll::poll_at_most;
use super::shorthand::key;
use super::store::Store;
use crate::recording::Value;

/// The keys that a follower caches, in each of [`SPACES`].
pub(super) const KEYS: [&str; 3] = ["card:1", "card:2", "deck:1"];
pub(super) const SPACES: [&str; 2] = ["red", "blue"];

/// A record as the cache holds it; `None` if it is absent.
type Cached = Option<(Revision, Value)>;

/// A cache that follows a change feed: it reads again only what the feed reports.
pub(super) struct Follower {
    name: &'static str,
    store: Store,
    subscription: Box<dyn ChangeSubscription>,
    cached: BTreeMap<(Space, Key), Cached>,
}

impl Follower {
    pub(super) async fn new(name: &'static str, store: &Store) -> CaseResult<Self> {
        let Some(feed) = store.adapter.extensions().change_feed else {
            return Err(CaseError::ignored("it has no change feed"));
        };
        let subscription = feed.subscribe().await?;
        let (store, cached) = (store.clone(), BTreeMap::new());
        let mut follower = Self { name, store, subscription, cached };
        follower.read_missing().await?;
        Ok(follower)
    }

    /// Asks for the changes, and reads again what changed.
    async fn follow(&mut self) -> CaseResult<Changes> {
        let changes = self.subscription.changes().await?;
        self.apply(&changes).await?;
        Ok(changes)
    }

    /// Follows between any two polls of `work`.
    pub(super) async fn follow_during<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
    ) -> CaseResult<F::Output> {
        loop {
            if let Poll::Ready(done) = poll!(work.as_mut()) {
                return Ok(done);
            }
            self.follow().await?;
            yield_now().await;
        }
    }

    /// Polls a call for the changes at most this many times, then drops it.
    pub(super) async fn follow_with_polls(&mut self, polls: usize) -> CaseResult {
        if let Some(changes) = poll_at_most(self.subscription.changes(), polls).await {
            self.apply(&changes?).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, changes: &Changes) -> CaseResult {
        self.invalidate(changes);
        self.read_missing().await
    }

    fn invalidate(&mut self, changes: &Changes) {
        let Changes::Records(records) = changes else {
            self.cached.clear();
            return;
        };
        for ChangedRecord { space, key, now, .. } in records {
            let place = (space.clone(), key.clone());
            let cached = self.cached.get(&place).map(|cached| match cached {
                Some((revision, _)) => ChangedTo::Revision(*revision),
                None => ChangedTo::Absent,
            });
            if cached != Some(*now) {
                self.cached.remove(&place);
            }
        }
    }

    async fn read_missing(&mut self) -> CaseResult {
        for (store, key) in self.places() {
            if let Entry::Vacant(place) = self.cached.entry((store.space.clone(), key.clone())) {
                place.insert(read_one(&store, &key).await?);
            }
        }
        Ok(())
    }

    /// Follows, and checks that the cache equals the store. No write may be in flight.
    pub(super) async fn check(&mut self, after: &str) -> CaseResult {
        let changes = self.follow().await?;
        for (store, key) in self.places() {
            let stored = read_one(&store, &key).await?;
            let (name, space) = (self.name, &store.space);
            let place = (space.clone(), key.clone());
            let is_here =
                |changed: &&ChangedRecord| changed.space == place.0 && changed.key == place.1;
            if let Changes::Records(records) = &changes
                && let Some(last) = records.iter().rfind(is_here)
                && last.now != ChangedTo::Unknown
            {
                let stored = stored.as_ref();
                let now = stored.map_or(ChangedTo::Absent, |(at, _)| ChangedTo::Revision(*at));
                let what = format!("the report to {name} about {key} in {space}, {after}");
                ensure_eq(&what, &now, &last.now)?;
            }
            let cached = self.cached.get(&place).cloned().flatten();
            let what = format!("{key} in {space} in the cache of {name}, {after}");
            ensure_eq(&what, &stored, &cached)?;
        }
        Ok(())
    }

    fn places(&self) -> Vec<(Store, Key)> {
        let in_space = |name| KEYS.map(|text| (self.store.space(name), key(text)));
        SPACES.into_iter().flat_map(in_space).collect()
    }
}

async fn read_one(store: &Store, key: &Key) -> CaseResult<Cached> {
    Ok(store.record(key).await?.map(|record| (record.revision, Value(record.bytes))))
}
