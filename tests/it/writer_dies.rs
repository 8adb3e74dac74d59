//! What is left of a writer, and of a handle, that has gone.

use std::sync::Arc;
use std::time::Duration;

use pstate::{Adapter, Error, ErrorKind, MemoryAdapter, MigrationWriter, PState};
use pstate_testkit::{Call, FaultLayer, workload};
use serde_json::json;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::stores::deck_of;

const CARDS: usize = 10;

async fn old_cards(adapter: Arc<dyn Adapter>) {
    let plain = PState::builder(adapter).build().unwrap();
    let deck = deck_of(CARDS);
    for card in 0..CARDS {
        plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
}

fn handle(adapter: Arc<dyn Adapter>, writer: MigrationWriter) -> PState {
    let builder = PState::builder(adapter).schema(workload::schema().unwrap());
    builder.migration_writer(writer).build().unwrap()
}

async fn read_all(pstate: &PState) {
    let deck = deck_of(CARDS);
    let cards = pstate.multi_get((0..CARDS).map(|card| deck.card_key(card))).await.unwrap();
    assert!(cards.iter().all(|card| card.as_ref().unwrap().version() == 2));
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn what_a_runtime_that_ends_leaves_queued_is_reported_and_the_next_handle_writes_it() {
    let (first, second) = (runtime(), runtime());
    let adapter: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    second.block_on(old_cards(adapter.clone()));
    let pstate = first.block_on(async {
        let pstate = handle(adapter.clone(), MigrationWriter::default());
        read_all(&pstate).await;
        pstate
    });
    // The runtime that the writer's task lives in ends, and the writer with it.
    first.shutdown_timeout(Duration::from_secs(10));

    second.block_on(async {
        let next = handle(adapter.clone(), MigrationWriter::default());
        assert_eq!(next.stats().write_back.queued, 0);
        read_all(&next).await;
        assert_eq!(next.flush().await.unwrap().stored, CARDS);
        assert_eq!(next.migration_status().await.unwrap().older(), 0);

        let report = pstate.close().await.unwrap();
        assert_eq!((report.stored, report.left), (0, CARDS));
        assert!(report.unavailable.is_some());
    });
}

/// How many tasks the runtime has, once all that can has ended.
async fn tasks() -> usize {
    // The clock is paused: it moves on only when every task waits for it.
    tokio::time::sleep(Duration::from_millis(1)).await;
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn dropping_a_handle_leaves_no_task_behind() {
    let memory: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    old_cards(memory.clone()).await;
    let faults = Arc::new(FaultLayer::new(memory));
    assert_eq!(tasks().await, 0);

    let pstate = handle(faults.clone(), MigrationWriter::default());
    read_all(&pstate).await;
    // A write of which nobody knows whether it will happen, and a sweep that nobody waits for.
    faults.fail_after(Call::Write, Error::new(ErrorKind::Timeout, "no answer"));
    pstate.put("base_card:mine", &json!({ "front": "hola" })).await.unwrap_err();
    drop(pstate.migrate_all().rate(1).page_size(1).start().await.unwrap());
    assert!(tasks().await > 0);
    drop(pstate);
    assert_eq!(tasks().await, 0);
}

#[tokio::test(start_paused = true)]
async fn not_even_while_the_store_is_unavailable() {
    let memory: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    old_cards(memory.clone()).await;
    let faults = Arc::new(FaultLayer::new(memory));
    let writer = MigrationWriter::default().close_deadline(Duration::from_secs(3));
    let pstate = handle(faults.clone(), writer);
    read_all(&pstate).await;
    faults.disconnect();
    drop(pstate);
    assert_eq!(tasks().await, 1, "it tries until its deadline");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(tasks().await, 0);
}
