//! Sending writes to the store, and keeping the cache coherent with them.

use std::sync::Arc;

use super::counters::Counters;
use super::observed_adapter::ObservedAdapter;
use crate::cache::{Cache, CacheKey, Freshness, IndeterminateWrites, WriteGuard};
use crate::document::Document;
use crate::model::{Batch, BatchMode, Change, Error, Key, Outcome, Record, Result, Space, Write};
use crate::runtime::{Handle, shield};

/// One write, and what is known of the document that it stores.
#[derive(Debug)]
pub(crate) struct StoreItem {
    pub(crate) write: Write,
    /// The `$v` in what is put.
    pub(crate) version: Option<u32>,
    /// Whether what is put is what a read returns, so that it may be cached.
    pub(crate) cacheable: bool,
}

impl StoreItem {
    /// The removal of a document.
    pub(crate) fn delete(key: Key) -> Self {
        Self { write: Write::delete(key), version: None, cacheable: true }
    }
}

/// Writes to the store, each write announced to the cache before it begins.
pub(crate) struct Writer {
    pub(super) adapter: Arc<ObservedAdapter>,
    pub(super) cache: Arc<Cache>,
    pub(super) freshness: Arc<Freshness>,
    pub(super) indeterminate: Arc<IndeterminateWrites>,
    pub(super) counters: Arc<Counters>,
    pub(super) runtime: Handle,
}

impl Writer {
    /// Writes items, in as many calls as the adapter needs. One outcome for each; an error of a
    /// whole call is [`Outcome::Failed`] for all items that it concerns. Continues to its end when
    /// the caller goes away.
    ///
    /// # Errors
    /// Before anything is written: a duplicate key, and an atomic batch that the adapter cannot
    /// write as one.
    pub(super) async fn write(
        self: &Arc<Self>,
        space: &Space,
        mode: BatchMode,
        items: Vec<StoreItem>,
    ) -> Result<Vec<Outcome>> {
        let mut parts = Parts::new(mode, items);
        parts.batch.check_as_whole(self.adapter.capabilities())?;
        let too_long = parts.take_too_long(&self.adapter);
        if mode == BatchMode::Atomic
            && let Some((_, error)) = too_long.first()
        {
            return Err(error.clone());
        }
        let (writer, space) = (self.clone(), space.clone());
        let work = async move { Ok(writer.write_in_chunks(&space, parts).await) };
        let mut outcomes = shield(&self.runtime, work).await?;
        for (at, error) in too_long {
            outcomes.insert(at, Outcome::Failed(error));
        }
        Ok(outcomes)
    }

    /// Writes items, each for itself, in one call; at most as many as the adapter takes. Continues
    /// to its end when the caller goes away.
    ///
    /// # Errors
    /// Those of the call as a whole.
    pub(super) async fn write_together(
        self: &Arc<Self>,
        space: &Space,
        items: Vec<StoreItem>,
    ) -> Result<Vec<Outcome>> {
        let (writer, space) = (self.clone(), space.clone());
        let parts = Parts::new(BatchMode::Each, items);
        let work = async move { writer.write_chunk(&space, parts).await };
        shield(&self.runtime, work).await
    }

    async fn write_in_chunks(&self, space: &Space, mut parts: Parts) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(parts.stamps.len());
        loop {
            let rest = parts.split_off(self.adapter.chunk_len());
            let count = parts.stamps.len();
            if count == 0 {
                return outcomes;
            }
            match self.write_chunk(space, parts).await {
                Ok(stored) => outcomes.extend(stored),
                Err(error) => outcomes.extend(vec![Outcome::Failed(error); count]),
            }
            parts = rest;
        }
    }

    async fn write_chunk(&self, space: &Space, parts: Parts) -> Result<Vec<Outcome>> {
        let Parts { batch, stamps } = parts;
        let cache_key = |write: &Write| CacheKey { space: space.clone(), key: write.key.clone() };
        self.freshness.subscribe().await;
        let guard = WriteGuard::begin(&self.cache, batch.writes.iter().map(cache_key).collect());
        self.counters.writes.add(1);
        match self.adapter.write(space, &batch).await {
            Ok(outcomes) => {
                let writes = batch.writes.iter().zip(&outcomes).zip(stamps);
                guard.settle(writes.map(|((write, outcome), stamp)| stored(write, outcome, stamp)));
                Ok(outcomes)
            }
            Err(error) => {
                if error.is_indeterminate() {
                    self.indeterminate.add(guard);
                } else {
                    guard.settle([]);
                }
                Err(error.in_operation("write").in_space(space))
            }
        }
    }
}

/// A batch, and beside each of its writes what is known of the document that it stores.
struct Parts {
    batch: Batch,
    stamps: Vec<Stamp>,
}

/// The `$v` in what is put, and whether that may be cached.
type Stamp = (Option<u32>, bool);

impl Parts {
    fn new(mode: BatchMode, items: Vec<StoreItem>) -> Self {
        let part = |item: StoreItem| (item.write, (item.version, item.cacheable));
        let (writes, stamps) = items.into_iter().map(part).unzip();
        Self { batch: Batch { mode, writes }, stamps }
    }

    /// Takes out the writes whose values are longer than the adapter takes, each with its place.
    fn take_too_long(&mut self, adapter: &ObservedAdapter) -> Vec<(usize, Error)> {
        let check = |write: &Write| write.check_len(adapter.capabilities()).err();
        let places = self.batch.writes.iter().enumerate();
        let too_long: Vec<_> =
            places.filter_map(|(at, write)| check(write).map(|error| (at, error))).collect();
        for (at, _) in too_long.iter().rev() {
            self.batch.writes.remove(*at);
            self.stamps.remove(*at);
        }
        too_long
    }

    /// Keeps at most `len` writes, and returns the rest.
    fn split_off(&mut self, len: usize) -> Self {
        let len = len.min(self.stamps.len());
        let batch = Batch { mode: self.batch.mode, writes: self.batch.writes.split_off(len) };
        Self { batch, stamps: self.stamps.split_off(len) }
    }
}

/// What a read returns after a write with this outcome; `None` if that is not known.
fn stored(
    write: &Write,
    outcome: &Outcome,
    (version, cacheable): Stamp,
) -> Option<Option<Document>> {
    match (&write.change, outcome) {
        (Change::Put(bytes), Outcome::Stored(revision)) if cacheable => {
            let record = Record { bytes: bytes.clone(), revision: *revision };
            Some(Some(Document::from_valid(write.key.clone(), record, version)))
        }
        (Change::Delete, Outcome::Deleted) => Some(None),
        _ => None,
    }
}
