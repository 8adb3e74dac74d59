//! Creating a document together with the reference to it.

use serde::Serialize;
use serde_json::{Value, json};

use super::pstate::PState;
use super::put::done;
use super::update::{MAX_UPDATES, pause, too_many_conflicts};
use crate::model::{
    AsKey, BatchMode, DocumentEditor, Error, ErrorKind, Expect, Key, Outcome, REF_MEMBER, Result,
};
use crate::storage::Atomicity;
use crate::telemetry::{Call, Operation};

impl PState {
    /// Creates a document and adds a reference to it to its parent's collection.
    ///
    /// The collection is the member `field` of the parent: an array gets the reference appended, an
    /// object gets it under the child's id; if there is none yet, an object is made.
    ///
    /// Both happen at once where the store writes batches atomically. Elsewhere the child comes
    /// first: a crash in between leaves a child without a reference to it, never a dangling
    /// reference.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("deck:es", &json!({"name": "Spanish"})).await?;
    /// pstate.create_linked("deck:es", "cards", "card:hola", &json!({"front": "hola"})).await?;
    /// assert_eq!(
    ///     pstate.get("deck:es").await?.unwrap().as_str(),
    ///     r#"{"cards":{"hola":{"$ref":"card:hola"}},"name":"Spanish"}"#
    /// );
    /// # Ok(())
    /// # }
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
        let located = |error: Error| error.in_operation("create_linked");
        let parent = parent.to_key().map_err(located)?;
        let link = Link { child: child.to_key().map_err(located)?, field };
        let call = self.call("create_linked", None);
        match self.engine().adapter().capabilities().atomicity {
            Atomicity::Batch => call.run(self.link_at_once(call, &parent, &link, document)).await,
            Atomicity::Key => call.run(self.link_child_first(call, &parent, &link, document)).await,
        }
    }

    async fn link_at_once<T: Serialize + ?Sized>(
        &self,
        call: Call<'_>,
        parent: &Key,
        link: &Link<'_>,
        document: &T,
    ) -> Result<()> {
        let child = &link.child;
        for attempt in 0..MAX_UPDATES {
            let stored = self.get(parent).await?.ok_or_else(|| no_parent(parent))?;
            let linked = self.prepare_edit(&stored, |editor| link.add_to(editor, parent))?;
            let items = vec![self.prepare(child.clone(), document, Expect::Absent)?, linked];
            let operation = self.engine().operation(call, Operation::CreateLinked, items.len());
            let outcomes = self.engine().write(&operation, BatchMode::Atomic, items).await?;
            match outcomes.as_slice() {
                [Outcome::Conflict, _] => return Err(exists(child)),
                [_, Outcome::Conflict] => pause(attempt).await,
                _ => {
                    let keys = [child, parent];
                    return keys.into_iter().zip(outcomes).try_for_each(|(key, it)| done(it, key));
                }
            }
        }
        Err(too_many_conflicts(parent))
    }

    async fn link_child_first<T: Serialize + ?Sized>(
        &self,
        call: Call<'_>,
        parent: &Key,
        link: &Link<'_>,
        document: &T,
    ) -> Result<()> {
        // What can be refused is refused before anything is written.
        let stored = self.get(parent).await?.ok_or_else(|| no_parent(parent))?;
        self.prepare_edit(&stored, |editor| link.add_to(editor, parent))?;
        let item = self.prepare(link.child.clone(), document, Expect::Absent)?;
        match self.store_one(call, Operation::CreateLinked, item).await {
            Err(error) if error.kind() == ErrorKind::Conflict => return Err(exists(&link.child)),
            result => result?,
        };
        self.edit_for(call, parent, |_, editor| link.add_to(editor, parent))
            .await?
            .map(|_| ())
            .ok_or_else(|| no_parent(parent))
    }
}

/// A reference to a child, and the member of the parent that it goes into.
struct Link<'a> {
    child: Key,
    field: &'a str,
}

impl Link<'_> {
    /// Adds the reference to the parent.
    fn add_to(&self, editor: &mut DocumentEditor<'_>, parent: &Key) -> Result<()> {
        let Self { child, field } = self;
        if child.id() == REF_MEMBER {
            let why = "the id `$ref` cannot stand in a collection";
            return Err(Error::invalid_input(why).at_key(child));
        }
        let reference = json!({ REF_MEMBER: child });
        match editor.object_mut().entry(*field).or_insert(Value::Null) {
            Value::Array(references) => references.push(reference),
            Value::Object(references) if !references.contains_key(REF_MEMBER) => {
                references.insert(child.id().to_owned(), reference);
            }
            slot @ Value::Null => *slot = json!({ child.id(): reference }),
            _ => {
                let why = format!("member `{field}` is not a collection");
                return Err(Error::invalid_input(why).at_key(parent));
            }
        }
        Ok(())
    }
}

fn no_parent(parent: &Key) -> Error {
    Error::invalid_input("the parent document does not exist").at_key(parent)
}

fn exists(child: &Key) -> Error {
    Error::new(ErrorKind::Conflict, "exists already").at_key(child)
}
