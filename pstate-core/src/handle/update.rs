//! Changing documents by compare-and-swap.

use std::time::Duration;

use super::pstate::PState;
use crate::document::Document;
use crate::engine::StoreItem;
use crate::model::written::{MAX_DEPTH, is_too_deep};
use crate::model::{
    AsKey, BoxError, DocumentEditor, Error, ErrorKind, Expect, Key, Object, Result,
};
use crate::runtime::{backoff, sleep};
use crate::schema::migrate;
use crate::telemetry::{Call, Operation};

/// How often an update is tried before it gives up. Each failure means that another write has
/// succeeded.
pub(super) const MAX_UPDATES: u32 = 1_000;

impl PState {
    /// Changes a document by compare-and-swap: reads it, lets `change` work on it, and stores it if
    /// it was not written in between; otherwise all of it again with what is stored then.
    ///
    /// Returns the new document; `None`, without calling `change`, if there is none. The closure
    /// may run several times. Any error from it ends the update, and nothing is written. To get
    /// that error back as its own type, or a value out of the closure, use
    /// [`try_update`](PState::try_update).
    ///
    /// What the closure leaves alone keeps its text, byte for byte and at every depth: digits of
    /// numbers, order of members, whitespace. What it adds stands behind the other members. A value
    /// that it moves to another member keeps its text as well. Numbers that it computes with are
    /// doubles, unless the program turns on `serde_json`'s `arbitrary_precision`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use serde_json::{Value, json};
    ///
    /// pstate.put("card:1", &json!({"front": "hola"})).await?;
    /// let card = pstate.update("card:1", |card| {
    ///     let seen = card.get("seen").and_then(Value::as_u64).unwrap_or(0);
    ///     card.insert("seen".into(), json!(seen + 1));
    ///     Ok(())
    /// }).await?;
    /// assert_eq!(card.unwrap().as_str(), r#"{"front":"hola","seen":1}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`get`](PState::get) and [`put`](PState::put), what the closure returns (an error
    /// of another type as the [source](std::error::Error::source) of one of kind
    /// [`Other`](crate::ErrorKind::Other)), and [`Conflict`](crate::ErrorKind::Conflict) after
    /// 1,000 attempts.
    pub async fn update(
        &self,
        key: impl AsKey,
        mut change: impl FnMut(&mut Object) -> Result<(), BoxError>,
    ) -> Result<Option<Document>> {
        let key = key.to_key().map_err(|error| error.in_operation("update"))?;
        self.edit("update", key, |document| {
            edit_as_tree(document, |object| change(object).map_err(stopped))
        })
        .await
    }

    /// [`update`](PState::update) with a closure that returns a value, or an error of the program's
    /// own.
    ///
    /// ```
    /// use serde_json::{Value, json};
    ///
    /// #[derive(Debug)]
    /// enum Refused {
    ///     Overdrawn,
    ///     Store(pstate_core::Error),
    /// }
    /// impl From<pstate_core::Error> for Refused {
    ///     fn from(error: pstate_core::Error) -> Self {
    ///         Self::Store(error)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Refused> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// pstate.put("account:a", &json!({"balance": 5})).await?;
    /// let left = pstate.try_update("account:a", |account| {
    ///     let balance = account.get("balance").and_then(Value::as_u64).unwrap_or(0);
    ///     let left = balance.checked_sub(3).ok_or(Refused::Overdrawn)?;
    ///     account.insert("balance".into(), json!(left));
    ///     Ok::<_, Refused>(left)
    /// }).await?;
    /// assert_eq!(left.unwrap().1, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`update`](PState::update).
    pub async fn try_update<T, E: From<Error>>(
        &self,
        key: impl AsKey,
        mut change: impl FnMut(&mut Object) -> Result<T, E>,
    ) -> Result<Option<(Document, T)>, E> {
        let key = key.to_key().map_err(|error| error.in_operation("try_update"))?;
        let mut returned = None;
        let edited = self.edit("try_update", key, |document| {
            edit_as_tree(document, |object| keep_outcome(&mut returned, change(object)))
        });
        let edited = edited.await;
        outcome(edited, returned)
    }

