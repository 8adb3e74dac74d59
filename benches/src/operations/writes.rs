//! Users' writes.

use pstate::{Key, PState};
use serde_json::Value;

use crate::Result;
use crate::backend::Backend;
use crate::baseline::Baseline;
use crate::documents::{BATCH, edited, new_keys, remove};
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
                let documents = self.documents(keys);
                let tasks = documents.chunks(PUTS).map(<[_]>::to_vec).collect();
                match contender {
                    Contender::PState => tasks::put_by_pstate(&self.writer, tasks).await,
                    _ => tasks::put_by_baseline(&fixture.store.baseline, tasks).await,
                }
            }
            Operation::PutNew | Operation::PutOverwrite => {
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
            let documents = self.documents(keys);
            samples.push(match contender {
                Contender::PState => self.put(&documents).await?,
                _ => put_by_baseline(&mut fixture.store.baseline, &documents).await?,
            });
            written.extend(documents.into_iter().map(|(key, _)| key));
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

    async fn put(&self, documents: &[(Key, Value)]) -> Result<f64> {
        if let [(key, document)] = documents {
            return timed(self.writer.put(key, document)).await;
        }
        let documents = documents.iter().map(|(key, document)| (key, document));
        timed(self.writer.multi_put(documents)).await
    }

    /// Documents for these keys, whose content differs from all earlier ones.
    fn documents(&mut self, keys: Vec<Key>) -> Vec<(Key, Value)> {
        self.editions += 1;
        let edition = self.editions;
        keys.into_iter().enumerate().map(|(card, key)| (key, edited(card, edition))).collect()
    }
}

async fn put_by_baseline(baseline: &mut impl Baseline, documents: &[(Key, Value)]) -> Result<f64> {
    match documents {
        [(key, document)] => timed(baseline.put(key, document)).await,
        _ => timed(baseline.multi_put(documents)).await,
    }
}
