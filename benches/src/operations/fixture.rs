//! A store with its documents, and reads of what is not cached.

use std::hint::black_box;

use futures_util::TryStreamExt;
use pstate::{Document, Key, PState};
use serde_json::Value;

use crate::backend::Backend;
use crate::baseline::{Baseline, Parse, graph, keep, parse};
use crate::documents::{BATCH, Dataset, ELEVEN};
use crate::measure::timed;
use crate::{Error, Result};

use super::contender::Contender;
use super::operation::Operation;
use super::store::Store;
use super::tasks;

/// How many single documents a run reads, each a sample.
pub(super) const COLD_GETS: usize = 100;

/// Room for all that a run reads, and for the documents that fill the cache before.
pub(super) const CACHE_BYTES: u64 = 8 << 20;

/// How deep decks are resolved: down to their cards' translations.
pub(super) const DEPTH: usize = 2;

/// A store with its documents.
#[derive(Debug)]
pub(super) struct Fixture<B: Backend> {
    pub(super) dataset: Dataset,
    pub(super) store: Store<B>,
    /// Keys next to those of cards, under which the store has nothing.
    missing: Vec<Key>,
}

impl<B: Backend> Fixture<B> {
    /// A new store with these documents.
    pub(super) async fn new((dataset, texts): (Dataset, Vec<(Key, String)>)) -> Result<Self> {
        let store = Store::new(&texts).await?;
        let missing = dataset.keys(0, dataset.cards.len().min(10_000)).into_iter();
        let missing = missing.map(|key| Key::new(key.entity_type(), &format!("{}-none", key.id())));
        let missing = missing.collect::<Result<_, _>>()?;
        Ok(Self { dataset, store, missing })
    }

    /// One sample or more, in nanoseconds. The preparation is not part of them.
    pub(super) async fn run_once(
        &mut self,
        operation: Operation,
        contender: Contender,
        round: usize,
    ) -> Result<Vec<f64>> {
        match contender {
            Contender::Raw => self.by_baseline(operation, round, keep).await,
            Contender::Baseline if operation.is_resolving() => {
                self.resolve_by_baseline(round).await
            }
            Contender::Baseline => self.by_baseline(operation, round, parse::<Value>).await,
            _ => self.by_pstate(operation, round).await,
        }
    }

    /// A handle that has cached nothing that is measured. Its cache holds other documents: a new
    /// one would pay for the first touch of its memory.
    pub(super) async fn cold(&self) -> Result<PState> {
        self.cold_with(CACHE_BYTES).await
    }

    async fn cold_with(&self, cache_bytes: u64) -> Result<PState> {
        let pstate =
            PState::builder(self.store.adapter.clone()).cache_bytes(cache_bytes).build()?;
        pstate.multi_get(&self.dataset.filling).await?;
        Ok(pstate)
    }

    async fn by_pstate(&mut self, operation: Operation, round: usize) -> Result<Vec<f64>> {
        let values = operation.wants_values();
        match operation {
            Operation::GetMissing => self.get_each(self.missing(round), false).await,
            Operation::MultiGet10 => self.multi_get(round, 10, false).await,
            Operation::MultiGet100 | Operation::MultiGet100Values | Operation::MultiGet380K => {
                self.multi_get(round, BATCH, values).await
            }
            Operation::Get64Tasks => {
                let pstate = self.cold().await?;
                tasks::get_by_pstate(&pstate, self.task_keys(round)).await
            }
            Operation::Preload | Operation::PreloadValues | Operation::Preload380K => {
                self.preload(round, "cards", values).await
            }
            Operation::PreloadDeep | Operation::PreloadDeepValues => {
                self.preload(round, "cards.translations", values).await
            }
            Operation::ResolveCold => {
                // The cache keeps no value that takes more than a 32nd of it.
                let pstate = self.cold_with(32 * CACHE_BYTES).await?;
                let deck = self.dataset.deck(round);
                Ok(vec![timed(pstate.get_resolved(deck, DEPTH)).await?])
            }
            Operation::Scan11Of380K => {
                let pstate = self.cold().await?;
                let scan = async {
                    let found: Vec<Document> = pstate.scan(ELEVEN).stream().try_collect().await?;
                    expect_eleven(found.len())?;
                    Ok::<_, Error>(found)
                };
                Ok(vec![timed(scan).await?])
            }
            _ => self.get_each(self.dataset.keys(round, COLD_GETS), values).await,
        }
    }

