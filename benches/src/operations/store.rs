//! A store, and the baseline beside it.

use std::sync::Arc;

use pstate::{Adapter, Key};

use crate::Result;
use crate::backend::Backend;
use crate::baseline::Baseline;
use crate::documents::store;

/// A store, and the baseline beside it with the same documents.
#[derive(Debug)]
pub(super) struct Store<B: Backend> {
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) baseline: B::Baseline,
    _backend: B,
}

impl<B: Backend> Store<B> {
    /// A new store with these documents.
    pub(super) async fn new(texts: &[(Key, String)]) -> Result<Self> {
        let backend = B::create().await?;
        let adapter = backend.adapter();
        store(&*adapter, texts).await?;
        let mut baseline = backend.baseline().await?;
        if !B::IS_SHARED {
            baseline.load(texts).await?;
        }
        baseline.settle().await?;
        Ok(Self { adapter, baseline, _backend: backend })
    }
}
