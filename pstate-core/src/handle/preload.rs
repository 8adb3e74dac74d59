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
