//! Documents and the references to them in their parents' collections.

use serde::Serialize;

use super::pstate::PState;
use super::put::done;
use super::update::{MAX_UPDATES, pause, too_many_conflicts};
use crate::engine::StoreItem;
use crate::model::{
    AsKey, BatchMode, Error, ErrorKind, Expect, Key, Outcome, Result, add_references,
    remove_references,
};
use crate::storage::Atomicity;
use crate::telemetry::{Call, Operation};

impl PState {
    /// Creates a document and adds a reference to it to its parent's collection.
    ///
    /// The collection is the member `field` of the parent: an array gets the reference appended, an
    /// object gets it under the child's id, behind those that are there; if there is none yet, an
    /// object is made.
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
    ///     r#"{"name":"Spanish","cards":{"hola":{"$ref":"card:hola"}}}"#
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if the child exists already, or the collection holds a
    /// reference to a document of another type under the child's id;
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the parent does not exist, or its `field` holds
    /// something else than a collection of references; and those of [`put`](PState::put). Nothing
    /// is stored then.
    ///
    /// # Cost
    /// It reads and writes the whole parent. For many children use
    /// [`create_linked_many`](PState::create_linked_many).
    pub async fn create_linked<T: Serialize + ?Sized>(
        &self,
        parent: impl AsKey,
        field: &str,
        child: impl AsKey,
        document: &T,
    ) -> Result<()> {
        let located = |error: Error| error.in_operation("create_linked");
        let parent = parent.to_key().map_err(located)?;
        let child = child.to_key().map_err(located)?;
        let call = self.call("create_linked", None);
        let prepared = self.prepare(child, document, Expect::Absent);
        let children = vec![prepared.map_err(|error| call.locate(error))?];
        call.run(self.create_and_link(call, &parent, field, children)).await
    }

    /// Creates documents and adds references to them to their parent's collection, in their order;
    /// see [`create_linked`](PState::create_linked).
    ///
    /// Where the store writes batches atomically, the documents are created in batches, each
    /// together with its references: each batch is stored whole or not at all. Elsewhere the
    /// documents come first, and then all their references.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("deck:es", &json!({})).await?;
    /// let cards = [("card:a", json!({"front": "hola"})), ("card:b", json!({"front": "adiós"}))];
    /// pstate.create_linked_many("deck:es", "cards", cards).await?;
    /// let loaded = pstate.preload("deck:es", "cards").await?.unwrap();
    /// assert_eq!(loaded.follow(loaded.root(), "cards")?.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`create_linked`](PState::create_linked), for the first child that fails. Those in
    /// earlier batches, or without atomic batches all others, are stored and linked.
    ///
    /// # Cost
    /// One write of the parent for each [`max_batch`](crate::Capabilities::max_batch) children.
    pub async fn create_linked_many<K: AsKey, T: Serialize>(
        &self,
        parent: impl AsKey,
        field: &str,
        children: impl IntoIterator<Item = (K, T)>,
    ) -> Result<()> {
        let call = self.call("create_linked_many", None);
        let located = |error: Error| call.locate(error);
        let parent = parent.to_key().map_err(located)?;
        let children = children
            .into_iter()
            .map(|(child, document)| self.prepare(child.to_key()?, &document, Expect::Absent))
            .collect::<Result<Vec<_>>>()
            .map_err(located)?;
        call.run(self.create_and_link(call, &parent, field, children)).await
    }

    /// Adds references to documents to their parent's collection, in one write; see
    /// [`create_linked`](PState::create_linked). References that are there already stay where they
    /// are. Whether the documents exist is not looked up.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the parent does not exist, or its `field` holds
    /// something else than a collection of references; [`Conflict`](ErrorKind::Conflict) if the
    /// collection holds a reference to a document of another type under one of the ids; and those
    /// of [`update`](PState::update).
    pub async fn link<K: AsKey>(
        &self,
        parent: impl AsKey,
        field: &str,
        children: impl IntoIterator<Item = K>,
    ) -> Result<()> {
        let call = self.call("link", None);
        let located = |error: Error| call.locate(error);
        let parent = parent.to_key().map_err(located)?;
        let children = to_keys(children).map_err(located)?;
        call.run(self.add_links(call, &parent, field, &children)).await
    }

    /// Removes the references to documents from their parent's collection, in one write; returns
    /// how many were there. The documents stay.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use serde_json::json;
    ///
    /// pstate.put("deck:es", &json!({"cards": [{"$ref": "card:hola"}]})).await?;
    /// assert_eq!(pstate.unlink("deck:es", "cards", ["card:hola"]).await?, 1);
    /// assert_eq!(pstate.get("deck:es").await?.unwrap().as_str(), r#"{"cards":[]}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the parent's `field` holds something else than
    /// a collection of references, and those of [`update`](PState::update). A parent that does not
    /// exist has no references.
    pub async fn unlink<K: AsKey>(
        &self,
        parent: impl AsKey,
        field: &str,
        children: impl IntoIterator<Item = K>,
    ) -> Result<usize> {
        let call = self.call("unlink", None);
        let located = |error: Error| call.locate(error);
        let parent = parent.to_key().map_err(located)?;
        let children = to_keys(children).map_err(located)?;
        call.run(self.remove_links(call, &parent, field, &children)).await
    }

