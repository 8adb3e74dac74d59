//! Writing documents.

use std::time::Duration;

use serde::Serialize;

use super::PState;
use crate::backoff::backoff;
use crate::document::{Document, Object};
use crate::engine::StoreItem;
use crate::error::{Error, ErrorKind, Result};
use crate::key::{AsKey, Key};
use crate::migrate;
use crate::record::{BatchMode, Change, Expect, Outcome, Record, Revision, Write};
use crate::runtime::sleep;
use crate::telemetry::Operation;

/// How often an update is tried before it gives up. Each failure means that somebody else succeeded.
pub(crate) const MAX_UPDATES: u32 = 1_000;

impl PState {
    /// Stores a document, whatever was there. Anything that serialises to a JSON object.
    ///
    /// With a schema it is checked and stored at the current version: a `$v` of its own that is
    /// older makes it migrated first.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key or what is no object,
    /// [`Schema`](crate::ErrorKind::Schema) for a document that contradicts the declared types or
    /// says that it is newer than the schema, and what the store reports.
    pub async fn put<T: Serialize + ?Sized>(
        &self,
        key: impl AsKey,
        document: &T,
    ) -> Result<Revision> {
        let item = self
            .prepare(key.to_key()?, document, Expect::Any)
            .map_err(|error| error.in_operation("put"))?;
        self.store_one(Operation::Put, "put", item).await.map(|document| document.revision())
    }

    /// Stores a document of an older shape as it is, unchecked: for imports and tests.
    ///
    /// # Errors
    /// As [`put`](PState::put), and [`InvalidInput`](crate::ErrorKind::InvalidInput) if the document
    /// says that it is of another version.
    pub async fn put_at<T: Serialize + ?Sized>(
        &self,
        version: u32,
        key: impl AsKey,
        document: &T,
    ) -> Result<Revision> {
        let key = key.to_key()?;
        let text = to_text(&key, document)
            .and_then(|text| migrate::stamp_at(version, &text))
            .map_err(|error| error.at_key(&key).in_operation("put_at"))?;
        let write = Write::put(key, text);
        let item = StoreItem { write, version: Some(version), keep: false };
        self.store_one(Operation::Put, "put_at", item).await.map(|document| document.revision())
    }

    /// Stores documents together, each for itself: if one fails, others may be stored. For all or
    /// nothing use [`batch`](PState::batch).
    ///
    /// # Errors
    /// Before anything is written: those of [`put`](PState::put), and
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a key that is there twice. Afterwards
    /// the first failure of the store, with its key.
    ///
    /// # Cost
    /// One write for each [`max_batch`](crate::Capabilities::max_batch) documents.
    pub async fn multi_put<K: AsKey, T: Serialize>(
        &self,
        documents: impl IntoIterator<Item = (K, T)>,
    ) -> Result<()> {
        let items = documents
            .into_iter()
            .map(|(key, document)| self.prepare(key.to_key()?, &document, Expect::Any))
            .collect::<Result<Vec<_>>>()
            .map_err(|error| error.in_operation("multi_put"))?;
        let keys: Vec<Key> = items.iter().map(|item| item.write.key.clone()).collect();
        let engine = self.engine();
        let outcomes = engine.store(Operation::MultiPut, &self.space, BatchMode::Each, items).await;
        keys.iter().zip(outcomes).try_for_each(|(key, outcome)| {
            done(outcome, key).map_err(|error| error.in_operation("multi_put"))
        })
    }

    /// Removes a document; succeeds if there is none. References to it are left dangling.
    pub async fn delete(&self, key: impl AsKey) -> Result<()> {
        let key = key.to_key()?;
        let item = StoreItem { write: Write::delete(key.clone()), version: None, keep: true };
        let outcome = self.store_outcome(Operation::Delete, item).await;
        done(outcome, &key).map_err(|error| error.in_operation("delete"))
    }

