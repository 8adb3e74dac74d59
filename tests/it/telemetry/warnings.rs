//! What takes too long is warned of, and not too often.

use std::sync::Arc;
use std::time::Duration;

use pstate::schema::Entity;
use pstate::{
    Builder, MemoryAdapter, MigrationWriter, Operation, PState, Schema, Staleness, Thresholds,
};
use pstate_testkit::{Call, FaultLayer, workload};
use serde_json::json;
use tracing::Level;

use super::log::Log;
use super::recorder::Recorder;
use crate::stores::deck_of;

fn setup() -> (Arc<FaultLayer>, Builder, Arc<Recorder>) {
    let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
    let recorder = Recorder::new();
    let builder = PState::builder(faults.clone()).observer(recorder.clone());
    (faults, builder, recorder)
}

const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn an_operation_of_more_than_10_ms_is_counted_told_and_logged() {
    let (faults, builder, recorder) = setup();
    let log = Log::of(Level::WARN);
    let _logged = log.begin();
    let pstate = builder.build().unwrap();
    faults.delay(Call::Read, 10 * MILLISECOND);
    pstate.get("card:1").await.unwrap();
    assert_eq!((pstate.stats().slow_operations, log.take().len()), (0, 0));

    faults.delay(Call::Read, 11 * MILLISECOND);
    pstate.get("card:2").await.unwrap();
    assert_eq!(pstate.stats().slow_by_operation[&Operation::Get], 1);
    assert_eq!(recorder.count("slow get card:2 of 1"), 1);
    let told = log.take();
    assert_eq!(told.len(), 1, "{told:?}");
    for part in ["WARN:", "slow operation", "operation=get", "key=card:2", "duration=11ms"] {
        assert!(told[0].contains(part), "{part} in {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_operation_is_watched() {
    let (faults, builder, recorder) = setup();
    let pstate = builder.build().unwrap();
    let slow = |call| faults.delay(call, 20 * MILLISECOND);
    slow(Call::Read);
    pstate.multi_get(["card:1", "card:2"]).await.unwrap();
    slow(Call::Read);
    pstate.preload("card:3", "deck").await.unwrap();
    slow(Call::Scan);
    pstate.scan("card:").page().await.unwrap();
    slow(Call::Write);
    pstate.put("card:1", &json!({})).await.unwrap();
    slow(Call::Write);
    pstate.delete("card:1").await.unwrap();
    let mut told = recorder.take();
    told.retain(|line| line.starts_with("slow"));
    assert_eq!(
        told,
        [
            "slow multi_get card:1 of 2",
            "slow preload card:3 of 1",
            "slow scan  of 0",
            "slow put card:1 of 1",
            "slow delete card:1 of 1"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn warnings_of_a_kind_come_once_a_second_with_how_many_were_suppressed() {
    let (faults, builder, _) = setup();
    let log = Log::of(Level::WARN);
    let _logged = log.begin();
    let pstate = builder.build().unwrap();
    for card in 0..5 {
        faults.delay(Call::Read, 20 * MILLISECOND);
        pstate.get(format!("card:{card}")).await.unwrap();
    }
    assert_eq!(log.take().len(), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    faults.delay(Call::Read, 20 * MILLISECOND);
    pstate.get("card:9").await.unwrap();
    let told = log.take();
    assert!(told.len() == 1 && told[0].contains("suppressed=4"), "{told:?}");
    assert_eq!(pstate.stats().slow_operations, 6);
}

#[tokio::test(start_paused = true)]
async fn thresholds_can_be_moved() {
    let (faults, builder, _) = setup();
    let thresholds = Thresholds::never().slow_operation(Duration::from_secs(1));
    let pstate = builder.thresholds(thresholds).build().unwrap();
    faults.delay(Call::Read, 900 * MILLISECOND);
    pstate.get("card:1").await.unwrap();
    assert_eq!(pstate.stats().slow_operations, 0);
    faults.delay(Call::Read, 1_100 * MILLISECOND);
    pstate.get("card:2").await.unwrap();
    assert_eq!(pstate.stats().slow_operations, 1);
}

#[tokio::test(start_paused = true)]
async fn a_long_queue_and_a_slow_flush_are_logged() {
    let (faults, builder, _) = setup();
    let log = Log::of(Level::WARN);
    let _logged = log.begin();
    let deck = deck_of(4);
    let plain = PState::builder(faults.clone()).build().unwrap();
    for card in 0..4 {
        plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
    let pstate = builder
        .schema(workload::schema().unwrap())
        .migration_writer(MigrationWriter::default())
        .thresholds(Thresholds::default().long_queue(2))
        .build()
        .unwrap();
    pstate.multi_get((0..2).map(|card| deck.card_key(card))).await.unwrap();
    assert_eq!(log.take().len(), 0);
    // A long queue is what the first read of many old documents makes; that it stays long is not.
    pstate.multi_get((2..4).map(|card| deck.card_key(card))).await.unwrap();
    faults.disconnect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(log.take().len(), 0);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let told = log.take();
    assert!(told.len() == 1 && told[0].contains("size=4"), "{told:?}");
    faults.reconnect();

    faults.delay(Call::Write, 101 * MILLISECOND);
    pstate.flush().await.unwrap();
    let told = log.take();
    assert!(told.len() == 1 && told[0].contains("slow flush"), "{told:?}");
    assert!(told[0].contains("trigger=manual") && told[0].contains("count=4"), "{told:?}");
    let flushes = pstate.stats().write_back;
    assert_eq!((flushes.last_flush, flushes.longest_flush), (101 * MILLISECOND, 101 * MILLISECOND));
}

#[tokio::test]
async fn a_write_under_a_misspelled_type_is_warned_of_once() {
    let (_, builder, _) = setup();
    let log = Log::of(Level::WARN);
    let _logged = log.begin();
    let schema = Schema::new(["card", "deck"].map(|name| Entity::new(name, 1))).unwrap();
    let pstate = builder.schema(schema).build().unwrap();
    pstate.put("card:1", &json!({})).await.unwrap();
    // Of another name altogether; read, and not written; deleted.
    pstate.put("user:1", &json!({})).await.unwrap();
    pstate.get("crad:1").await.unwrap();
    pstate.delete("crad:1").await.unwrap();
    assert_eq!(log.take(), [""; 0]);

    pstate.put("crad:1", &json!({})).await.unwrap();
    let warned = log.take();
    assert_eq!(warned.len(), 1, "{warned:?}");
    for part in ["WARN:", "key=crad:1", "similar=card", "does not declare"] {
        assert!(warned[0].contains(part), "{part} in {warned:?}");
    }
    pstate.multi_put([("crad:1", json!({})), ("crad:2", json!({}))]).await.unwrap();
    pstate.space("other").unwrap().put("crad:1", &json!({})).await.unwrap();
    pstate.update("crad:1", |_| Ok(())).await.unwrap();
    assert_eq!(log.take(), [""; 0]);
    pstate.batch().put("card:1", &json!({})).put("decks:1", &json!({})).commit().await.unwrap();
    assert_eq!(log.take().len(), 1);
}

#[tokio::test]
async fn a_preload_of_fields_that_no_document_has_is_logged_once_per_call() {
    let log = Log::of(Level::WARN);
    let _logged = log.begin();
    let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build().unwrap();
    pstate
        .put("deck:1", &json!({"cards": [{"$ref": "card:1"}, {"$ref": "card:2"}]}))
        .await
        .unwrap();
    pstate.put("card:1", &json!({})).await.unwrap();
    pstate.put("card:2", &json!({})).await.unwrap();
    pstate.preload("deck:1", "cards").await.unwrap();
    assert_eq!(log.take(), [""; 0]);
    for _ in 0..2 {
        pstate.preload("deck:1", "cards.{ownr, nots}").await.unwrap();
        let logged = log.take();
        assert_eq!(logged.len(), 1, "{logged:?}");
        for part in ["WARN:", "key=deck:1", "path=cards.ownr", "others=1"] {
            assert!(logged[0].contains(part), "{part} in {logged:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_closed_logs_nothing_more() {
    for staleness in [Staleness::None, Staleness::default(), Staleness::Unbounded] {
        let log = Log::of(Level::WARN);
        let _logged = log.begin();
        let pstate = PState::builder(Arc::new(MemoryAdapter::new())).staleness(staleness);
        let pstate = pstate.build().unwrap();
        pstate.put("card:1", &json!({})).await.unwrap();
        pstate.get("card:1").await.unwrap();
        let clone = pstate.clone();
        pstate.close().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        clone.get("card:1").await.unwrap_err();
        assert_eq!(log.take(), [""; 0]);
    }
}