    /// Edits the text of a document, for a method of this name.
    pub(super) async fn edit(
        &self,
        name: &'static str,
        key: Key,
        edit: impl FnMut(&Document) -> Result<String>,
    ) -> Result<Option<Document>> {
        let call = self.call(name, Some(key.borrow()));
        call.run(self.edit_for(call, &key, edit)).await
    }

    /// Reads a document, edits its text, and stores it if it was not written in between; otherwise
    /// all of it again. `None` if there is no document.
    pub(super) async fn edit_for(
        &self,
        call: Call<'_>,
        key: &Key,
        mut edit: impl FnMut(&Document) -> Result<String>,
    ) -> Result<Option<Document>> {
        for attempt in 0..MAX_UPDATES {
            let Some(document) = self.get(key).await? else { return Ok(None) };
            let item = self.prepare_edit(&document, &mut edit)?;
            match self.store_one(call, Operation::Update, item).await {
                Err(error) if error.kind() == ErrorKind::Conflict => pause(attempt).await,
                result => return result.map(Some),
            }
        }
        Err(too_many_conflicts(key))
    }

    /// The write that replaces a document that was read by what an edit makes of it.
    ///
    /// # Errors
    /// [`Schema`](ErrorKind::Schema) for a document that is not shown as it is stored: what is not
    /// shown would be lost, or an old shape stamped as a new one.
    pub(super) fn prepare_edit(
        &self,
        read: &Document,
        edit: impl FnOnce(&Document) -> Result<String>,
    ) -> Result<StoreItem> {
        let key = read.key();
        let text = edit(read).map_err(|error| error.at_key(key))?;
        if is_too_deep(&text) {
            let why = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(Error::invalid_input(why).at_key(key).in_space(&self.space));
        }
        let refuse = |why: String| Err(Error::schema(why).at_key(key).in_space(&self.space));
        let schema = self.engine().schema();
        if let Some(entity) = schema.and_then(|schema| schema.entity(key.entity_type())) {
            let (version, current) = (read.version(), entity.version());
            if let Some(stored) = read.newer_than(current) {
                return refuse(migrate::newer_is_kept(stored, current));
            }
            if version < current {
                return refuse(format!(
                    "is stored at version {version} and could not be migrated; \
                     it is not stamped as version {current}"
                ));
            }
        }
        self.prepare_text(key.clone(), text, Expect::Revision(read.revision()))
    }
}

fn edit_as_tree(
    document: &Document,
    change: impl FnOnce(&mut Object) -> Result<()>,
) -> Result<String> {
    let mut editor = DocumentEditor::open(document.as_str())?;
    change(editor.object_mut())?;
    editor.finish()
}

/// The error of an update that its closure has ended with an error.
pub(super) fn stopped(error: BoxError) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::new(ErrorKind::Other, "the closure ended the update").caused_by(error),
    }
}

/// Keeps what a closure has returned, for [`outcome`].
pub(super) fn keep_outcome<T, E>(
    returned: &mut Option<Result<T, E>>,
    result: Result<T, E>,
) -> Result<()> {
    let ended = result.is_err();
    *returned = Some(result);
    if ended { Err(Error::new(ErrorKind::Other, "the closure ended the update")) } else { Ok(()) }
}

/// What an update returns whose closure has returned this in its last run.
pub(super) fn outcome<T, E: From<Error>>(
    edited: Result<Option<Document>>,
    returned: Option<Result<T, E>>,
) -> Result<Option<(Document, T)>, E> {
    match (edited, returned) {
        (_, Some(Err(error))) => Err(error),
        (Err(error), _) => Err(error.into()),
        (Ok(Some(document)), Some(Ok(value))) => Ok(Some((document, value))),
        (Ok(_), _) => Ok(None),
    }
}

/// The error after [`MAX_UPDATES`] attempts.
pub(super) fn too_many_conflicts(key: &Key) -> Error {
    let why = format!("gave up after {MAX_UPDATES} conflicting writes");
    Error::new(ErrorKind::Conflict, why).at_key(key).retryable()
}

/// Lets other writers finish before the next attempt: at first at once, then longer and longer.
pub(super) async fn pause(attempt: u32) {
    match attempt.checked_sub(3) {
        None => tokio::task::yield_now().await,
        Some(failed) => {
            let (first, max) = (Duration::from_micros(500), Duration::from_millis(50));
            sleep(backoff(first, max, failed)).await;
        }
    }
}
