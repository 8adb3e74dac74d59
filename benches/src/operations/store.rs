//! A store, and the baseline beside it.

use std::sync::Arc;

use pstate::{Adapter, Key};

use crate::Result;
use crate::backend::Backend;
use crate::baseline::Baseline;
use crate::documents::plain::{self, Record};
use crate::documents::store;

/// A store, and the baseline beside it with the same documents.
#[derive(Debug)]
pub(super) struct Store<B: Backend> {
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) baseline: B::Baseline,
    backend: B,
}

impl<B: Backend> Store<B> {
    /// A new store without documents.
    pub(super) async fn empty() -> Result<Self> {
        let backend = B::create().await?;
        let (adapter, baseline) = (backend.adapter(), backend.baseline().await?);
        Ok(Self { adapter, baseline, backend })
    }

    /// A new store with these documents; `has_index` if its baseline finds children by an index.
    pub(super) async fn new(texts: &[(Key, String)], has_index: bool) -> Result<Self> {
        let mut new = Self::empty().await?;
        store(&*new.adapter, texts).await?;
        let mut records = plain::records(texts)?;
        new.baseline.load(&records).await?;
        if has_index {
            without_children(&mut records);
            new.baseline.indexed_load(&records).await?;
        }
        new.settle().await?;
        Ok(new)
    }

    /// Finishes what earlier writes have deferred, by PState and by hand.
    pub(super) async fn settle(&mut self) -> Result<()> {
        self.backend.settle().await?;
        self.baseline.settle().await
    }
}

/// The documents as they are stored where an index finds children.
pub(super) fn without_children(records: &mut [Record]) {
    for record in records {
        record.document = record.document.clone().without_children();
    }
}
