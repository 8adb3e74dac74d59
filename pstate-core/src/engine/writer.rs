//! Sending writes to the store, and keeping the cache coherent with them.

use std::sync::Arc;

use super::counters::Counters;
use super::observed_adapter::ObservedAdapter;
use crate::cache::{Cache, CacheKey, Freshness, IndeterminateWrites, WriteGuard};
use crate::document::Document;
use crate::model::{Batch, BatchMode, Change, Error, Key, Outcome, Record, Result, Space, Write};
use crate::runtime::{Home, shield};

/// One write, and what is known of the document that it stores.
#[derive(Debug, Clone)]
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
    pub(super) home: Home,
}

impl Writer {
    /// Writes items, in as many calls as the adapter needs. One outcome for each; an error of a
    /// whole call is [`Outcome::Failed`] for all items that it concerns. Continues to its end when
    /// the caller goes away.
    ///
    /// # Errors
    /// A duplicate key, and an atomic batch that the adapter cannot write as one; then nothing was
    /// written.
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
        let sent = parts.stamps.len();
        let work = async move { Ok(writer.write_in_chunks(&space, parts).await) };
        let stored = shield(&self.home, Box::pin(work)).await;
        let outcomes = stored.unwrap_or_else(|error| vec![Outcome::Failed(error); sent]);
        Ok(if too_long.is_empty() { outcomes } else { merge(outcomes, too_long) })
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
        shield(&self.home, Box::pin(work)).await
    }

    async fn write_in_chunks(&self, space: &Space, parts: Parts) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(parts.stamps.len());
        for chunk in parts.chunks(self.adapter.chunk_len()) {
            let count = chunk.stamps.len();
            match self.write_chunk(space, chunk).await {
                Ok(stored) => outcomes.extend(stored),
                Err(error) => outcomes.extend(vec![Outcome::Failed(error); count]),
            }
        }
        outcomes
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
        let mut too_long = Vec::new();
        let fits = |write: &Write| write.check_len(adapter.capabilities()).is_ok();
        if self.batch.writes.iter().all(fits) {
            return too_long;
        }
        let (mut at, mut fits) = (0, Vec::with_capacity(self.stamps.len()));
        self.batch.writes.retain(|write| {
            let checked = write.check_len(adapter.capabilities());
            fits.push(checked.is_ok());
            too_long.extend(checked.err().map(|error| (at, error)));
            at += 1;
            fits[at - 1]
        });
        let mut fits = fits.into_iter();
        self.stamps.retain(|_| fits.next().unwrap_or(true));
        too_long
    }

    /// The same in chunks of at most `len` writes; the usual batch is one chunk, as it is.
    fn chunks(self, len: usize) -> impl Iterator<Item = Self> {
        let Self { batch: Batch { mode, writes }, stamps } = self;
        let (one, many) = match stamps.len() {
            0 => (None, None),
            count if count <= len => (Some(Self { batch: Batch { mode, writes }, stamps }), None),
            _ => (None, Some((writes.into_iter(), stamps.into_iter()))),
        };
        let split = many.map(|(mut writes, mut stamps)| {
            std::iter::from_fn(move || {
                let writes: Vec<Write> = writes.by_ref().take(len).collect();
                let stamps = stamps.by_ref().take(len).collect();
                let batch = Batch { mode, writes };
                (!batch.writes.is_empty()).then_some(Self { batch, stamps })
            })
        });
        one.into_iter().chain(split.into_iter().flatten())
    }
}

/// The outcomes of all writes in their order, from those of the writes that were sent and the
/// places of the others.
fn merge(sent: Vec<Outcome>, others: Vec<(usize, Error)>) -> Vec<Outcome> {
    let mut merged = Vec::with_capacity(sent.len() + others.len());
    let mut sent = sent.into_iter();
    for (at, error) in others {
        let before = at - merged.len();
        merged.extend(sent.by_ref().take(before));
        merged.push(Outcome::Failed(error));
    }
    merged.extend(sent);
    merged
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
