//! Storing what users write.

use pstate::{Key, PState};
use serde_json::Value;

use crate::Result;
use crate::backend::Backend;
use crate::by_hand::ByHand;
use crate::contest::Side;
use crate::fixture::{BATCH, edited, new_keys, remove};
use crate::operation::Operation;
use crate::scene::Scene;
use crate::tasks::{self, PUTS, TASKS};
use crate::timing::timed;

/// How many batches a turn writes, each a sample.
const BATCHES: usize = 3;
/// How many single documents a turn writes, each a sample.
const SINGLE: usize = 20;

/// A handle that has stored what it overwrites.
#[derive(Debug)]
pub(crate) struct Writes {
    writer: PState,
    /// How many batches were written: each has other content.
    editions: usize,
}

impl Writes {
    pub(crate) async fn new<B: Backend>(scene: &Scene<B>) -> Result<Self> {
        Ok(Self { writer: scene.cold().await?, editions: 0 })
    }

    pub(crate) async fn turn<B: Backend>(
        &mut self,
        scene: &mut Scene<B>,
        operation: Operation,
        side: Side,
        round: usize,
    ) -> Result<Vec<f64>> {
        match operation {
            Operation::Put64Tasks => {
                let keys = scene.fixture.keys(round, TASKS * PUTS);
                let documents = self.documents(keys);
                let tasks = documents.chunks(PUTS).map(<[_]>::to_vec).collect();
                match side {
                    Side::Ours => tasks::put_ours(&self.writer, tasks).await,
                    _ => tasks::put_by_hand(&scene.hand, tasks).await,
                }
            }
            Operation::PutNew | Operation::PutOverwrite => {
                self.batches(scene, operation, side, round, (SINGLE, 1)).await
            }
            _ => self.batches(scene, operation, side, round, (BATCHES, BATCH)).await,
        }
    }

    async fn batches<B: Backend>(
        &mut self,
        scene: &mut Scene<B>,
        operation: Operation,
        side: Side,
        round: usize,
        (batches, len): (usize, usize),
    ) -> Result<Vec<f64>> {
        let is_new = matches!(operation, Operation::PutNew | Operation::MultiPutNew);
        let mut samples = Vec::with_capacity(batches + 1);
        let mut written = Vec::new();
        // Another side has written: the first write finds caches without its pages and is not counted.
        for batch in 0..=batches {
            let keys = if is_new {
                new_keys(self.editions, len)?
            } else {
                scene.fixture.keys(round * (batches + 1) + batch, len)
            };
            let documents = self.documents(keys);
            samples.push(match side {
                Side::Ours => self.put(&documents).await?,
                _ => put_by_hand(&mut scene.hand, &documents).await?,
            });
            written.extend(documents.into_iter().map(|(key, _)| key));
        }
        if is_new {
            // So that the store does not grow while it is measured.
            match side {
                Side::Ours => remove(&*scene.adapter, &written).await?,
                _ => scene.hand.remove(&written).await?,
            }
        }
        Ok(samples.split_off(1))
    }

    async fn put(&self, documents: &[(Key, Value)]) -> Result<f64> {
        if let [(key, document)] = documents {
            return timed(self.writer.put(key, document)).await;
        }
        let documents = documents.iter().map(|(key, document)| (key, document));
        timed(self.writer.multi_put(documents)).await
    }

    /// What to write under these keys, with other content than ever before.
    fn documents(&mut self, keys: Vec<Key>) -> Vec<(Key, Value)> {
        self.editions += 1;
        let edition = self.editions;
        keys.into_iter().enumerate().map(|(card, key)| (key, edited(card, edition))).collect()
    }
}

async fn put_by_hand(hand: &mut impl ByHand, documents: &[(Key, Value)]) -> Result<f64> {
    match documents {
        [(key, document)] => timed(hand.put(key, document)).await,
        _ => timed(hand.multi_put(documents)).await,
    }
}
