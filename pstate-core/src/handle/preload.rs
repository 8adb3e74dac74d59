//! Loading a document together with what it refers to.

use std::num::NonZeroUsize;

use super::pstate::PState;
use crate::engine::load_graph;
use crate::model::{AsKey, Error, Result};
use crate::preload::{Explanation, Loaded, Plan, Preload};

impl PState {
    /// Loads a document and the documents that it refers to, one read for each level of references;
    /// `None` if there is no such document.
    ///
    /// What is cached is not read; what several documents refer to is read once. Documents are
    /// migrated as in [`get`](PState::get) before their references are followed.
    ///
    /// The preload is [text](Preload#syntax), as `&str`, `String` or `&String`, or a [`Preload`] or
    /// a reference to one. Build it in code if it depends on values that come from users.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
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
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key or preload, for a field
    /// that the root does not have and the schema does not declare, or declares as a string, a
    /// number or a boolean, and for a field that holds no references;
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for a malformed reference; otherwise those of
    /// [`get`](PState::get) for any of the documents. An error below the root names the path that
    /// led there, and the root.
    ///
    /// If the preload says to [keep going](Preload::keep_going), fields that cannot be followed and
    /// documents below the root that cannot be read are listed in [`Loaded::failures`] instead.
    ///
    /// Without a declaration a misspelled field is no error, since other documents may have it; see
    /// [`Loaded::unmatched`].
    ///
    /// # Cost
    /// At most one read for each level and one for the root; more only for levels with more keys
    /// than the store's [`max_batch`](crate::Capabilities::max_batch).
    ///
    /// A preload that finds everything in the cache is kept there with its links, the last four of
    /// each root. The next one with the same paths takes one look-up if none of the documents has
    /// been written or evicted since; if up to eight were written, it looks up those, unless they
    /// refer to other documents now. Preloads with a closure, an observer, or the detector of
    /// single reads look up each document.
    pub async fn preload<P>(&self, key: impl AsKey, preload: P) -> Result<Option<Loaded>>
    where
        P: TryInto<Preload>,
        Error: From<P::Error>,
    {
        let key = key.to_key().map_err(|error| error.in_operation("preload"))?;
        let call = self.call("preload", Some(key.borrow()));
        let preload = preload.try_into().map_err(|error| call.locate(error.into()))?;
        load_graph(self.engine(), call, &key, &preload, self.policy).await
    }

    /// What [`preload`](PState::preload) would do, without doing it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// let plan = pstate.explain("deck:es", "cards(limit: 10).translations, owner")?;
    /// assert_eq!(
    ///     plan.to_string(),
    ///     "read 1: deck:es\n\
    ///      read 2: cards(limit: 10), owner\n\
    ///      read 3: cards.translations\n\
    ///      at most 3 reads of what is not cached"
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn explain<P>(&self, key: impl AsKey, preload: P) -> Result<Explanation>
    where
        P: TryInto<Preload>,
        Error: From<P::Error>,
    {
        let key = key.to_key().map_err(|error| error.in_operation("explain"))?;
        let call = self.call("explain", Some(key.borrow()));
        let preload = preload.try_into().map_err(|error| call.locate(error.into()))?;
        let plan = Plan::new(&preload).map_err(|error| call.locate(error))?;
        let max_batch = self.engine().adapter().capabilities().max_batch.map(NonZeroUsize::get);
        Ok(plan.explain(&key, max_batch))
    }
}

