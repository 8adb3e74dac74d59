//! Typed access to the documents of one entity type.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::yield_now;

use super::pstate::PState;
use super::put::to_text;
use super::scan::ScanStream;
use super::update::{keep_outcome, outcome, stopped};
use crate::document::{Document, parse};
use crate::model::key::is_entity_type;
use crate::model::{BoxError, Error, Key, KeyRef, Ref, Result, Revision, edit_typed};

/// The documents of one entity type, read and written as `T`.
///
/// It is a constant that only says how documents are read; what it works on is the
/// [`PState`] that it is given. A malformed type does not compile.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> pstate_core::Result<()> {
/// use std::sync::Arc;
/// use pstate_core::{Collection, MemoryAdapter, PState};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Card {
///     front: String,
/// }
/// const CARDS: Collection<Card> = Collection::new("base_card");
///
/// let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build()?;
/// CARDS.put(&pstate, "7c9e", &Card { front: "hola".into() }).await?;
/// let card: Arc<Card> = CARDS.get(&pstate, "7c9e").await?.unwrap();
/// assert_eq!(card.front, "hola");
/// # Ok(())
/// # }
/// ```
pub struct Collection<T> {
    entity_type: &'static str,
    item: PhantomData<fn() -> T>,
}

impl<T> Collection<T> {
    /// The documents of this type.
    ///
    /// # Panics
    /// If the type does not match `[a-z][a-z0-9_]*`; in a constant that is a compile error.
    pub const fn new(entity_type: &'static str) -> Self {
        assert!(is_entity_type(entity_type), "an entity type matches [a-z][a-z0-9_]*");
        Self { entity_type, item: PhantomData }
    }

