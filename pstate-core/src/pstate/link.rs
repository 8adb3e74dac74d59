//! Creating a document together with the reference to it.

use serde::Serialize;
use serde_json::{Value, json};

use super::PState;
use super::write::{MAX_UPDATES, always_too_late, done, pause};
use crate::adapter::Atomicity;
use crate::document::{Document, Object};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{AsKey, Key};
use crate::record::{BatchMode, Expect, Outcome};
use crate::reference::REF_MEMBER;
use crate::telemetry::Operation;

impl PState {
    /// Creates a document and adds a reference to it to its parent's collection.
    ///
    /// The collection is the member `field` of the parent: an array gets the reference appended, an
    /// object gets it under the child's id; if there is none yet, an object is made.
    ///
    /// Both happen at once where the store writes batches atomically. Elsewhere the child comes
    /// first: a crash in between leaves a child that nobody refers to, never a dangling reference.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use std::sync::Arc;
    /// # let pstate = pstate_core::PState::builder(Arc::new(pstate_core::MemoryAdapter::new())).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("deck:es", &json!({"name": "Spanish"})).await?;
    /// pstate.create_linked("deck:es", "cards", "card:hola", &json!({"front": "hola"})).await?;
    /// assert_eq!(
    ///     pstate.get("deck:es").await?.unwrap().as_str(),
    ///     r#"{"cards":{"hola":{"$ref":"card:hola"}},"name":"Spanish"}"#
    /// );
    /// # Ok::<(), pstate_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if the child exists already;
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the parent does not, or its `field` holds
    /// something else than a collection; and those of [`put`](PState::put).
    pub async fn create_linked<T: Serialize + ?Sized>(
        &self,
        parent: impl AsKey,
        field: &str,
        child: impl AsKey,
        document: &T,
    ) -> Result<()> {
        let (parent, child) = (parent.to_key()?, child.to_key()?);
        let linked = match self.engine().capabilities.atomicity {
            Atomicity::Batch => self.link_at_once(&parent, field, &child, document).await,
            Atomicity::Key => self.link_child_first(&parent, field, &child, document).await,
        };
        linked.map_err(|error| error.in_operation("create_linked"))
    }

    async fn link_at_once<T: Serialize + ?Sized>(
        &self,
        parent: &Key,
        field: &str,
        child: &Key,
        document: &T,
    ) -> Result<()> {
        for attempt in 0..MAX_UPDATES {
            let stored = self.get(parent).await?.ok_or_else(|| no_parent(parent))?;
            let linked = with_reference(&stored, field, child)?;
            let items = vec![
                self.prepare(child.clone(), document, Expect::Absent)?,
                self.prepare_update(&stored, linked)?,
            ];
            let operation = Operation::CreateLinked;
            let outcomes =
                self.engine().store(operation, &self.space, BatchMode::Atomic, items).await;
            match outcomes.as_slice() {
                [Outcome::Conflict, _] => return Err(exists(child)),
                [_, Outcome::Conflict] => pause(attempt).await,
                _ => {
                    let keys = [child, parent];
                    return keys.into_iter().zip(outcomes).try_for_each(|(key, it)| done(it, key));
                }
            }
        }
        Err(always_too_late(parent))
    }

    async fn link_child_first<T: Serialize + ?Sized>(
        &self,
        parent: &Key,
        field: &str,
        child: &Key,
        document: &T,
    ) -> Result<()> {
        // What can be refused is refused before anything is written.
        let stored = self.get(parent).await?.ok_or_else(|| no_parent(parent))?;
        with_reference(&stored, field, child)?;
        let item = self.prepare(child.clone(), document, Expect::Absent)?;
        match self.store_one(Operation::CreateLinked, "create_linked", item).await {
            Err(error) if error.kind() == ErrorKind::Conflict => return Err(exists(child)),
            result => result?,
        };
        self.update_document(parent.clone(), |stored| with_reference(stored, field, child))
            .await?
            .map(|_| ())
            .ok_or_else(|| no_parent(parent))
    }
}

/// The parent's object with one reference more.
fn with_reference(parent: &Document, field: &str, child: &Key) -> Result<Object> {
    if child.id() == REF_MEMBER {
        return Err(
            Error::invalid_input("the id `$ref` cannot stand in a collection").at_key(child)
        );
    }
    let mut object = parent.to_object()?;
    let reference = json!({ REF_MEMBER: child });
    match object.entry(field).or_insert(Value::Null) {
        Value::Array(references) => references.push(reference),
        Value::Object(references) if !references.contains_key(REF_MEMBER) => {
            references.insert(child.id().to_owned(), reference);
        }
        slot @ Value::Null => *slot = json!({ child.id(): reference }),
        _ => {
            return Err(Error::invalid_input(format!("member `{field}` is no collection"))
                .at_key(parent.key()));
        }
    }
    Ok(object)
}

fn no_parent(parent: &Key) -> Error {
    Error::invalid_input("there is no such parent").at_key(parent)
}

fn exists(child: &Key) -> Error {
    Error::new(ErrorKind::Conflict, "exists already").at_key(child)
}
