//! The migration writer: when it writes, and what it reports.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pstate::{
    Adapter, Batch, CachePolicy, Capabilities, Error, ErrorKind, Extensions, FlushTrigger, Key,
    MemoryAdapter, MigrationWriter, Outcome, PState, Page, Record, Result, Scan, Space,
};
use pstate_testkit::{Call, CountingLayer, FaultLayer, Moment, workload};

use crate::stores::deck_of;

struct Setup {
    faults: Arc<FaultLayer>,
    counting: Arc<CountingLayer>,
    memory: Arc<MemoryAdapter>,
}

/// So many old cards in memory.
async fn old_cards(count: usize) -> Setup {
    let memory = Arc::new(MemoryAdapter::new());
    let plain = PState::builder(memory.clone()).build().unwrap();
    let deck = deck_of(count);
    for card in 0..count {
        plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
    let faults = Arc::new(FaultLayer::new(memory.clone()));
    Setup { counting: Arc::new(CountingLayer::new(faults.clone())), faults, memory }
}

impl Setup {
    fn handle(&self, writer: MigrationWriter) -> PState {
        handle_on(self.counting.clone(), writer)
    }

    async fn versions(&self, count: usize) -> Vec<u32> {
        let plain = PState::builder(self.memory.clone()).build().unwrap();
        let deck = deck_of(count);
        let cards = plain.multi_get((0..count).map(|card| deck.card_key(card))).await.unwrap();
        cards.iter().map(|card| card.as_ref().unwrap().version()).collect()
    }
}

fn handle_on(adapter: Arc<dyn Adapter>, writer: MigrationWriter) -> PState {
    PState::builder(adapter)
        .schema(workload::schema().unwrap())
        .migration_writer(writer)
        .build()
        .unwrap()
}

async fn read_all(pstate: &PState, count: usize) {
    read_some(pstate, 0..count).await;
}

async fn read_some(pstate: &PState, cards: Range<usize>) {
    let deck = deck_of(cards.end);
    pstate.multi_get(cards.map(|card| deck.card_key(card))).await.unwrap();
}

fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "locked").retryable()
}

