//! Changing documents by compare-and-swap.

use std::time::Duration;

use super::pstate::PState;
use crate::document::Document;
use crate::engine::StoreItem;
use crate::model::{AsKey, DocumentEditor, Error, ErrorKind, Expect, Key, Object, Result};
use crate::runtime::{backoff, sleep};
use crate::telemetry::{Call, Operation};

/// How often an update is tried before it gives up. Each failure means that another write has
/// succeeded.
pub(super) const MAX_UPDATES: u32 = 1_000;

impl PState {
    /// Changes a document by compare-and-swap: reads it, lets `change` work on it, and stores it if
    /// it was not written in between; otherwise all of it again with what is stored then.
    ///
    /// Returns the new document; `None`, without calling `change`, if there is none. The closure
    /// may run several times; an error from it ends the update and nothing is written.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("card:1", &json!({"seen": 1})).await?;
    /// let card = pstate.update("card:1", |card| {
    ///     let seen = card["seen"].as_u64().unwrap_or(0);
    ///     card["seen"] = json!(seen + 1);
    ///     Ok(())
    /// }).await?;
    /// assert_eq!(card.unwrap().as_str(), r#"{"seen":2}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`get`](PState::get) and [`put`](PState::put), what the closure returns, and
    /// [`Conflict`](crate::ErrorKind::Conflict) after 1,000 attempts.
    pub async fn update(
        &self,
        key: impl AsKey,
        mut change: impl FnMut(&mut Object) -> Result<()>,
    ) -> Result<Option<Document>> {
        let key = key.to_key().map_err(|error| error.in_operation("update"))?;
        self.edit(key, |_, editor| change(editor.object_mut())).await
    }

    /// Edits a document, for `update` and typed updates.
    pub(super) async fn edit(
        &self,
        key: Key,
        edit: impl FnMut(&Document, &mut DocumentEditor<'_>) -> Result<()>,
    ) -> Result<Option<Document>> {
        let call = self.call("update", Some(key.borrow()));
        call.run(self.edit_for(call, &key, edit)).await
    }

    /// Reads a document, edits it, and stores it if it was not written in between; otherwise all of
    /// it again. `None` if there is no document.
    pub(super) async fn edit_for(
        &self,
        call: Call<'_>,
        key: &Key,
        mut edit: impl FnMut(&Document, &mut DocumentEditor<'_>) -> Result<()>,
    ) -> Result<Option<Document>> {
        for attempt in 0..MAX_UPDATES {
            let Some(document) = self.get(key).await? else { return Ok(None) };
            let item = self.prepare_edit(&document, |editor| edit(&document, editor))?;
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
        edit: impl FnOnce(&mut DocumentEditor<'_>) -> Result<()>,
    ) -> Result<StoreItem> {
        let key = read.key();
        let mut editor = DocumentEditor::open(read.as_str()).map_err(|error| error.at_key(key))?;
        edit(&mut editor)?;
        let refuse = |why: String| Err(Error::schema(why).at_key(key).in_space(&self.space));
        let schema = self.engine().schema();
        if let Some(entity) = schema.and_then(|schema| schema.entity(key.entity_type())) {
            let (version, current) = (read.version(), entity.version());
            let stored = read.downgraded_from().unwrap_or(version);
            if stored > current {
                return refuse(format!(
                    "is stored at version {stored}, newer than the schema's {current}; \
                     it is not overwritten with an older shape"
                ));
            }
            if version < current {
                return refuse(format!(
                    "is stored at version {version} and could not be migrated; \
                     it is not stamped as version {current}"
                ));
            }
        }
        let text = editor.finish().map_err(|error| error.at_key(key))?;
        self.prepare_text(key.clone(), text, Expect::Revision(read.revision()))
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
