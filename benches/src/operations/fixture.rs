//! A store with its documents, and reads of what is not cached.

use futures_util::TryStreamExt;
use pstate::{Document, Key, PState};

use crate::backend::Backend;
use crate::baseline::{Baseline, Depth};
use crate::documents::card::CARDS;
use crate::documents::{BATCH, Dataset, ELEVEN};
use crate::measure::timed;
use crate::{Error, Result};

use super::contender::Contender;
use super::operation::{Operation, Want};
use super::store::Store;
use super::structs::{DEEP, typed, typed_cards};
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
    /// A new store with these documents; `has_index` if its baseline finds children by an index.
    pub(super) async fn new(
        (dataset, texts): (Dataset, Vec<(Key, String)>),
        has_index: bool,
    ) -> Result<Self> {
        let store = Store::new(&texts, has_index).await?;
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
            Contender::Baseline => self.by_baseline(operation, round).await,
            Contender::Index => self.by_index(operation, round).await,
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
        let want = operation.wants();
        match operation {
            Operation::GetMissing => self.get_each(self.missing(round), want).await,
            Operation::MultiGet10 => self.multi_get(round, 10, want).await,
            Operation::MultiGet100
            | Operation::MultiGet100Typed
            | Operation::MultiGet100Values
            | Operation::MultiGet380K => self.multi_get(round, BATCH, want).await,
            Operation::Get64Tasks => {
                let pstate = self.cold().await?;
                tasks::get_by_pstate(&pstate, self.task_keys(round)).await
            }
            Operation::Preload
            | Operation::PreloadTyped
            | Operation::Preload380K
            | Operation::PreloadDeep
            | Operation::PreloadDeepTyped => self.preload(operation, round).await,
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
            _ => self.get_each(self.dataset.keys(round, COLD_GETS), want).await,
        }
    }

    async fn get_each(&self, keys: Vec<Key>, want: Want) -> Result<Vec<f64>> {
        let pstate = self.cold().await?;
        let mut samples = Vec::with_capacity(keys.len());
        for key in &keys {
            samples.push(match want {
                Want::Nothing => timed(pstate.get(key)).await?,
                Want::Struct => timed(CARDS.get(&pstate, key.id())).await?,
                Want::Tree => {
                    let load = async {
                        let document = pstate.get(key).await?;
                        open(&document)?;
                        Ok::<_, Error>(document)
                    };
                    timed(load).await?
                }
            });
        }
        Ok(samples)
    }

    async fn multi_get(&self, round: usize, count: usize, want: Want) -> Result<Vec<f64>> {
        let pstate = self.cold().await?;
        let keys = self.dataset.keys(round, count);
        let nanos = match want {
            Want::Nothing => timed(pstate.multi_get(&keys)).await?,
            Want::Struct => {
                let ids: Vec<&str> = keys.iter().map(Key::id).collect();
                timed(CARDS.multi_get(&pstate, &ids)).await?
            }
            Want::Tree => {
                let load = async {
                    let documents = pstate.multi_get(&keys).await?;
                    open(documents.iter().flatten())?;
                    Ok::<_, Error>(documents)
                };
                timed(load).await?
            }
        };
        Ok(vec![nanos])
    }

    async fn preload(&self, operation: Operation, round: usize) -> Result<Vec<f64>> {
        let pstate = self.cold().await?;
        let deck = self.dataset.deck(round);
        let nanos = match operation {
            Operation::PreloadTyped => {
                let load =
                    async { typed_cards(&pstate.preload(deck, "cards").await?.ok_or("no deck")?) };
                timed(load).await?
            }
            Operation::PreloadDeepTyped => {
                let load = async { typed(&pstate.preload(deck, DEEP).await?.ok_or("no deck")?) };
                timed(load).await?
            }
            Operation::PreloadDeep => timed(pstate.preload(deck, DEEP)).await?,
            _ => timed(pstate.preload(deck, "cards")).await?,
        };
        Ok(vec![nanos])
    }

    async fn by_baseline(&mut self, operation: Operation, round: usize) -> Result<Vec<f64>> {
        // PState's handle has just read these to fill its cache, so the baseline reads them as
        // well.
        self.touch_pages(operation).await?;
        let baseline = &mut self.store.baseline;
        let deck = self.dataset.deck(round);
        let sample = match operation {
            Operation::MultiGet10 => {
                let keys = self.dataset.keys(round, 10);
                timed(baseline.multi_get(&keys)).await?
            }
            Operation::MultiGet100
            | Operation::MultiGet100Typed
            | Operation::MultiGet100Values
            | Operation::MultiGet380K => {
                let keys = self.dataset.keys(round, BATCH);
                timed(baseline.multi_get(&keys)).await?
            }
            Operation::Get64Tasks => {
                return tasks::get_by_baseline(&self.store.baseline, self.task_keys(round)).await;
            }
            Operation::Resolve | Operation::ResolveCold => timed(baseline.tree(deck)).await?,
            Operation::Scan11Of380K => {
                let scan = async {
                    let found = baseline.scan(ELEVEN).await?;
                    expect_eleven(found.len())?;
                    Ok::<_, Error>(found)
                };
                timed(scan).await?
            }
            _ => {
                if let Some(depth) = operation.depth() {
                    timed(baseline.graph(deck, depth)).await?
                } else {
                    let keys = match operation {
                        Operation::GetMissing => self.missing(round),
                        _ => self.dataset.keys(round, COLD_GETS),
                    };
                    let mut samples = Vec::with_capacity(keys.len());
                    for key in &keys {
                        samples.push(timed(self.store.baseline.get(key)).await?);
                    }
                    return Ok(samples);
                }
            }
        };
        Ok(vec![sample])
    }

    async fn by_index(&mut self, operation: Operation, round: usize) -> Result<Vec<f64>> {
        self.touch_pages(operation).await?;
        let baseline = &mut self.store.baseline;
        let deck = self.dataset.deck(round);
        let sample = match operation.depth() {
            Some(depth) => timed(baseline.indexed_graph(deck, depth)).await?,
            None => timed(baseline.indexed_tree(deck)).await?,
        };
        Ok(vec![sample])
    }

    /// Reads what a new handle of PState has read to fill its cache.
    async fn touch_pages(&mut self, operation: Operation) -> Result<()> {
        if !operation.is_preloaded_before() {
            self.store.baseline.touch(&self.dataset.filling).await?;
        }
        Ok(())
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
    /// How much of a graph of structs it reads; `None` if it reads none.
    fn depth(self) -> Option<Depth> {
        match self {
            Self::Preload | Self::PreloadTyped | Self::Preload380K => Some(Depth::Cards),
            Self::PreloadDeep | Self::PreloadDeepTyped => Some(Depth::Translations),
            _ => self.is_preloaded_before().then_some(Depth::Translations),
        }
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
