//! Storing and deleting documents.

use serde::Serialize;

use super::pstate::PState;
use crate::document::Document;
use crate::engine::StoreItem;
use crate::model::json::{expect_object, unwritable};
use crate::model::{
    AsKey, BatchMode, Change, Error, ErrorKind, Expect, Key, Outcome, Record, Result, Revision,
    Write,
};
use crate::schema::migrate;
use crate::schema::written_text::{WrittenText, expect_finite, written_text};
use crate::telemetry::{Call, Operation};

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
        let key = key.to_key().map_err(|error| error.in_operation("put"))?;
        let call = self.call("put", Some(key.borrow()));
        let item =
            self.prepare(key.clone(), document, Expect::Any).map_err(|error| call.locate(error))?;
        self.store_one(call, Operation::Put, item).await.map(|document| document.revision())
    }

    /// Stores a document of an older shape as it is, unchecked: for imports and tests.
    ///
    /// # Errors
    /// As [`put`](PState::put), and [`InvalidInput`](crate::ErrorKind::InvalidInput) if the
    /// document says that it is of another version.
    pub async fn put_at<T: Serialize + ?Sized>(
        &self,
        version: u32,
        key: impl AsKey,
        document: &T,
    ) -> Result<Revision> {
        let key = key.to_key().map_err(|error| error.in_operation("put_at"))?;
        let call = self.call("put_at", Some(key.borrow()));
        let text = written_text(document, None)
            .and_then(|written| migrate::stamp_at(version, written.text, written.version))
            .map_err(|error| call.locate(error))?;
        let write = Write::put(key.clone(), text.into_bytes());
        let item = StoreItem { write, version: Some(version), cacheable: false };
        self.store_one(call, Operation::Put, item).await.map(|document| document.revision())
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
        let call = self.call("multi_put", None);
        let items = documents
            .into_iter()
            .map(|(key, document)| self.prepare(key.to_key()?, &document, Expect::Any))
            .collect::<Result<Vec<_>>>()
            .map_err(|error| call.locate(error))?;
        let keys: Vec<Key> = items.iter().map(|item| item.write.key.clone()).collect();
        let operation = self.engine().operation(call, Operation::MultiPut, items.len());
        let outcomes = self.engine().write(&operation, BatchMode::Each, items).await?;
        keys.iter()
            .zip(outcomes)
            .try_for_each(|(key, outcome)| done(outcome, key))
            .map_err(|error| call.locate(error))
    }

    /// Removes a document; succeeds if there is none. References to it are left dangling.
    pub async fn delete(&self, key: impl AsKey) -> Result<()> {
        let key = key.to_key().map_err(|error| error.in_operation("delete"))?;
        let call = self.call("delete", Some(key.borrow()));
        let outcome =
            self.write_one(call, Operation::Delete, StoreItem::delete(key.clone())).await?;
        done(outcome, &key).map_err(|error| call.locate(error))
    }

    /// Checks and serialises a document for storing.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a document that a read could not read, and
    /// [`Schema`](ErrorKind::Schema) for one that contradicts the schema, or would replace a newer
    /// one that the cache holds.
    pub(super) fn prepare<T: Serialize + ?Sized>(
        &self,
        key: Key,
        document: &T,
        expect: Expect,
    ) -> Result<StoreItem> {
        let located = |error: Error| error.at_key(&key).in_space(&self.space);
        let schema = self.engine().schema();
        let entity = schema.and_then(|schema| schema.entity(key.entity_type()));
        let written = written_text(document, entity).map_err(located)?;
        if let Some(entity) = entity
            && expect != Expect::Absent
            && let Some(known) = self.engine().cache().peek(&self.space, key.borrow())
            && let Some(stored) = known.newer_than(entity.version())
        {
            let why = migrate::newer_is_kept(stored, entity.version());
            return Err(located(Error::schema(why)));
        }
        self.item(key, written, expect)
    }

    /// The write that stores the text of an edited document.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for text that is no document, and
    /// [`Schema`](ErrorKind::Schema) for a document that contradicts the schema.
    pub(super) fn prepare_text(&self, key: Key, text: String, expect: Expect) -> Result<StoreItem> {
        let version = migrate::validate_input(&text)
            .map_err(|error| error.at_key(&key).in_space(&self.space))?;
        self.item(key, WrittenText { text, version, fits: false }, expect)
    }

    /// The write that stores a valid text.
    fn item(&self, key: Key, written: WrittenText, expect: Expect) -> Result<StoreItem> {
        let located = |error: Error| error.at_key(&key).in_space(&self.space);
        let entity = match self.engine().schema() {
            None => None,
            Some(schema) => schema.governing(key.entity_type()).map_err(located)?,
        };
        let (text, version) = match entity {
            Some(entity) => {
                let text = migrate::stamp(entity, written).map_err(located)?;
                (text, Some(entity.version()))
            }
            None => (written.text, written.version),
        };
        let write = Write { key, expect, change: Change::Put(text.into_bytes().into()) };
        Ok(StoreItem { write, version, cacheable: true })
    }

    /// Stores one document and returns it as it is stored.
    pub(super) async fn store_one(
        &self,
        call: Call<'_>,
        operation: Operation,
        item: StoreItem,
    ) -> Result<Document> {
        let (key, version) = (item.write.key.clone(), item.version);
        let bytes = match &item.write.change {
            Change::Put(bytes) => bytes.clone(),
            Change::Delete => [].into(),
        };
        match self.write_one(call, operation, item).await? {
            Outcome::Stored(revision) => {
                Ok(Document::from_valid(key, Record { bytes, revision }, version))
            }
            outcome => {
                let error = done(outcome, &key).err();
                let other = || Error::new(ErrorKind::Other, "the store deleted what was put");
                Err(call.locate(error.unwrap_or_else(other)))
            }
        }
    }

    async fn write_one(
        &self,
        call: Call<'_>,
        operation: Operation,
        item: StoreItem,
    ) -> Result<Outcome> {
        let operation = self.engine().operation(call, operation, 1);
        let mut outcomes = self.engine().write(&operation, BatchMode::Each, vec![item]).await?;
        Ok(outcomes.pop().unwrap_or(Outcome::Aborted))
    }
}

/// Success, or the error that the outcome of a write amounts to.
pub(super) fn done(outcome: Outcome, key: &Key) -> Result<()> {
    match outcome {
        Outcome::Stored(_) | Outcome::Deleted => Ok(()),
        Outcome::Conflict => {
            let why = "the stored revision does not match the expected one";
            Err(Error::new(ErrorKind::Conflict, why).at_key(key))
        }
        Outcome::Aborted => {
            let why = "not written, since another write of the batch failed";
            Err(Error::new(ErrorKind::Conflict, why).at_key(key))
        }
        Outcome::Failed(error) => Err(error.at_key(key)),
    }
}

/// A document's JSON.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) for what is not an object, and for numbers that JSON
/// cannot hold.
pub(super) fn to_text<T: Serialize + ?Sized>(document: &T) -> Result<String> {
    let text = serde_json::to_string(document).map_err(|error| unwritable(&error))?;
    expect_object(&text).map_err(|error| Error::invalid_input(error.message()))?;
    if text.contains("null") {
        expect_finite(document)?;
    }
    Ok(text)
}
