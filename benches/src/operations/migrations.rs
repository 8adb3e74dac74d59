//! What migration costs a reader, and storing migrated documents.

use pstate::{Key, MigrationWriter, PState, Schema};
use pstate_testkit::workload::schema;

use crate::Result;
use crate::backend::Backend;
use crate::baseline::Baseline;
use crate::documents::{BATCH, OldCards, plain, store};
use crate::measure::timed;

use super::backlog::Backlog;
use super::contender::Contender;
use super::fixture::{CACHE_BYTES, COLD_GETS};
use super::operation::Operation;
use super::store::Store;
use super::write_back::{NEVER, expect, silent_writer};

/// How many batches a run writes back, each a sample.
const BATCHES: usize = 3;

/// Cards of both versions, in a store of their own.
#[derive(Debug)]
pub(super) struct Migrations<B: Backend> {
    cards: OldCards,
    schema: Schema,
    store: Store<B>,
    backlogs: [Backlog<B>; 2],
}

impl<B: Backend> Migrations<B> {
    pub(super) async fn new() -> Result<Self> {
        let (cards, texts) = OldCards::new()?;
        let store = Store::new(&texts, false).await?;
        let backlogs = [Backlog::new(1_000, 2_000), Backlog::new(100_000, 10_000)];
        Ok(Self { cards, schema: schema()?, store, backlogs })
    }

    /// One sample or more, in nanoseconds.
    pub(super) async fn run_once(
        &mut self,
        operation: Operation,
        contender: Contender,
        round: usize,
    ) -> Result<Vec<f64>> {
        let is_pstate = contender == Contender::PState;
        match operation {
            Operation::QueueWriteBack => Ok(vec![self.backlogs[0].read(is_pstate).await?]),
            Operation::QueueWriteBack100K => Ok(vec![self.backlogs[1].read(is_pstate).await?]),
            Operation::ReadFirstMigrated => self.get_cold(round, is_pstate).await,
            Operation::ReadSecond if is_pstate => self.get_cold(round, false).await,
            Operation::ReadSecond => self.get_by_baseline(round).await,
            _ => {
                // Each contender stores the old documents itself, so that it finds their pages
                // cached.
                let old = self.cards.old(round, (BATCHES + 1) * BATCH);
                let with_reads = operation == Operation::FlushMigrated;
                self.make_old(&old, is_pstate).await?;
                if is_pstate {
                    self.flush(&old, with_reads).await
                } else {
                    self.flush_by_baseline(&old, with_reads).await
                }
            }
        }
    }

    /// Stores old documents over migrated ones.
    async fn make_old(&mut self, old: &[(Key, String)], is_pstate: bool) -> Result<()> {
        if is_pstate {
            store(&*self.store.adapter, old).await?;
        } else {
            self.store.baseline.load(&plain::records(old)?).await?;
        }
        self.store.settle().await
    }

    /// Reads documents of version 1, or of version 2, which need nothing.
    async fn get_cold(&self, round: usize, old: bool) -> Result<Vec<f64>> {
        // It writes nothing back, so that the next round finds the documents old again.
        let pstate = self.filled(silent_writer()).await?;
        let keys = if old {
            self.cards.old(round, COLD_GETS).into_iter().map(|(key, _)| key).collect()
        } else {
            self.cards.current_keys(round, COLD_GETS)
        };
        let mut samples = Vec::with_capacity(COLD_GETS);
        for key in &keys {
            samples.push(timed(pstate.get(key)).await?);
        }
        let expected = if old { COLD_GETS } else { 0 };
        expect("migrated", pstate.stats().write_back.queued, expected)?;
        Ok(samples)
    }

    async fn get_by_baseline(&mut self, round: usize) -> Result<Vec<f64>> {
        self.store.baseline.touch(&self.cards.filling).await?;
        let mut samples = Vec::with_capacity(COLD_GETS);
        for key in &self.cards.current_keys(round, COLD_GETS) {
            samples.push(timed(self.store.baseline.get(key)).await?);
        }
        Ok(samples)
    }

    /// Stores documents that were read before, or that it reads now.
    async fn flush(&self, old: &[(Key, String)], with_reads: bool) -> Result<Vec<f64>> {
        // The writer must not flush by itself as soon as the last document is read.
        let writer = MigrationWriter::default().batch_size(2 * BATCH).flush_interval(NEVER);
        let pstate = self.filled(writer).await?;
        let mut samples = Vec::with_capacity(BATCHES + 1);
        // As in the other writes, the first batch does not count.
        for batch in old.chunks(BATCH) {
            let keys = batch.iter().map(|(key, _)| key);
            if !with_reads {
                pstate.multi_get(keys.clone()).await?;
            }
            let mut stored = 0;
            let flush = async {
                let read = if with_reads { pstate.multi_get(keys).await? } else { Vec::new() };
                stored = pstate.flush().await?.stored;
                Ok::<_, pstate::Error>(read)
            };
            samples.push(timed(flush).await?);
            expect("stored", stored, BATCH)?;
        }
        Ok(samples.split_off(1))
    }

    async fn flush_by_baseline(
        &mut self,
        old: &[(Key, String)],
        with_reads: bool,
    ) -> Result<Vec<f64>> {
        let mut samples = Vec::with_capacity(BATCHES + 1);
        for batch in old.chunks(BATCH) {
            let keys: Vec<Key> = batch.iter().map(|(key, _)| key.clone()).collect();
            let baseline = &mut self.store.baseline;
            samples.push(if with_reads {
                timed(async {
                    let replacements = baseline.migrate(&keys).await?;
                    baseline.replace(replacements).await
                })
                .await?
            } else {
                let replacements = baseline.migrate(&keys).await?;
                timed(baseline.replace(replacements)).await?
            });
        }
        Ok(samples.split_off(1))
    }

    /// A handle whose cache holds other documents, and that has migrated nothing.
    async fn filled(&self, writer: MigrationWriter) -> Result<PState> {
        let pstate = PState::builder(self.store.adapter.clone())
            .schema(self.schema.clone())
            .cache_bytes(CACHE_BYTES)
            .migration_writer(writer)
            .build()?;
        pstate.multi_get(&self.cards.filling).await?;
        Ok(pstate)
    }
}
