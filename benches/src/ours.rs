//! The work as programs do it with PState.

use std::hint::black_box;
use std::sync::Arc;

use pstate::{Collection, Document, Key, PState};

use crate::Result;
use crate::contest::{COLD_GETS, WARM_KEYS, WARM_PASSES, WRITES};
use crate::fixture::{BATCH, Card, DECK, Fixture};
use crate::migrations::Migrations;
use crate::operation::Operation;
use crate::timing::timed;

/// Room for all that a turn reads, and for what the cache is filled with before.
pub(crate) const CACHE_BYTES: u64 = 8 << 20;

const CARDS: Collection<Card> = Collection::new("base_card");

#[derive(Debug)]
pub(crate) struct Ours {
    fixture: Arc<Fixture>,
    /// Has the documents of the warm reads in its cache, decoded.
    warm: PState,
    /// Has stored what it overwrites.
    writer: PState,
    pub(crate) migrations: Migrations,
}

impl Ours {
    pub(crate) async fn new(fixture: Arc<Fixture>) -> Result<Self> {
        let warm = filled(&fixture).await?;
        for key in fixture.keys(0, WARM_KEYS) {
            CARDS.get(&warm, key.id()).await?;
        }
        let writer = filled(&fixture).await?;
        let migrations = Migrations::new(fixture.clone())?;
        Ok(Self { fixture, warm, writer, migrations })
    }

    /// One sample or more, each in nanoseconds. Setting up is not part of them.
    pub(crate) async fn turn(
        &mut self,
        operation: Operation,
        round: usize,
        edition: usize,
    ) -> Result<Vec<f64>> {
        match operation {
            Operation::GetWarm | Operation::GetWarmStr | Operation::GetWarmTyped => {
                self.get_warm(operation).await
            }
            Operation::GetCold | Operation::GetColdValues => self.get_cold(operation, round).await,
            Operation::MultiGet => {
                let (pstate, keys) = self.cold_batch(round).await?;
                Ok(vec![timed(pstate.multi_get(&keys)).await?])
            }
            Operation::MultiGetValues => {
                let (pstate, keys) = self.cold_batch(round).await?;
                let load = async {
                    let documents = pstate.multi_get(&keys).await?;
                    open(documents.iter().flatten())?;
                    Ok(documents)
                };
                Ok(vec![timed(load).await?])
            }
            Operation::Preload => self.preload("cards", false).await,
            Operation::PreloadValues => self.preload("cards", true).await,
            Operation::PreloadDeep => self.preload("cards.translations", false).await,
            Operation::PreloadDeepValues => self.preload("cards.translations", true).await,
            Operation::MultiPutOverwrite | Operation::MultiPutNew => {
                self.multi_put(operation, round, edition).await
            }
            Operation::GetColdOld
            | Operation::QueueBehind1K
            | Operation::QueueBehind100K
            | Operation::Flush => self.migrations.turn(operation, round, true).await,
        }
    }

    async fn get_warm(&self, operation: Operation) -> Result<Vec<f64>> {
        let keys = self.fixture.keys(0, WARM_KEYS);
        // The first time is not counted: it finds what the other sides have left.
        self.get_warm_once(operation, &keys).await?;
        let nanos = self.get_warm_once(operation, &keys).await?;
        Ok(vec![nanos / f64::from(u32::try_from(WARM_KEYS * WARM_PASSES)?)])
    }

    async fn get_warm_once(&self, operation: Operation, keys: &[Key]) -> Result<f64> {
        let pstate = &self.warm;
        match operation {
            Operation::GetWarmStr => {
                let texts: Vec<&str> = keys.iter().map(Key::as_str).collect();
                let read = async {
                    for text in repeated(&texts) {
                        black_box(pstate.get(*text).await?);
                    }
                    Ok(())
                };
                timed(read).await
            }
            Operation::GetWarmTyped => {
                let ids: Vec<&str> = keys.iter().map(Key::id).collect();
                let read = async {
                    for id in repeated(&ids) {
                        black_box(CARDS.get(pstate, id).await?);
                    }
                    Ok(())
                };
                timed(read).await
            }
            _ => {
                let read = async {
                    for key in repeated(keys) {
                        black_box(pstate.get(key).await?);
                    }
                    Ok(())
                };
                timed(read).await
            }
        }
    }

    async fn get_cold(&self, operation: Operation, round: usize) -> Result<Vec<f64>> {
        let pstate = filled(&self.fixture).await?;
        let mut samples = Vec::with_capacity(COLD_GETS);
        for key in self.fixture.keys(round, COLD_GETS) {
            let load = async {
                let document = pstate.get(&key).await?;
                open(&document)?;
                Ok(document)
            };
            samples.push(match operation {
                Operation::GetCold => timed(pstate.get(&key)).await?,
                _ => timed(load).await?,
            });
        }
        Ok(samples)
    }

    async fn cold_batch(&self, round: usize) -> Result<(PState, Vec<Key>)> {
        Ok((filled(&self.fixture).await?, self.fixture.keys(round, BATCH)))
    }

    async fn preload(&self, paths: &str, values: bool) -> Result<Vec<f64>> {
        let pstate = filled(&self.fixture).await?;
        let root: Key = DECK.key().parse()?;
        let load = async {
            let loaded = pstate.preload(&root, paths).await?;
            if values && let Some(loaded) = &loaded {
                open(loaded.documents())?;
            }
            Ok(loaded)
        };
        Ok(vec![timed(load).await?])
    }

    async fn multi_put(
        &mut self,
        operation: Operation,
        round: usize,
        edition: usize,
    ) -> Result<Vec<f64>> {
        let mut samples = Vec::with_capacity(WRITES);
        // The other side has written: the first write finds an empty page cache and is not counted.
        for write in 0..=WRITES {
            let cards = self.fixture.cards(operation, round, edition + write)?;
            let cards = cards.iter().map(|(key, card)| (key, card));
            samples.push(timed(self.writer.multi_put(cards)).await?);
        }
        Ok(samples.split_off(1))
    }
}

/// A handle that has cached none of the cards. Its cache is in use already: a new one would pay
/// for the first touch of its memory.
async fn filled(fixture: &Fixture) -> Result<PState> {
    let pstate = PState::builder(fixture.adapter.clone()).cache_bytes(CACHE_BYTES).build()?;
    pstate.multi_get(&fixture.filling).await?;
    Ok(pstate)
}

/// What a turn of warm reads reads.
fn repeated<T>(items: &[T]) -> impl Iterator<Item = &T> {
    (0..WARM_PASSES).flat_map(move |_| items)
}

/// Asks documents for their trees.
fn open<'a>(documents: impl IntoIterator<Item = &'a Document>) -> pstate::Result<()> {
    for document in documents {
        document.value()?;
    }
    Ok(())
}