#[cfg(all(test, not(feature = "_shuttle")))]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test, and says where")]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::cache::{CacheKey, Known, MOST_CHANGED};
    use crate::model::Key;
    use crate::storage::MemoryAdapter;

    /// More than may change in a kept graph.
    const CARDS: usize = MOST_CHANGED + 2;

    /// A handle on a deck that was preloaded from the cache.
    async fn preloaded(cache_bytes: u64, preloads: &[&str]) -> PState {
        let adapter = Arc::new(MemoryAdapter::new());
        let pstate = PState::builder(adapter).cache_bytes(cache_bytes).build().unwrap();
        for card in 0..CARDS {
            pstate.put(format!("card:{card}"), &json!({})).await.unwrap();
        }
        let card = |card: usize| json!({ "$ref": format!("card:{card}") });
        let cards: Vec<Value> = (0..CARDS).map(card).collect();
        pstate.put("deck:1", &json!({ "cards": cards, "cover": card(0) })).await.unwrap();
        for &preload in preloads {
            let loaded = pstate.preload("deck:1", preload).await.unwrap().unwrap();
            assert_eq!(loaded.round_trips(), 0);
        }
        pstate
    }

    /// How many documents have changed in the graph that is kept of a preload, if one is.
    fn kept(pstate: &PState, preload: &str) -> Option<usize> {
        let key: Key = "deck:1".parse().unwrap();
        let key = CacheKey { space: pstate.space.clone(), key };
        let preload = preload.parse().unwrap();
        let min_epoch = pstate.cache.epochs().min_epoch();
        Some(match pstate.cache.known_graph(&key, &preload, min_epoch)? {
            Known::Unchanged(..) => 0,
            Known::Changed(graph) => graph.changed(CARDS).unwrap().len(),
        })
    }

    #[tokio::test]
    async fn a_graph_is_kept_until_more_than_eight_documents_have_changed() {
        assert_eq!(MOST_CHANGED, 8, "as the docs of `preload` say");
        let pstate = preloaded(1 << 20, &["cards"]).await;
        for changed in 0..=MOST_CHANGED {
            assert_eq!(kept(&pstate, "cards"), Some(changed));
            pstate.put(format!("card:{changed}"), &json!({"n": 1})).await.unwrap();
        }
        assert_eq!(kept(&pstate, "cards"), None);
        pstate.preload("deck:1", "cards").await.unwrap().unwrap();
        assert_eq!(kept(&pstate, "cards"), Some(0));
    }

    #[tokio::test]
    async fn the_last_four_preloads_of_a_root_are_kept() {
        let preloads = ["cards", "cover", "cards(limit: 1)", "cards(limit: 2)", "cards, cover"];
        let pstate = preloaded(1 << 20, &preloads).await;
        let kept = preloads.map(|preload| kept(&pstate, preload));
        assert_eq!(kept, [None, Some(0), Some(0), Some(0), Some(0)]);
    }

    #[tokio::test]
    async fn a_graph_is_let_go_when_one_of_its_documents_is_evicted() {
        let pstate = preloaded(256 << 10, &["cards"]).await;
        assert_eq!(kept(&pstate, "cards"), Some(0));
        let card: Key = "card:3".parse().unwrap();
        let is_cached = || pstate.cache.peek(&pstate.space, card.borrow()).is_some();
        // Each is read, because the cache prefers what was read once to what was only written.
        let mut others = 0..10_000;
        while is_cached() {
            let other = format!("other:{}", others.next().expect("it is never evicted"));
            pstate.put(&other, &json!({ "text": "x".repeat(1_000) })).await.unwrap();
            pstate.get(&other).await.unwrap().unwrap();
        }
        assert_eq!(kept(&pstate, "cards"), None);
    }

    #[tokio::test]
    async fn a_graph_is_let_go_when_what_was_absent_is_stored() {
        let pstate = preloaded(1 << 20, &["cards"]).await;
        pstate.delete("card:3").await.unwrap();
        // The second one finds the absence in the cache.
        for _ in 0..2 {
            pstate.preload("deck:1", "cards").await.unwrap().unwrap();
        }
        assert_eq!(kept(&pstate, "cards"), Some(0));
        pstate.put("card:3", &json!({})).await.unwrap();
        assert_eq!(kept(&pstate, "cards"), None);
    }

    #[tokio::test]
    async fn no_graph_is_used_that_is_older_than_a_read_accepts() {
        let pstate = preloaded(1 << 20, &["cards"]).await;
        pstate.cache.epochs().expire_all();
        assert_eq!(kept(&pstate, "cards"), None);
    }
}
