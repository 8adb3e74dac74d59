//! What migrating costs a reader, and storing what was migrated.

use std::sync::Arc;
use std::time::Duration;

use pstate::schema::{Entity, patterns};
use pstate::{Key, MemoryAdapter, MigrationWriter, PState, Schema};
use pstate_testkit::workload::{Deck, schema};

use crate::Result;
use crate::contest::{COLD_GETS, WRITES};
use crate::fixture::{BATCH, Fixture, cards_at, store};
use crate::operation::Operation;
use crate::ours::CACHE_BYTES;
use crate::timing::timed;

/// Longer than anything is measured.
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(crate) struct Migrations {
    fixture: Arc<Fixture>,
    schema: Schema,
    backlogs: [Backlogs; 2],
}

impl Migrations {
    pub(crate) fn new(fixture: Arc<Fixture>) -> Result<Self> {
        let backlogs = [Backlogs::new(1_000, 1_000), Backlogs::new(100_000, 10_000)];
        Ok(Self { fixture, schema: schema()?, backlogs })
    }

    /// One sample or more, each in nanoseconds; with what is measured, or without.
    pub(crate) async fn turn(
        &mut self,
        operation: Operation,
        round: usize,
        with: bool,
    ) -> Result<Vec<f64>> {
        match operation {
            Operation::QueueBehind1K => Ok(vec![self.backlogs[0].read(with).await?]),
            Operation::QueueBehind100K => Ok(vec![self.backlogs[1].read(with).await?]),
            Operation::Flush => self.flush(round).await,
            _ => self.get_cold(round, with).await,
        }
    }

    /// Reads documents of version 1, or of version 2, which need nothing.
    async fn get_cold(&self, round: usize, old: bool) -> Result<Vec<f64>> {
        // Nothing is written back, so that the next round finds the documents old again.
        let pstate = self.filled(silent_writer()).await?;
        let keys = if old {
            self.fixture.old(round, COLD_GETS).into_iter().map(|(key, _)| key).collect()
        } else {
            self.fixture.current_keys(round, COLD_GETS)
        };
        let mut samples = Vec::with_capacity(COLD_GETS);
        for key in &keys {
            samples.push(timed(pstate.get(key)).await?);
        }
        let expected = if old { COLD_GETS } else { 0 };
        expect("migrated", pstate.stats().write_back.queued, expected)?;
        Ok(samples)
    }

    /// Brings the cards that a turn is going to write back to version 1.
    pub(crate) async fn store_old(&self, round: usize) -> Result<()> {
        store(&*self.fixture.adapter, &self.fixture.old(round, (WRITES + 1) * BATCH)).await
    }

    async fn flush(&self, round: usize) -> Result<Vec<f64>> {
        // It must not begin by itself as soon as the last document is read.
        let writer = MigrationWriter::default().batch_size(2 * BATCH).flush_interval(HOUR);
        let pstate = self.filled(writer).await?;
        let mut samples = Vec::with_capacity(WRITES);
        // As in the other writes, the first one is not counted.
        for batch in self.fixture.old(round, (WRITES + 1) * BATCH).chunks(BATCH) {
            pstate.multi_get(batch.iter().map(|(key, _)| key)).await?;
            let mut stored = 0;
            let flush = async {
                stored = pstate.flush().await?.stored;
                Ok(())
            };
            samples.push(timed(flush).await?);
            expect("stored", stored, BATCH)?;
        }
        Ok(samples.split_off(1))
    }

    /// A handle whose cache is in use already, and that has migrated nothing.
    async fn filled(&self, writer: MigrationWriter) -> Result<PState> {
        let pstate = PState::builder(self.fixture.adapter.clone())
            .schema(self.schema.clone())
            .cache_bytes(CACHE_BYTES)
            .migration_writer(writer)
            .build()?;
        pstate.multi_get(&self.fixture.current_filling).await?;
        Ok(pstate)
    }
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

/// Two handles: on one each read migrates and queues, behind many others; on the other one each read
/// does the same migration and queues nothing, since the document is newer and is only shown as an
/// older one. In memory, so that what differs is not lost in the time that SQLite takes.
#[derive(Debug)]
struct Backlogs {
    /// How many documents wait at least.
    waiting: usize,
    /// How many more may come until it begins anew.
    more: usize,
    queueing: Option<Reader>,
    plain: Option<Reader>,
}

#[derive(Debug)]
struct Reader {
    pstate: PState,
    unread: std::vec::IntoIter<Key>,
}

impl Backlogs {
    fn new(waiting: usize, more: usize) -> Self {
        Self { waiting, more, queueing: None, plain: None }
    }

    /// How long a document takes, in nanoseconds: a batch's mean.
    async fn read(&mut self, queue: bool) -> Result<f64> {
        let kept = if queue { &mut self.queueing } else { &mut self.plain };
        let mut reader = match kept.take().filter(|reader| reader.unread.len() >= BATCH) {
            Some(reader) => reader,
            None => Reader::new(self.waiting, self.more, queue).await?,
        };
        let keys: Vec<Key> = reader.unread.by_ref().take(BATCH).collect();
        let nanos = timed(reader.pstate.multi_get(&keys)).await?;
        *kept = Some(reader);
        Ok(nanos / f64::from(u32::try_from(BATCH)?))
    }
}

impl Reader {
    async fn new(waiting: usize, more: usize, queue: bool) -> Result<Self> {
        let version = if queue { 1 } else { 3 };
        let deck = Deck { id: "many", cards: waiting + more, translations: 3 };
        let cards = cards_at(version, deck, 0..deck.cards)?;
        let adapter = Arc::new(MemoryAdapter::new());
        store(&*adapter, &cards).await?;
        let pstate = PState::builder(adapter)
            .schema(either_way()?)
            .cache_bytes(1 << 30)
            .migration_writer(silent_writer())
            .build()?;
        let mut keys: Vec<Key> = cards.into_iter().map(|(key, _)| key).collect();
        let unread = keys.split_off(waiting);
        pstate.multi_get(&keys).await?;
        expect("queued", pstate.stats().write_back.queued, if queue { waiting } else { 0 })?;
        Ok(Self { pstate, unread: unread.into_iter() })
    }
}

/// Documents become version 2 by the same step, whether they are older or newer.
fn either_way() -> Result<Schema> {
    let card = Entity::new("base_card", 2).step(1, 2, patterns::rename("front", "question")).down(
        3,
        2,
        patterns::rename("front", "question"),
    );
    Ok(Schema::new([card])?)
}

fn expect(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{found} documents were {what} instead of {expected}").into())
}
