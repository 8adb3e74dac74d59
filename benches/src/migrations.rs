//! What migrating costs a reader, and storing what was migrated.

mod backlog;

use std::sync::Arc;
use std::time::Duration;

use pstate::{Adapter, Key, MigrationWriter, PState, Schema};
use pstate_testkit::workload::schema;
use serde_json::Value;

use crate::Result;
use crate::backend::Backend;
use crate::by_hand::{ByHand, Replacement, card, keep, parse};
use crate::contest::Side;
use crate::fixture::{BATCH, OldCards, store};
use crate::operation::Operation;
use crate::scene::{CACHE_BYTES, COLD_GETS};
use crate::timing::timed;

use self::backlog::Backlog;

/// Longer than anything is measured.
const HOUR: Duration = Duration::from_secs(3_600);

/// How many batches a turn writes back, each a sample.
const BATCHES: usize = 3;

/// Cards of both versions, in a store of their own.
#[derive(Debug)]
pub(crate) struct Migrations<B: Backend> {
    cards: OldCards,
    schema: Schema,
    adapter: Arc<dyn Adapter>,
    hand: B::ByHand,
    backlogs: [Backlog<B>; 2],
    _backend: B,
}

impl<B: Backend> Migrations<B> {
    pub(crate) async fn new() -> Result<Self> {
        let backend = B::create().await?;
        let adapter = backend.adapter();
        let (cards, texts) = OldCards::new()?;
        store(&*adapter, &texts).await?;
        let mut hand = backend.by_hand().await?;
        if !B::IS_SHARED {
            hand.load(&texts).await?;
        }
        hand.settle().await?;
        let backlogs = [Backlog::new(1_000, 2_000), Backlog::new(100_000, 10_000)];
        Ok(Self { cards, schema: schema()?, adapter, hand, backlogs, _backend: backend })
    }

    /// One sample or more, each in nanoseconds.
    pub(crate) async fn turn(
        &mut self,
        operation: Operation,
        side: Side,
        round: usize,
    ) -> Result<Vec<f64>> {
        let is_ours = side == Side::Ours;
        match operation {
            Operation::QueueWriteBack => Ok(vec![self.backlogs[0].read(is_ours).await?]),
            Operation::QueueWriteBack100K => Ok(vec![self.backlogs[1].read(is_ours).await?]),
            Operation::ReadFirstMigrated => self.get_cold(round, is_ours).await,
            Operation::ReadSecond => match side {
                Side::Ours => self.get_cold(round, false).await,
                Side::Raw => self.get_by_hand(round, keep).await,
                _ => self.get_by_hand(round, parse::<Value>).await,
            },
            _ => {
                // Each side by itself, so that it finds the pages in its caches.
                let old = self.cards.old(round, (BATCHES + 1) * BATCH);
                let with_reads = operation == Operation::FlushMigrated;
                if is_ours {
                    store(&*self.adapter, &old).await?;
                    self.hand.settle().await?;
                    self.flush(&old, with_reads).await
                } else {
                    self.hand.load(&old).await?;
                    self.hand.settle().await?;
                    self.flush_by_hand(&old, with_reads).await
                }
            }
        }
    }

    /// Reads documents of version 1, or of version 2, which need nothing.
    async fn get_cold(&self, round: usize, old: bool) -> Result<Vec<f64>> {
        // Nothing is written back, so that the next round finds the documents old again.
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

    async fn get_by_hand<T: Send>(
        &mut self,
        round: usize,
        parse: fn(&str) -> Result<T>,
    ) -> Result<Vec<f64>> {
        self.hand.multi_get(&self.cards.filling, parse).await?;
        let mut samples = Vec::with_capacity(COLD_GETS);
        for key in &self.cards.current_keys(round, COLD_GETS) {
            samples.push(timed(self.hand.get(key, parse)).await?);
        }
        Ok(samples)
    }

    /// Stores what was read before, or what is read now.
    async fn flush(&self, old: &[(Key, String)], with_reads: bool) -> Result<Vec<f64>> {
        // It must not begin by itself as soon as the last document is read.
        let writer = MigrationWriter::default().batch_size(2 * BATCH).flush_interval(HOUR);
        let pstate = self.filled(writer).await?;
        let mut samples = Vec::with_capacity(BATCHES + 1);
        // As in the other writes, the first one is not counted.
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

    async fn flush_by_hand(&mut self, old: &[(Key, String)], with_reads: bool) -> Result<Vec<f64>> {
        let mut samples = Vec::with_capacity(BATCHES + 1);
        for batch in old.chunks(BATCH) {
            let keys: Vec<Key> = batch.iter().map(|(key, _)| key.clone()).collect();
            let hand = &mut self.hand;
            samples.push(if with_reads {
                timed(async {
                    let replacements = migrated(hand, &keys).await?;
                    hand.replace(&replacements).await?;
                    Ok::<_, crate::Error>(replacements)
                })
                .await?
            } else {
                let replacements = migrated(hand, &keys).await?;
                timed(hand.replace(&replacements)).await?
            });
        }
        Ok(samples.split_off(1))
    }

    /// A handle whose cache is in use already, and that has migrated nothing.
    async fn filled(&self, writer: MigrationWriter) -> Result<PState> {
        let pstate = PState::builder(self.adapter.clone())
            .schema(self.schema.clone())
            .cache_bytes(CACHE_BYTES)
            .migration_writer(writer)
            .build()?;
        pstate.multi_get(&self.cards.filling).await?;
        Ok(pstate)
    }
}

/// Reads and migrates cards.
async fn migrated(hand: &mut impl ByHand, keys: &[Key]) -> Result<Vec<Replacement>> {
    let found = hand.multi_get(keys, keep).await?;
    let cards = keys.iter().zip(found).map(|(key, old)| {
        let old = old.ok_or("a card is missing")?;
        Ok(Replacement { key: key.clone(), new: card::migrate(&old)?, old })
    });
    cards.collect()
}

/// Queues, and writes nothing, not even in the end.
fn silent_writer() -> MigrationWriter {
    MigrationWriter::default()
        .batch_size(usize::MAX)
        .queue_limit(usize::MAX)
        .queue_bytes(usize::MAX)
        .flush_interval(HOUR)
        .close_deadline(Duration::ZERO)
}

fn expect(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found} documents were {what} instead of {expected}").into())
}