    /// Changes a document by compare-and-swap: reads it, lets `change` work on it, and stores it if
    /// nobody has written meanwhile; otherwise all of it again with what is stored then.
    ///
    /// Returns the new document; `None`, without calling `change`, if there is none. The closure
    /// may run several times; an error from it ends the update and nothing is written.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # let pstate = pstate_core::PState::builder(Arc::new(pstate_core::MemoryAdapter::new())).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("card:1", &json!({"seen": 1})).await?;
    /// let card = pstate.update("card:1", |card| {
    ///     let seen = card["seen"].as_u64().unwrap_or(0);
    ///     card["seen"] = json!(seen + 1);
    ///     Ok(())
    /// }).await?;
    /// assert_eq!(card.unwrap().as_str(), r#"{"seen":2}"#);
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
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
        self.update_document(key.to_key()?, |document| {
            let mut object = document.to_object()?;
            change(&mut object)?;
            Ok(object)
        })
        .await
    }

    /// The loop behind `update`, for whatever makes a new object of the document.
    pub(crate) async fn update_document(
        &self,
        key: Key,
        mut change: impl FnMut(&Document) -> Result<Object>,
    ) -> Result<Option<Document>> {
        for attempt in 0..MAX_UPDATES {
            let Some(document) = self.get(&key).await? else { return Ok(None) };
            let item = change(&document)
                .and_then(|changed| self.prepare_update(&document, changed))
                .map_err(|error| error.in_operation("update"))?;
            match self.store_one(Operation::Update, "update", item).await {
                Err(error) if error.kind() == ErrorKind::Conflict => pause(attempt).await,
                result => return result.map(Some),
            }
        }
        Err(always_too_late(&key).in_operation("update"))
    }

    /// Checks and serialises a document for storing.
    pub(crate) fn prepare<T: Serialize + ?Sized>(
        &self,
        key: Key,
        document: &T,
        expect: Expect,
    ) -> Result<StoreItem> {
        let text = to_text(&key, document)?;
        self.prepare_text(key, text, expect)
    }

    /// The write that replaces a document that was read by what has become of it.
    ///
    /// # Errors
    /// [`Schema`](crate::ErrorKind::Schema) for one that is not shown as it is stored: what was not
    /// shown would be lost, or an old shape stamped as a new one.
    pub(crate) fn prepare_update(&self, read: &Document, changed: Object) -> Result<StoreItem> {
        let key = read.key();
        let refuse = |why: String| Err(Error::schema(why).at_key(key).in_space(&self.space));
        let schema = self.engine().schema.as_ref();
        if let Some(entity) = schema.and_then(|schema| schema.entity(key.entity_type())) {
            let (version, current) = (read.version(), entity.version());
            if read.is_downgraded() || version > current {
                return refuse(format!(
                    "is stored at a version newer than the schema's {current}; \
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
        let text = migrate::rewrite(read.as_str(), changed).map_err(|error| error.at_key(key))?;
        self.prepare_text(key.clone(), text, Expect::Revision(read.revision()))
    }

    fn prepare_text(&self, key: Key, text: String, expect: Expect) -> Result<StoreItem> {
        let located = |error: Error| error.at_key(&key).in_space(&self.space);
        let entity = match &self.engine().schema {
            None => None,
            Some(schema) => schema.governing(key.entity_type()).map_err(located)?,
        };
        let (text, version) = if let Some(entity) = entity {
            (migrate::stamp(entity, text).map_err(located)?, Some(entity.version()))
        } else {
            let version = migrate::validate_input(&text).map_err(located)?;
            (text.into_bytes(), version)
        };
        let write = Write { key, expect, change: Change::Put(text.into()) };
        Ok(StoreItem { write, version, keep: true })
    }

    /// Stores one document and returns it as it is stored.
    pub(crate) async fn store_one(
        &self,
        operation: Operation,
        name: &'static str,
        item: StoreItem,
    ) -> Result<Document> {
        let (key, version) = (item.write.key.clone(), item.version);
        let bytes = match &item.write.change {
            Change::Put(bytes) => bytes.clone(),
            Change::Delete => [].into(),
        };
        match self.store_outcome(operation, item).await {
            Outcome::Stored(revision) => {
                Ok(Document::from_valid(key, Record { bytes, revision }, version))
            }
            outcome => Err(done(outcome, &key)
                .err()
                .unwrap_or_else(|| Error::new(ErrorKind::Other, "the store deleted what was put"))
                .in_operation(name)),
        }
    }

    async fn store_outcome(&self, operation: Operation, item: StoreItem) -> Outcome {
        let engine = self.engine();
        let mut outcomes = engine.store(operation, &self.space, BatchMode::Each, vec![item]).await;
        outcomes.pop().unwrap_or(Outcome::Aborted)
    }
}

/// Success, or the error that the outcome of a write amounts to.
pub(crate) fn done(outcome: Outcome, key: &Key) -> Result<()> {
    match outcome {
        Outcome::Stored(_) | Outcome::Deleted => Ok(()),
        Outcome::Conflict => {
            Err(Error::new(ErrorKind::Conflict, "what is stored is not what was expected")
                .at_key(key))
        }
        Outcome::Aborted => {
            Err(Error::new(ErrorKind::Conflict, "not written, another write of the batch failed")
                .at_key(key))
        }
        Outcome::Failed(error) => Err(error.at_key(key)),
    }
}

/// The error after [`MAX_UPDATES`] attempts.
pub(crate) fn always_too_late(key: &Key) -> Error {
    let why = format!("somebody else was faster, {MAX_UPDATES} times in a row");
    Error::new(ErrorKind::Conflict, why).at_key(key).retryable()
}

/// Lets others finish before trying again: at first at once, then for longer and longer.
pub(crate) async fn pause(attempt: u32) {
    match attempt.checked_sub(3) {
        None => tokio::task::yield_now().await,
        Some(failed) => {
            let (first, max) = (Duration::from_micros(500), Duration::from_millis(50));
            sleep(backoff(first, max, failed)).await;
        }
    }
}

/// A document's JSON; refuses what is no object.
fn to_text<T: Serialize + ?Sized>(key: &Key, document: &T) -> Result<String> {
    let refused = |error: Error| error.at_key(key);
    let text = serde_json::to_string(document).map_err(|error| {
        refused(Error::invalid_input("cannot be written as JSON").caused_by(error))
    })?;
    crate::document::expect_object(&text)
        .map_err(|error| refused(Error::invalid_input(error.message())))?;
    Ok(text)
}
