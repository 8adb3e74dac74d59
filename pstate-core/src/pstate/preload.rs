//! Loading a document together with what it refers to.

use std::slice;
use std::sync::Arc;

use super::PState;
use crate::cache_policy::CachePolicy;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::key::{AsKey, Key};
use crate::preload::{Explanation, Loaded, Plan, Preload, Walk};
use crate::space::Space;
use crate::telemetry::{Event, Operation, operation_span, within};

impl PState {
    /// Loads a document and the documents that it refers to, one read for each level of references;
    /// `None` if there is no such document.
    ///
    /// What is cached is not read; what several documents refer to is read once. Documents are
    /// migrated as in [`get`](PState::get) before their references are followed.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # let pstate = pstate_core::PState::builder(Arc::new(pstate_core::MemoryAdapter::new())).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("deck:es", &json!({"cards": [{"$ref": "card:1"}, {"$ref": "card:2"}]})).await?;
    /// pstate.put("card:1", &json!({"front": "hola"})).await?;
    /// pstate.put("card:2", &json!({"front": "adiós"})).await?;
    ///
    /// let loaded = pstate.preload("deck:es", "cards").await?.unwrap();
    /// for card in loaded.follow(loaded.root(), "cards")? {
    ///     println!("{}", card.get("front")?.unwrap());
    /// }
    /// assert_eq!(loaded.round_trips(), 0); // written through the cache a moment ago
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key or preload, and for a
    /// field that the schema does not declare and the document does not have; otherwise those of
    /// [`get`](PState::get) for any of the documents, unless the preload says to
    /// [keep going](Preload::keep_going).
    ///
    /// # Cost
    /// At most one read for each level and one for the root; more only for levels with more keys
    /// than the store's [`max_batch`](crate::Capabilities::max_batch).
    pub async fn preload<P>(&self, key: impl AsKey, preload: P) -> Result<Option<Loaded>>
    where
        P: TryInto<Preload>,
        Error: From<P::Error>,
    {
        let plan = Plan::new(&preload.try_into()?)?;
        self.engine().preload(&self.space, &key.to_key()?, &plan, self.policy).await
    }

    /// What [`preload`](PState::preload) would do, without doing it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # let pstate = pstate_core::PState::builder(Arc::new(pstate_core::MemoryAdapter::new())).build()?;
    /// let plan = pstate.explain("deck:es", "cards(limit: 10).translations, owner")?;
    /// assert_eq!(
    ///     plan.to_string(),
    ///     "read 1: deck:es\n\
    ///      read 2: cards(limit: 10), owner\n\
    ///      read 3: cards.translations\n\
    ///      at most 3 reads of what is not cached"
    /// );
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    pub fn explain<P>(&self, key: impl AsKey, preload: P) -> Result<Explanation>
    where
        P: TryInto<Preload>,
        Error: From<P::Error>,
    {
        let plan = Plan::new(&preload.try_into()?)?;
        let max_batch = self.engine().capabilities.max_batch.map(std::num::NonZeroUsize::get);
        Ok(plan.explain(&key.to_key()?, max_batch))
    }
}

impl Engine {
    /// Carries out a plan; see [`PState::preload`].
    pub(crate) async fn preload(
        self: &Arc<Self>,
        space: &Space,
        key: &Key,
        plan: &Plan,
        policy: CachePolicy,
    ) -> Result<Option<Loaded>> {
        let started = self.telemetry.begin();
        let mut done = Done::default();
        let span = operation_span(Operation::Preload, space, 1);
        let loaded = within(span, self.walk(space, key, plan, policy, &mut done)).await;
        let Done { levels, keys, round_trips } = done;
        self.counters.preloads.record(keys, round_trips);
        let asked = (space, Some(key.borrow()), keys);
        let duration = self.telemetry.end(Operation::Preload, asked, started);
        if self.telemetry.is_observed() {
            let (key, error) = (key.borrow(), loaded.as_ref().err());
            let preload = Event::Preload { space, key, levels, keys, round_trips, error, duration };
            self.telemetry.emit(&preload);
        }
        loaded
    }

    async fn walk(
        self: &Arc<Self>,
        space: &Space,
        key: &Key,
        plan: &Plan,
        policy: CachePolicy,
        done: &mut Done,
    ) -> Result<Option<Loaded>> {
        let mut root = self.load(Operation::Preload, space, slice::from_ref(key), policy).await;
        done.add(1, root.round_trips);
        let Some(document) = root.documents.pop().unwrap_or(Ok(None))? else { return Ok(None) };

        let mut walk = Walk::new(plan, self.schema.as_ref(), document);
        while let Some(wanted) = walk.frontier()? {
            let level = self.load(Operation::Preload, space, &wanted, policy).await;
            done.add(wanted.len(), level.round_trips);
            done.levels += 1;
            walk.advance(&wanted, level.documents, level.round_trips)?;
        }
        let mut loaded = walk.finish();
        loaded.count_root(root.round_trips);
        Ok(Some(loaded))
    }
}

/// What a preload has done.
#[derive(Default)]
struct Done {
    /// Of references.
    levels: usize,
    keys: usize,
    round_trips: usize,
}

impl Done {
    fn add(&mut self, keys: usize, round_trips: usize) {
        self.keys += keys;
        self.round_trips += round_trips;
    }
}
