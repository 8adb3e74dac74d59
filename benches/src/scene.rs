//! A store with all sides on it, and reads of what is not cached.

use std::hint::black_box;
use std::sync::Arc;

use futures_util::TryStreamExt;
use pstate::{Adapter, Document, Key, PState};
use serde_json::Value;

use crate::backend::Backend;
use crate::by_hand::{ByHand, Parse, graph, keep, parse};
use crate::contest::Side;
use crate::fixture::{BATCH, ELEVEN, Fixture, store};
use crate::operation::Operation;
use crate::tasks;
use crate::timing::timed;
use crate::{Error, Result};

/// How many single documents a turn reads, each a sample.
pub(crate) const COLD_GETS: usize = 100;

/// Room for all that a turn reads, and for what the cache is filled with before.
pub(crate) const CACHE_BYTES: u64 = 8 << 20;

/// How deep decks are resolved: to their cards' translations.
pub(crate) const DEPTH: usize = 2;

#[derive(Debug)]
pub(crate) struct Scene<B: Backend> {
    pub(crate) fixture: Fixture,
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) hand: B::ByHand,
    /// Under keys next to those of cards, nothing is stored.
    missing: Vec<Key>,
    _backend: B,
}

impl<B: Backend> Scene<B> {
    /// A new store with these documents.
    pub(crate) async fn new((fixture, texts): (Fixture, Vec<(Key, String)>)) -> Result<Self> {
        let backend = B::create().await?;
        let adapter = backend.adapter();
        store(&*adapter, &texts).await?;
        let mut hand = backend.by_hand().await?;
        if !B::IS_SHARED {
            hand.load(&texts).await?;
        }
        hand.settle().await?;
        let missing = fixture.keys(0, fixture.cards.len().min(10_000)).into_iter();
        let missing = missing.map(|key| Key::new(key.entity_type(), &format!("{}-none", key.id())));
        let missing = missing.collect::<Result<_, _>>()?;
        Ok(Self { fixture, adapter, hand, missing, _backend: backend })
    }

    /// One sample or more, each in nanoseconds. Setting up is not part of them.
    pub(crate) async fn turn(
        &mut self,
        operation: Operation,
        side: Side,
        round: usize,
    ) -> Result<Vec<f64>> {
        match side {
            Side::Raw => self.by_hand(operation, round, keep).await,
            Side::ByHand if operation.is_resolving() => self.resolve_by_hand(round).await,
            Side::ByHand => self.by_hand(operation, round, parse::<Value>).await,
            _ => self.ours(operation, round).await,
        }
    }

    /// A handle that has cached nothing of what is measured. Its cache is in use already: a new one would
    /// pay for the first touch of its memory.
    pub(crate) async fn cold(&self) -> Result<PState> {
        self.cold_with(CACHE_BYTES).await
    }

    async fn cold_with(&self, cache_bytes: u64) -> Result<PState> {
        let pstate = PState::builder(self.adapter.clone()).cache_bytes(cache_bytes).build()?;
        pstate.multi_get(&self.fixture.filling).await?;
        Ok(pstate)
    }

    async fn ours(&mut self, operation: Operation, round: usize) -> Result<Vec<f64>> {
        let values = operation.wants_values();
        match operation {
            Operation::GetMissing => self.get_each(self.missing(round), false).await,
            Operation::MultiGet10 => self.multi_get(round, 10, false).await,
            Operation::MultiGet100 | Operation::MultiGet100Values | Operation::MultiGet380K => {
                self.multi_get(round, BATCH, values).await
            }
            Operation::Get64Tasks => {
                let pstate = self.cold().await?;
                tasks::get_ours(&pstate, self.task_keys(round)).await
            }
            Operation::Preload | Operation::PreloadValues | Operation::Preload380K => {
                self.preload(round, "cards", values).await
            }
            Operation::PreloadDeep | Operation::PreloadDeepValues => {
                self.preload(round, "cards.translations", values).await
            }
            Operation::ResolveCold => {
                // What would take more than a 32nd of it would not be kept.
                let pstate = self.cold_with(32 * CACHE_BYTES).await?;
                let deck = self.fixture.deck(round);
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
            _ => self.get_each(self.fixture.keys(round, COLD_GETS), values).await,
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
        let keys = self.fixture.keys(round, count);
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
        let deck = self.fixture.deck(round);
        let load = async {
            let loaded = pstate.preload(deck, paths).await?;
            if values && let Some(loaded) = &loaded {
                open(loaded.documents())?;
            }
            Ok::<_, Error>(loaded)
        };
        Ok(vec![timed(load).await?])
    }

    async fn by_hand<T: Send + 'static>(
        &mut self,
        operation: Operation,
        round: usize,
        parse: Parse<T>,
    ) -> Result<Vec<f64>> {
        // Our side has just filled its cache with these: what reads them is as warm here.
        black_box(self.hand.multi_get(&self.fixture.filling, parse).await?);
        let hand = &mut self.hand;
        let deck = self.fixture.deck(round);
        let sample = match operation {
            Operation::MultiGet10 => {
                let keys = self.fixture.keys(round, 10);
                timed(hand.multi_get(&keys, parse)).await?
            }
            Operation::MultiGet100 | Operation::MultiGet100Values | Operation::MultiGet380K => {
                let keys = self.fixture.keys(round, BATCH);
                timed(hand.multi_get(&keys, parse)).await?
            }
            Operation::Get64Tasks => {
                return tasks::get_by_hand(&self.hand, self.task_keys(round), parse).await;
            }
            Operation::Preload | Operation::PreloadValues | Operation::Preload380K => {
                timed(hand.deck(deck, parse)).await?
            }
            Operation::PreloadDeep | Operation::PreloadDeepValues => {
                timed(hand.deep_deck(deck, parse)).await?
            }
            Operation::Scan11Of380K => {
                let scan = async {
                    let found = hand.scan(ELEVEN, parse).await?;
                    expect_eleven(found.len())?;
                    Ok::<_, Error>(found)
                };
                timed(scan).await?
            }
            _ => {
                let keys = match operation {
                    Operation::GetMissing => self.missing(round),
                    _ => self.fixture.keys(round, COLD_GETS),
                };
                let mut samples = Vec::with_capacity(keys.len());
                for key in &keys {
                    samples.push(timed(self.hand.get(key, parse)).await?);
                }
                return Ok(samples);
            }
        };
        Ok(vec![sample])
    }

    async fn resolve_by_hand(&mut self, round: usize) -> Result<Vec<f64>> {
        black_box(self.hand.multi_get(&self.fixture.filling, parse::<Value>).await?);
        let resolve = async {
            let deck = self.hand.deep_deck(self.fixture.deck(round), parse::<Value>).await?;
            Ok::<_, Error>(graph::expand(deck))
        };
        Ok(vec![timed(resolve).await?])
    }

    fn missing(&self, round: usize) -> Vec<Key> {
        let from = round * COLD_GETS % self.missing.len();
        self.missing.iter().cycle().skip(from).take(COLD_GETS).cloned().collect()
    }

    /// What each of several tasks reads.
    fn task_keys(&self, round: usize) -> Vec<Vec<Key>> {
        let keys = self.fixture.keys(round, tasks::TASKS * tasks::GETS);
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
