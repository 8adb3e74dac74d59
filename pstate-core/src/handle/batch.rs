//! Atomic batches.

use serde::Serialize;

use super::pstate::PState;
use super::put::done;
use crate::engine::StoreItem;
use crate::model::{AsKey, BatchMode, Error, Expect, Key, Outcome, Result, Write};
use crate::telemetry::Operation;

/// Writes that happen together or not at all; made by [`PState::batch`].
#[derive(Debug)]
#[must_use = "a batch does nothing until it is committed"]
pub struct WriteBatch<'a> {
    pstate: &'a PState,
    items: Result<Vec<StoreItem>>,
}

impl PState {
    /// Begins a batch of writes that happen together or not at all.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pstate_core::Result<()> {
    /// # use std::sync::Arc;
    /// # let adapter = Arc::new(pstate_core::MemoryAdapter::new());
    /// # let pstate = pstate_core::PState::builder(adapter).build()?;
    /// use serde_json::json;
    ///
    /// pstate
    ///     .batch()
    ///     .put("account:a", &json!({"balance": 5}))
    ///     .put("account:b", &json!({"balance": 15}))
    ///     .commit()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch(&self) -> WriteBatch<'_> {
        WriteBatch { pstate: self, items: Ok(Vec::new()) }
    }
}

impl WriteBatch<'_> {
    /// Adds a document, whatever is stored; see [`PState::put`].
    pub fn put<T: Serialize + ?Sized>(self, key: impl AsKey, document: &T) -> Self {
        self.put_expecting(key, Expect::Any, document)
    }

    /// Adds a document under an expectation: that nothing is stored ([`Expect::Absent`]), or
    /// exactly what was read ([`Expect::Revision`] of
    /// [`Document::revision`](crate::Document::revision)).
    pub fn put_expecting<T: Serialize + ?Sized>(
        self,
        key: impl AsKey,
        expect: Expect,
        document: &T,
    ) -> Self {
        let pstate = self.pstate;
        self.add(|| pstate.prepare(key.to_key()?, document, expect))
    }

    /// Adds a removal.
    pub fn delete(self, key: impl AsKey) -> Self {
        self.delete_expecting(key, Expect::Any)
    }

    /// Adds a removal under an expectation.
    pub fn delete_expecting(self, key: impl AsKey, expect: Expect) -> Self {
        self.add(|| {
            let write = Write::delete(key.to_key()?).expecting(expect);
            Ok(StoreItem { write, version: None, cacheable: true })
        })
    }

    fn add(mut self, item: impl FnOnce() -> Result<StoreItem>) -> Self {
        // The first error is kept for `commit`, so that a batch is written as one chain.
        self.items = self.items.and_then(|mut items| {
            items.push(item()?);
            Ok(items)
        });
        self
    }

    /// Writes all of it or nothing. An empty batch does nothing.
    ///
    /// # Errors
    /// The first error of an added write; [`InvalidInput`](crate::ErrorKind::InvalidInput) for a
    /// key that is there twice; [`Conflict`](crate::ErrorKind::Conflict), with its key, for an
    /// expectation that does not hold; [`Unsupported`](crate::ErrorKind::Unsupported) for more
    /// than the store can write atomically; and what the store reports.
    pub async fn commit(self) -> Result<()> {
        let call = self.pstate.call("batch", None);
        let located = |error: Error| call.locate(error);
        let items = self.items.map_err(located)?;
        if items.is_empty() {
            return Ok(());
        }
        let keys: Vec<Key> = items.iter().map(|item| item.write.key.clone()).collect();
        let engine = self.pstate.engine();
        let operation = engine.operation(call, Operation::Batch, items.len());
        let outcomes = engine.write(&operation, BatchMode::Atomic, items).await?;
        // What failed says more than what was aborted because of it.
        let (aborted, decided): (Vec<_>, Vec<_>) =
            keys.iter().zip(outcomes).partition(|(_, outcome)| matches!(outcome, Outcome::Aborted));
        decided.into_iter().chain(aborted).try_for_each(|(key, outcome)| {
            match outcome {
                // An error of the whole batch has no key.
                Outcome::Failed(error) => Err(error),
                outcome => done(outcome, key),
            }
            .map_err(located)
        })
    }
}