#[tokio::test(start_paused = true)]
async fn it_writes_when_the_interval_has_passed_and_not_before() {
    let setup = old_cards(3).await;
    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 3).await;
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    assert_eq!(setup.counting.take().writes, 0);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((setup.counting.take().writes, pstate.stats().write_back.stored), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn it_writes_a_full_batch_at_once_and_in_batches() {
    let setup = old_cards(250).await;
    let held = setup.faults.hold(Call::Write, Moment::Before);
    let pstate = setup.handle(MigrationWriter::default());
    let before = tokio::time::Instant::now();
    read_all(&pstate, 250).await;
    held.reached().await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    held.release();
    pstate.flush().await.unwrap();
    let counts = setup.counting.take();
    assert_eq!((counts.writes, counts.keys_written), (3, 250));
}

#[tokio::test(start_paused = true)]
async fn close_writes_what_is_queued_and_so_does_dropping_the_last_handle() {
    let setup = old_cards(10).await;
    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 5).await;
    let held = setup.faults.hold(Call::Write, Moment::After);
    drop(pstate);
    held.reached().await;
    held.release();
    assert_eq!(setup.versions(10).await, [2, 2, 2, 2, 2, 1, 1, 1, 1, 1]);

    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 10).await;
    assert_eq!(pstate.close().await.unwrap().stored, 5);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_unavailable_nothing_is_lost_and_it_tries_again() {
    let setup = old_cards(10).await;
    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 10).await;
    setup.faults.fail(Call::Write, unavailable());
    let report = pstate.flush().await.unwrap();
    assert_eq!((report.stored, report.left), (0, 10));
    assert_eq!(report.unavailable.unwrap().message(), "locked");
    // The first attempt after a failure comes within 100 ms.
    tokio::time::sleep(Duration::from_millis(101)).await;
    assert_eq!((pstate.stats().write_back.stored, pstate.stats().write_back.queued), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn close_gives_up_at_its_deadline_and_reports_what_is_left() {
    let setup = old_cards(10).await;
    let writer = MigrationWriter::default().close_deadline(Duration::from_secs(3));
    let pstate = setup.handle(writer);
    read_all(&pstate, 10).await;
    for _ in 0..100 {
        setup.faults.fail(Call::Write, unavailable());
    }
    let before = tokio::time::Instant::now();
    let report = pstate.close().await.unwrap();
    assert_eq!((report.stored, report.left), (0, 10));
    assert!(before.elapsed() <= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_the_oldest_and_a_later_read_queues_it_again() {
    let setup = old_cards(10).await;
    let pstate = setup.handle(MigrationWriter::default().queue_limit(6));
    read_all(&pstate, 10).await;
    let stats = pstate.stats().write_back;
    assert_eq!((stats.queued, stats.dropped), (6, 4));
    pstate.flush().await.unwrap();
    assert_eq!(setup.versions(10).await, [1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
    let fresh = setup.handle(MigrationWriter::default());
    read_all(&fresh, 10).await;
    assert_eq!(fresh.flush().await.unwrap().stored, 4);
}

#[tokio::test(start_paused = true)]
async fn a_read_does_not_wait_for_a_flush() {
    let setup = old_cards(10).await;
    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 10).await;
    let held = setup.faults.hold(Call::Write, Moment::Before);
    let flush = tokio::spawn({
        let pstate = pstate.clone();
        async move { pstate.flush().await }
    });
    held.reached().await;
    read_all(&pstate, 10).await;
    held.release();
    assert_eq!(flush.await.unwrap().unwrap().stored, 10);
}

#[tokio::test(start_paused = true)]
async fn close_keeps_its_deadline_when_the_store_does_not_answer() {
    let setup = old_cards(10).await;
    let writer = MigrationWriter::default().close_deadline(Duration::from_secs(3));
    let pstate = setup.handle(writer);
    read_all(&pstate, 10).await;
    let held = setup.faults.hold(Call::Write, Moment::Before);
    let before = tokio::time::Instant::now();
    let report = pstate.close().await.unwrap();
    assert_eq!((before.elapsed(), report.left), (Duration::from_secs(3), 10));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_was_dropped_can_be_closed_again() {
    let setup = old_cards(10).await;
    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 10).await;
    let held = setup.faults.hold(Call::Write, Moment::Before);
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, pstate.close()).await.is_err());
    held.release();
    pstate.close().await.unwrap();
    assert_eq!(pstate.get("base_card:1").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_interval_without_end_waits_for_a_flush() {
    let setup = old_cards(10).await;
    let writer =
        MigrationWriter::default().flush_interval(Duration::MAX).close_deadline(Duration::MAX);
    let pstate = setup.handle(writer);
    read_all(&pstate, 10).await;
    tokio::time::sleep(Duration::from_secs(1_000_000)).await;
    assert_eq!(setup.counting.take().writes, 0);
    assert_eq!(pstate.close().await.unwrap().stored, 10);
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_panics_during_a_flush_ends_neither_the_writer_nor_the_batch() {
    let setup = old_cards(10).await;
    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 10).await;
    setup.faults.panic(Call::Write);
    let report = pstate.flush().await.unwrap();
    assert_eq!((report.stored, report.failed), (10, 0));
    assert_eq!(setup.versions(10).await, [2; 10]);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_makes_every_write_fail_does_not_block_the_others() {
    let setup = old_cards(20).await;
    let poisoned: Key = deck_of(20).card_key(7).parse().unwrap();
    let error = Error::new(ErrorKind::Other, "poisoned");
    let adapter = Picky::refusing(setup.counting.clone(), &poisoned, error);
    let pstate = handle_on(Arc::new(adapter), MigrationWriter::default());
    read_all(&pstate, 20).await;
    setup.counting.take();
    let report = pstate.flush().await.unwrap();
    assert_eq!((report.stored, report.failed, report.left), (19, 1, 0));
    let [failure] = &report.failures[..] else { panic!("{:?}", report.failures) };
    assert_eq!(failure.key(), Some(&poisoned));
    assert!(failure.message().contains("poisoned"), "{failure}");
    // It is found by halving: 20, 10, 5, 3, 2, 1 and their other halves.
    assert!(setup.counting.take().writes <= 6);
    assert_eq!(setup.versions(20).await.iter().filter(|version| **version == 1).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_flush_says_why_it_happened() {
    let setup = old_cards(250).await;
    let pstate = setup.handle(MigrationWriter::default());
    let flushes = || {
        let stats = pstate.stats().write_back;
        assert_eq!(
            stats.flushes,
            stats.flushes_by_size
                + stats.flushes_by_interval
                + stats.flushes_by_hand
                + stats.flushes_by_close
        );
        [stats.flushes_by_size, stats.flushes_by_interval, stats.flushes_by_hand]
    };
    read_some(&pstate, 0..3).await;
    assert_eq!(pstate.flush().await.unwrap().trigger, FlushTrigger::Manual);
    assert_eq!(flushes(), [0, 0, 1]);
    read_some(&pstate, 3..6).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(flushes(), [0, 1, 1]);
    read_some(&pstate, 6..206).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(flushes(), [1, 1, 1]);
    read_some(&pstate, 206..250).await;
    let report = pstate.close().await.unwrap();
    assert_eq!((report.trigger, report.stored), (FlushTrigger::Close, 44));
    assert_eq!(pstate.stats().write_back.flushes_by_close, 1);
}

#[tokio::test(start_paused = true)]
async fn groups_are_no_larger_than_the_adapter_takes() {
    let setup = old_cards(50).await;
    let adapter = Picky { inner: setup.counting.clone(), max_batch: 8, refused: None };
    let pstate = handle_on(Arc::new(adapter), MigrationWriter::default());
    read_all(&pstate, 50).await;
    setup.counting.take();
    assert_eq!(pstate.flush().await.unwrap().stored, 50);
    let counts = setup.counting.take();
    assert_eq!((counts.writes, counts.keys_written), (7, 50));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_now_does_not_stand_in_the_way() {
    let setup = old_cards(4).await;
    let late: Key = deck_of(4).card_key(0).parse().unwrap();
    let error = Error::new(ErrorKind::Timeout, "late");
    let adapter = Picky::refusing(setup.counting.clone(), &late, error);
    let pstate = handle_on(Arc::new(adapter), MigrationWriter::default());
    read_all(&pstate, 4).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let stats = pstate.stats().write_back;
    assert_eq!((stats.stored, stats.queued), (3, 1));
    assert_eq!(setup.versions(4).await, [1, 2, 2, 2]);
}

/// One way to read old cards, and past the cache.
async fn read_again(pstate: PState, way: usize) {
    let keys: Vec<_> = (0..3).map(|card| deck_of(3).card_key(card)).collect();
    match way {
        0 => _ = pstate.cache_policy(CachePolicy::Refresh).multi_get(keys).await.unwrap(),
        1 => _ = pstate.cache_policy(CachePolicy::Bypass).multi_get(keys).await.unwrap(),
        _ => _ = pstate.scan("base_card:").page().await.unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_read_during_its_own_write_back_does_not_conflict_with_it() {
    for (way, call) in [Call::Read, Call::Read, Call::Scan].into_iter().enumerate() {
        let setup = old_cards(3).await;
        let pstate = setup.handle(MigrationWriter::default());
        let flush = || {
            let pstate = pstate.clone();
            tokio::spawn(async move { pstate.flush().await.unwrap() })
        };
        // A read that begins and ends while the write is under way.
        read_all(&pstate, 3).await;
        let writing = setup.faults.hold(Call::Write, Moment::Before);
        let flushing = flush();
        writing.reached().await;
        read_again(pstate.clone(), way).await;
        // And one that ends after it.
        let reading = setup.faults.hold(call, Moment::After);
        let read = tokio::spawn(read_again(pstate.clone(), way));
        reading.reached().await;
        writing.release();
        assert_eq!(flushing.await.unwrap().stored, 3);
        reading.release();
        read.await.unwrap();
        let report = flush().await.unwrap();
        let stats = pstate.stats().write_back;
        assert_eq!((report.stored, stats.stored, stats.conflicts, stats.queued), (0, 3, 0, 0));
        assert_eq!(setup.versions(3).await, [2; 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_sweep_has_stored_is_not_written_back_again() {
    let setup = old_cards(3).await;
    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 3).await;
    assert_eq!(pstate.migrate_all().run().await.unwrap().stored, 3);
    let report = pstate.flush().await.unwrap();
    assert_eq!((report.stored, report.conflicts), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_document_that_becomes_old_again_is_written_back_again() {
    let setup = old_cards(1).await;
    let pstate = setup.handle(MigrationWriter::default());
    for _ in 0..3 {
        read_all(&pstate, 1).await;
        assert_eq!(pstate.flush().await.unwrap().stored, 1);
        let deck = deck_of(1);
        pstate.put_at(1, deck.card_key(0), &deck.old_card(0)).await.unwrap();
    }
}

/// An adapter that takes few writes at once, or refuses whole batches because of one key.
#[derive(Debug)]
struct Picky {
    inner: Arc<dyn Adapter>,
    max_batch: usize,
    refused: Option<(Key, Error)>,
}

impl Picky {
    fn refusing(inner: Arc<dyn Adapter>, key: &Key, error: Error) -> Self {
        Self { inner, max_batch: usize::MAX, refused: Some((key.clone(), error)) }
    }
}

#[async_trait]
impl Adapter for Picky {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities().max_batch(NonZeroUsize::new(self.max_batch).unwrap())
    }

    fn extensions(&self) -> Extensions<'_> {
        self.inner.extensions()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        self.inner.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        assert!(batch.writes.len() <= self.max_batch);
        match &self.refused {
            Some((key, error)) if batch.writes.iter().any(|write| write.key == *key) => {
                Err(error.clone())
            }
            _ => self.inner.write(space, batch).await,
        }
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.inner.scan(space, scan).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.inner.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }

    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}
