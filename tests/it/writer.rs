//! The migration writer: when it writes, and what it reports.

use std::sync::Arc;
use std::time::Duration;

use pstate::{Error, ErrorKind, MemoryAdapter, MigrationWriter, PState};
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
        PState::builder(self.counting.clone())
            .schema(workload::schema().unwrap())
            .migration_writer(writer)
            .build()
            .unwrap()
    }

    async fn versions(&self, count: usize) -> Vec<u32> {
        let plain = PState::builder(self.memory.clone()).build().unwrap();
        let deck = deck_of(count);
        let cards = plain.multi_get((0..count).map(|card| deck.card_key(card))).await.unwrap();
        cards.iter().map(|card| card.as_ref().unwrap().version()).collect()
    }
}

async fn read_all(pstate: &PState, count: usize) {
    let deck = deck_of(count);
    pstate.multi_get((0..count).map(|card| deck.card_key(card))).await.unwrap();
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
async fn an_adapter_that_panics_during_a_flush_does_not_end_the_writer() {
    let setup = old_cards(10).await;
    let pstate = setup.handle(MigrationWriter::default());
    read_all(&pstate, 10).await;
    setup.faults.panic(Call::Write);
    assert_eq!(pstate.flush().await.unwrap().failed, 10);
    read_all(&pstate, 10).await;
    assert_eq!(pstate.flush().await.unwrap().stored, 10);
    assert_eq!(setup.versions(10).await, [2; 10]);
}