    async fn get_each(&self, keys: Vec<Key>, values: bool) -> Result<Vec<f64>> {
        let pstate = self.cold().await?;
        let mut samples = Vec::with_capacity(keys.len());
        for key in &keys {
            let load = async {
                let document = pstate.get(key).await?;
                if values {
                    open(&document)?;
                }
                Ok::<_, Error>(document)
            };
            samples.push(timed(load).await?);
        }
        Ok(samples)
    }

    async fn multi_get(&self, round: usize, count: usize, values: bool) -> Result<Vec<f64>> {
        let pstate = self.cold().await?;
        let keys = self.dataset.keys(round, count);
        let load = async {
            let documents = pstate.multi_get(&keys).await?;
            if values {
                open(documents.iter().flatten())?;
            }
            Ok::<_, Error>(documents)
        };
        Ok(vec![timed(load).await?])
    }

    async fn preload(&self, round: usize, paths: &str, values: bool) -> Result<Vec<f64>> {
        let pstate = self.cold().await?;
        let deck = self.dataset.deck(round);
        let load = async {
            let loaded = pstate.preload(deck, paths).await?;
            if values && let Some(loaded) = &loaded {
                open(loaded.documents())?;
            }
            Ok::<_, Error>(loaded)
        };
        Ok(vec![timed(load).await?])
    }

    async fn by_baseline<T: Send + 'static>(
        &mut self,
        operation: Operation,
        round: usize,
        parse: Parse<T>,
    ) -> Result<Vec<f64>> {
        // PState's handle has just read these to fill its cache, so the baseline reads them as
        // well.
        black_box(self.store.baseline.multi_get(&self.dataset.filling, parse).await?);
        let baseline = &mut self.store.baseline;
        let deck = self.dataset.deck(round);
        let sample = match operation {
            Operation::MultiGet10 => {
                let keys = self.dataset.keys(round, 10);
                timed(baseline.multi_get(&keys, parse)).await?
            }
            Operation::MultiGet100 | Operation::MultiGet100Values | Operation::MultiGet380K => {
                let keys = self.dataset.keys(round, BATCH);
                timed(baseline.multi_get(&keys, parse)).await?
            }
            Operation::Get64Tasks => {
                return tasks::get_by_baseline(&self.store.baseline, self.task_keys(round), parse)
                    .await;
            }
            Operation::Preload | Operation::PreloadValues | Operation::Preload380K => {
                timed(baseline.deck(deck, parse)).await?
            }
            Operation::PreloadDeep | Operation::PreloadDeepValues => {
                timed(baseline.deep_deck(deck, parse)).await?
            }
            Operation::Scan11Of380K => {
                let scan = async {
                    let found = baseline.scan(ELEVEN, parse).await?;
                    expect_eleven(found.len())?;
                    Ok::<_, Error>(found)
                };
                timed(scan).await?
            }
            _ => {
                let keys = match operation {
                    Operation::GetMissing => self.missing(round),
                    _ => self.dataset.keys(round, COLD_GETS),
                };
                let mut samples = Vec::with_capacity(keys.len());
                for key in &keys {
                    samples.push(timed(self.store.baseline.get(key, parse)).await?);
                }
                return Ok(samples);
            }
        };
        Ok(vec![sample])
    }

    async fn resolve_by_baseline(&mut self, round: usize) -> Result<Vec<f64>> {
        black_box(self.store.baseline.multi_get(&self.dataset.filling, parse::<Value>).await?);
        let resolve = async {
            let deck =
                self.store.baseline.deep_deck(self.dataset.deck(round), parse::<Value>).await?;
            Ok::<_, Error>(graph::expand(deck))
        };
        Ok(vec![timed(resolve).await?])
    }

    fn missing(&self, round: usize) -> Vec<Key> {
        let from = round * COLD_GETS % self.missing.len();
        self.missing.iter().cycle().skip(from).take(COLD_GETS).cloned().collect()
    }

    /// The keys that each of the tasks reads.
    fn task_keys(&self, round: usize) -> Vec<Vec<Key>> {
        let keys = self.dataset.keys(round, tasks::TASKS * tasks::GETS);
        keys.chunks(tasks::GETS).map(<[Key]>::to_vec).collect()
    }
}

impl Operation {
    fn is_resolving(self) -> bool {
        matches!(self, Self::Resolve | Self::ResolveCold)
    }
}

/// Asks documents for their trees.
fn open<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Result<()> {
    for document in documents {
        document.value()?;
    }
    Ok(())
}

fn expect_eleven(found: usize) -> Result<()> {
    if found == 11 { Ok(()) } else { Err(format!("{found} documents instead of 11").into()) }
}