    async fn create_and_link(
        &self,
        call: Call<'_>,
        parent: &Key,
        field: &str,
        mut children: Vec<StoreItem>,
    ) -> Result<()> {
        let adapter = self.engine().adapter();
        // One place in each batch is the parent's.
        let at_once = match adapter.capabilities().atomicity {
            Atomicity::Batch => adapter.chunk_len() - 1,
            Atomicity::Key => 0,
        };
        if at_once == 0 {
            return self.link_children_first(call, parent, field, children).await;
        }
        while !children.is_empty() {
            let rest = children.split_off(at_once.min(children.len()));
            self.link_at_once(call, parent, field, children).await?;
            children = rest;
        }
        Ok(())
    }

    async fn link_at_once(
        &self,
        call: Call<'_>,
        parent: &Key,
        field: &str,
        children: Vec<StoreItem>,
    ) -> Result<()> {
        let mut keys: Vec<Key> = children.iter().map(|item| item.write.key.clone()).collect();
        for attempt in 0..MAX_UPDATES {
            let stored = self.get(parent).await?.ok_or_else(|| no_parent(parent))?;
            let linked =
                self.prepare_edit(&stored, |stored| add_references(stored.as_str(), field, &keys))?;
            let mut items = children.clone();
            items.push(linked);
            let operation = self.engine().operation(call, Operation::CreateLinked, items.len());
            let outcomes = self.engine().write(&operation, BatchMode::Atomic, items).await?;
            if let Some(at) = outcomes.iter().position(|it| matches!(it, Outcome::Conflict)) {
                if let Some(child) = keys.get(at) {
                    return Err(exists(child));
                }
                pause(attempt).await;
                continue;
            }
            keys.push(parent.clone());
            return keys.iter().zip(outcomes).try_for_each(|(key, outcome)| done(outcome, key));
        }
        Err(too_many_conflicts(parent))
    }

    async fn link_children_first(
        &self,
        call: Call<'_>,
        parent: &Key,
        field: &str,
        children: Vec<StoreItem>,
    ) -> Result<()> {
        // What can be refused is refused before anything is written.
        let stored = self.get(parent).await?.ok_or_else(|| no_parent(parent))?;
        let keys: Vec<Key> = children.iter().map(|item| item.write.key.clone()).collect();
        self.prepare_edit(&stored, |stored| add_references(stored.as_str(), field, &keys))?;
        let operation = self.engine().operation(call, Operation::CreateLinked, children.len());
        let outcomes = self.engine().write(&operation, BatchMode::Each, children).await?;
        let mut failed = Ok(());
        let mut created = Vec::with_capacity(keys.len());
        for (key, outcome) in keys.into_iter().zip(outcomes) {
            let result = match outcome {
                Outcome::Conflict => Err(exists(&key)),
                outcome => done(outcome, &key),
            };
            match result {
                Ok(()) => created.push(key),
                Err(_) => failed = failed.and(result),
            }
        }
        if !created.is_empty() {
            self.add_links(call, parent, field, &created).await?;
        }
        failed
    }

    async fn add_links(
        &self,
        call: Call<'_>,
        parent: &Key,
        field: &str,
        children: &[Key],
    ) -> Result<()> {
        self.edit_for(call, parent, |parent| add_references(parent.as_str(), field, children))
            .await?
            .map(|_| ())
            .ok_or_else(|| no_parent(parent))
    }

    async fn remove_links(
        &self,
        call: Call<'_>,
        parent: &Key,
        field: &str,
        children: &[Key],
    ) -> Result<usize> {
        for attempt in 0..MAX_UPDATES {
            let Some(stored) = self.get(parent).await? else { return Ok(0) };
            let removed = remove_references(stored.as_str(), field, children)
                .map_err(|error| error.at_key(parent))?;
            let Some((text, count)) = removed else { return Ok(0) };
            let item = self.prepare_edit(&stored, |_| Ok(text))?;
            match self.store_one(call, Operation::Update, item).await {
                Err(error) if error.kind() == ErrorKind::Conflict => pause(attempt).await,
                result => return result.map(|_| count),
            }
        }
        Err(too_many_conflicts(parent))
    }
}

fn to_keys<K: AsKey>(keys: impl IntoIterator<Item = K>) -> Result<Vec<Key>> {
    keys.into_iter().map(|key| key.to_key()).collect()
}

fn no_parent(parent: &Key) -> Error {
    Error::invalid_input("the parent document does not exist").at_key(parent)
}

fn exists(child: &Key) -> Error {
    Error::new(ErrorKind::Conflict, "exists already").at_key(child)
}
