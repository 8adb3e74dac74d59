//! Users' writes.

use pstate::{Key, PState};

use crate::Result;
use crate::backend::Backend;
use crate::baseline::Baseline;
use crate::documents::card::{CARDS, Card};
use crate::documents::{BATCH, edited, new_keys, plain, remove};
use crate::measure::timed;

use super::contender::Contender;
use super::fixture::Fixture;
use super::operation::Operation;
use super::tasks::{self, PUTS, TASKS};

/// How many batches a run writes, each a sample.
const BATCHES: usize = 3;
/// How many single documents a run writes, each a sample.
const SINGLE: usize = 20;

/// A handle whose writes are measured.
#[derive(Debug)]
pub(super) struct Writes {
    writer: PState,
    /// How many batches were written: each has different content.
    editions: usize,
}

impl Writes {
    pub(super) async fn new<B: Backend>(fixture: &Fixture<B>) -> Result<Self> {
        Ok(Self { writer: fixture.cold().await?, editions: 0 })
    }

    pub(super) async fn run_once<B: Backend>(
        &mut self,
        fixture: &mut Fixture<B>,
        operation: Operation,
        contender: Contender,
        round: usize,
    ) -> Result<Vec<f64>> {
        match operation {
            Operation::Put64Tasks => {
                let keys = fixture.dataset.keys(round, TASKS * PUTS);
                let cards = self.cards(keys)?;
                if contender == Contender::PState {
                    let tasks = cards.chunks(PUTS).map(<[_]>::to_vec).collect();
                    tasks::put_by_pstate(&self.writer, tasks).await
                } else {
                    let tasks = plain(&cards).chunks(PUTS).map(<[_]>::to_vec).collect();
                    tasks::put_by_baseline(&fixture.store.baseline, tasks).await
                }
            }
            Operation::PutNew | Operation::PutOverwrite | Operation::Update => {
                self.batches(fixture, operation, contender, round, (SINGLE, 1)).await
            }
            _ => self.batches(fixture, operation, contender, round, (BATCHES, BATCH)).await,
        }
    }

    async fn batches<B: Backend>(
        &mut self,
        fixture: &mut Fixture<B>,
        operation: Operation,
        contender: Contender,
        round: usize,
        (batches, len): (usize, usize),
    ) -> Result<Vec<f64>> {
        let is_new = matches!(operation, Operation::PutNew | Operation::MultiPutNew);
        let mut samples = Vec::with_capacity(batches + 1);
        let mut written = Vec::new();
        // The first write does not count: another contender has written, so caches do not hold its
        // pages.
        for batch in 0..=batches {
            let keys = if is_new {
                new_keys(self.editions, len)?
            } else {
                fixture.dataset.keys(round * (batches + 1) + batch, len)
            };
            let cards = self.cards(keys)?;
            samples.push(match contender {
                Contender::PState => self.write(operation, &cards).await?,
                _ => write_by_baseline(&mut fixture.store.baseline, operation, &cards).await?,
            });
            written.extend(cards.into_iter().map(|(key, _)| key));
        }
        if is_new {
            // Otherwise the store would grow during the measurement.
            match contender {
                Contender::PState => remove(&*fixture.store.adapter, &written).await?,
                _ => fixture.store.baseline.remove(&written).await?,
            }
        }
        Ok(samples.split_off(1))
    }

    async fn write(&self, operation: Operation, cards: &[(Key, Card)]) -> Result<f64> {
        match (operation, cards) {
            (Operation::Update, [(key, card)]) => {
                let update = CARDS.update(&self.writer, key.id(), |stored| {
                    stored.rank = card.rank;
                    Ok(())
                });
                timed(update).await
            }
            (_, [(key, card)]) => timed(self.writer.put(key, card)).await,
            (Operation::BatchOverwrite, _) => {
                let write = async {
                    let batch = cards
                        .iter()
                        .fold(self.writer.batch(), |batch, (key, card)| batch.put(key, card));
                    batch.commit().await
                };
                timed(write).await
            }
            _ => timed(self.writer.multi_put(cards.iter().map(|(key, card)| (key, card)))).await,
        }
    }

    /// Cards for these keys, whose content differs from all earlier ones.
    fn cards(&mut self, keys: Vec<Key>) -> Result<Vec<(Key, Card)>> {
        self.editions += 1;
        let edition = self.editions;
        let cards = keys.into_iter().enumerate();
        cards.map(|(card, key)| Ok((key, edited(card, edition)?))).collect()
    }
}

async fn write_by_baseline(
    baseline: &mut impl Baseline,
    operation: Operation,
    cards: &[(Key, Card)],
) -> Result<f64> {
    let cards = plain(cards);
    match (operation, &cards[..]) {
        (Operation::Update, [(key, card)]) => timed(baseline.update(key, card.rank)).await,
        (_, [(key, card)]) => timed(baseline.put(key, card)).await,
        _ => timed(baseline.multi_put(&cards)).await,
    }
}

/// The cards as they are written by hand.
fn plain(cards: &[(Key, Card)]) -> Vec<(Key, plain::Card)> {
    cards.iter().map(|(key, card)| (key.clone(), card.into())).collect()
}
