//! Queueing behind documents that wait already.

use std::sync::Arc;

use pstate::schema::{Entity, patterns};
use pstate::{Adapter, Key, PState, Schema};
use pstate_testkit::workload::Deck;

use crate::Result;
use crate::backend::Backend;
use crate::documents::{BATCH, cards_at, store};
use crate::measure::timed;

use super::write_back::{expect, silent_writer};

/// Two handles. On one, each read migrates and queues a document behind many others. On the other,
/// each read does the same migration and queues nothing: the document is newer than the schema, and
/// a down-step only shows it as an older one.
#[derive(Debug)]
pub(super) struct Backlog<B> {
    /// How many documents wait at least.
    waiting: usize,
    /// How many more may be queued before a new handle starts over.
    more: usize,
    queueing: Option<Reader<B>>,
    plain: Option<Reader<B>>,
}

/// A store, and a handle on it.
#[derive(Debug)]
struct Reader<B> {
    adapter: Arc<dyn Adapter>,
    _backend: B,
    /// The first `waiting` ones fill the queue.
    keys: Vec<Key>,
    pstate: PState,
    /// How many documents this handle has read.
    read: usize,
}

impl<B: Backend> Backlog<B> {
    pub(super) fn new(waiting: usize, more: usize) -> Self {
        Self { waiting, more, queueing: None, plain: None }
    }

    /// The time for a document in nanoseconds: the mean of a batch.
    pub(super) async fn read(&mut self, queue: bool) -> Result<f64> {
        let waiting = self.waiting;
        let kept = if queue { &mut self.queueing } else { &mut self.plain };
        let reader = match kept {
            Some(reader) => reader,
            none => none.insert(Reader::new(waiting, self.more, queue).await?),
        };
        if reader.read + BATCH > reader.keys.len() {
            reader.pstate = build(&reader.adapter)?;
            reader.read = 0;
        }
        if reader.read == 0 {
            reader.pstate.multi_get(&reader.keys[..waiting]).await?;
            let queued = reader.pstate.stats().write_back.queued;
            expect("queued", queued, if queue { waiting } else { 0 })?;
            reader.read = waiting;
        }
        let keys = &reader.keys[reader.read..][..BATCH];
        let nanos = timed(reader.pstate.multi_get(keys)).await?;
        reader.read += BATCH;
        Ok(nanos / f64::from(u32::try_from(BATCH)?))
    }
}

impl<B: Backend> Reader<B> {
    async fn new(waiting: usize, more: usize, queue: bool) -> Result<Self> {
        let version = if queue { 1 } else { 3 };
        let deck = Deck { id: "many", cards: waiting + more, translations: 3 };
        let cards = cards_at(version, deck, 0..deck.cards)?;
        let backend = B::create().await?;
        let adapter = backend.adapter();
        store(&*adapter, &cards).await?;
        let pstate = build(&adapter)?;
        let keys = cards.into_iter().map(|(key, _)| key).collect();
        Ok(Self { adapter, _backend: backend, keys, pstate, read: 0 })
    }
}

fn build(adapter: &Arc<dyn Adapter>) -> Result<PState> {
    let builder = PState::builder(adapter.clone()).schema(either_way()?).cache_bytes(1 << 30);
    Ok(builder.migration_writer(silent_writer()).build()?)
}

/// A schema whose step to version 2 is the same from version 1 and from version 3.
fn either_way() -> Result<Schema> {
    let card = Entity::new("base_card", 2).step(1, 2, patterns::rename("front", "question")).down(
        3,
        2,
        patterns::rename("front", "question"),
    );
    Ok(Schema::new([card])?)
}