    /// The entity type.
    pub const fn entity_type(&self) -> &'static str {
        self.entity_type
    }

    /// The key of the document with this id.
    pub fn key(&self, id: &str) -> Result<Key> {
        Key::new(self.entity_type, id)
    }

    /// The same for a method of this name.
    fn key_for(&self, name: &'static str, id: &str) -> Result<Key> {
        self.key(id).map_err(|error| error.in_operation(name))
    }

    /// A reference to the document with this id.
    pub fn reference(&self, id: &str) -> Result<Ref<T>> {
        self.key(id).map(Ref::new)
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> Collection<T> {
    /// The document with this id; see [`PState::get`]. Decoded once while it stays in the cache.
    ///
    /// # Errors
    /// Those of [`PState::get`], and [`Schema`](crate::ErrorKind::Schema) if the document does not
    /// have the shape of a `T`.
    pub async fn get(&self, pstate: &PState, id: &str) -> Result<Option<Arc<T>>> {
        let miss = match pstate.look_up(KeyRef::unchecked(self.entity_type, id)) {
            Ok(hit) => {
                let decode = |document: Document| decode(pstate, "get", &document);
                let decoded = hit.document.map(decode).transpose();
                if hit.should_yield {
                    // A name of its own: what lives while a future waits is not kept in registers.
                    let decoded = decoded;
                    yield_now().await;
                    return decoded;
                }
                return decoded;
            }
            Err(miss) => miss,
        };
        let key = self.key_for("get", id)?;
        let document = Box::pin(pstate.get_from_store(key, "get", miss)).await?;
        document.map(|document| decode(pstate, "get", &document)).transpose()
    }

    /// The documents with these ids, in their order; see [`PState::multi_get`].
    pub async fn multi_get(
        &self,
        pstate: &PState,
        ids: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<Arc<T>>>> {
        let key = |id| self.key_for("multi_get", AsRef::<str>::as_ref(&id));
        let keys = ids.into_iter().map(key).collect::<Result<Vec<_>>>()?;
        let documents = pstate.multi_get(keys).await?.into_iter();
        let decode = |document: Document| decode(pstate, "multi_get", &document);
        documents.map(|document| document.map(decode).transpose()).collect()
    }

    /// All documents of the type with their ids, in ascending byte order of the ids; see
    /// [`PState::scan`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # use pstate_core::{Collection, MemoryAdapter, PState};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Card { front: String }
    /// # const CARDS: Collection<Card> = Collection::new("base_card");
    /// # let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build()?;
    /// # CARDS.put(&pstate, "7c9e", &Card { front: "hola".into() }).await?;
    /// let mut cards = CARDS.scan(&pstate);
    /// while let Some(card) = cards.next().await {
    ///     let (key, card) = card?;
    ///     println!("{key}: {}", card.front);
    /// }
    /// let all = CARDS.scan(&pstate).collect().await?;
    /// assert_eq!(all.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn scan(&self, pstate: &PState) -> ScanStream<(Key, Arc<T>)> {
        let documents = pstate.scan(&format!("{}:", self.entity_type)).stream();
        let pstate = pstate.clone();
        documents.map_items(move |document| {
            let document = document?;
            Ok((document.key().clone(), decode(&pstate, "scan", &document)?))
        })
    }
}

impl<T: Serialize> Collection<T> {
    /// Stores the document with this id; see [`PState::put`].
    pub async fn put(&self, pstate: &PState, id: &str, item: &T) -> Result<Revision> {
        pstate.put(self.key_for("put", id)?, item).await
    }

    /// Stores several documents; see [`PState::multi_put`].
    pub async fn multi_put<I: AsRef<str>>(
        &self,
        pstate: &PState,
        items: impl IntoIterator<Item = (I, T)>,
    ) -> Result<()> {
        let items = items
            .into_iter()
            .map(|(id, item)| Ok((self.key_for("multi_put", id.as_ref())?, item)))
            .collect::<Result<Vec<_>>>()?;
        pstate.multi_put(items).await
    }

    /// Removes the document with this id; see [`PState::delete`].
    pub async fn delete(&self, pstate: &PState, id: &str) -> Result<()> {
        pstate.delete(self.key_for("delete", id)?).await
    }
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Collection<T> {
    /// Changes the document with this id by compare-and-swap; see [`PState::update`].
    ///
    /// What `T` does not know is kept, at every depth: a program of an older version does not
    /// remove what a newer one has added. A member that `T` reads under another name
    /// (`#[serde(alias)]`) keeps the name that it is stored under. Before the document is stored it
    /// is read as a `T` again.
    ///
    /// In a list, the items of `T` and the stored ones are matched: by a member `$ref`, `id`,
    /// `_id`, `uuid` or `key` if that differs in each item, otherwise by what has not changed, and
    /// by their places.
    ///
    /// # Errors
    /// Those of [`PState::update`]; [`Schema`](crate::ErrorKind::Schema) if what is stored, or what
    /// the closure has made of it, cannot be read as a `T`; and
    /// [`Unsupported`](crate::ErrorKind::Unsupported) if it is not clear which items of a list were
    /// changed, and one of them holds members that `T` does not know.
    pub async fn update(
        &self,
        pstate: &PState,
        id: &str,
        mut change: impl FnMut(&mut T) -> Result<(), BoxError>,
    ) -> Result<Option<Document>> {
        pstate
            .edit("update", self.key_for("update", id)?, |document| {
                edit_as(document, |item| change(item).map_err(stopped))
            })
            .await
    }

    /// [`update`](Self::update) with a closure that returns a value, or an error of the program's
    /// own; see [`PState::try_update`].
    ///
    /// # Errors
    /// Those of [`update`](Self::update).
    pub async fn try_update<R, E: From<Error>>(
        &self,
        pstate: &PState,
        id: &str,
        mut change: impl FnMut(&mut T) -> Result<R, E>,
    ) -> Result<Option<(Document, R)>, E> {
        let mut returned = None;
        let key = self.key_for("try_update", id)?;
        let edited = pstate.edit("try_update", key, |document| {
            edit_as(document, |item: &mut T| keep_outcome(&mut returned, change(item)))
        });
        let edited = edited.await;
        outcome(edited, returned)
    }
}

/// The text of a document after a change of its typed value.
fn edit_as<T: Serialize + DeserializeOwned>(
    document: &Document,
    change: impl FnOnce(&mut T) -> Result<()>,
) -> Result<String> {
    let mut item: T = document.parse()?;
    let before = to_text(&item)?;
    change(&mut item)?;
    let after = to_text(&item)?;
    drop(item);
    edit_typed(document.as_str(), &before, &after, &|text| to_text(&parse::<T>(text)?))
}

/// Decodes a document for a method of this name.
#[inline]
fn decode<T: DeserializeOwned + Send + Sync + 'static>(
    pstate: &PState,
    name: &'static str,
    document: &Document,
) -> Result<Arc<T>> {
    document.decode().map_err(|error| pstate.call(name, None).locate(error))
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Collection<T> {}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collection({})", self.entity_type)
    }
}
