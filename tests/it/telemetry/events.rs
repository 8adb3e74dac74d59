//! Each event once, for everything that happens.

use std::sync::Arc;

use pstate::{Builder, Error, ErrorKind, MemoryAdapter, PState, Staleness};
use pstate_testkit::{Call, FaultLayer, workload};
use serde_json::json;

use super::recorder::Recorder;
use crate::stores::deck_of;

/// A handle that is observed, on a store of its own, of which nobody asks what others change.
fn builder(adapter: &Arc<MemoryAdapter>) -> (Builder, Arc<Recorder>) {
    let recorder = Recorder::new();
    let builder = PState::builder(adapter.clone())
        .staleness(Staleness::Unbounded)
        .time_cache_reads(u32::MAX)
        .observer(recorder.clone());
    (builder, recorder)
}

fn plain(adapter: &Arc<MemoryAdapter>) -> PState {
    PState::builder(adapter.clone()).build().unwrap()
}

#[tokio::test]
async fn a_read_of_the_store_and_one_of_the_cache() {
    let adapter = Arc::new(MemoryAdapter::new());
    plain(&adapter).put("card:1", &json!({})).await.unwrap();
    let (builder, recorder) = builder(&adapter);
    let pstate = builder.build().unwrap();

    pstate.get("card:1").await.unwrap();
    assert_eq!(
        recorder.take(),
        [
            "cache miss card:1",
            "call memory multi_get 1",
            "cache insert card:1",
            "fetch card:1 by get, stored"
        ]
    );
    pstate.get("card:1").await.unwrap();
    assert_eq!(recorder.take(), ["cache hit card:1", "fetch card:1 by get, cached"]);
}

#[tokio::test]
async fn that_nothing_is_there_is_told_and_remembered() {
    let (builder, recorder) = builder(&Arc::new(MemoryAdapter::new()));
    let pstate = builder.build().unwrap();
    pstate.get("card:1").await.unwrap();
    assert_eq!(recorder.take().last().unwrap(), "fetch card:1 by get, stored, absent");
    pstate.get("card:1").await.unwrap();
    assert_eq!(recorder.take(), ["cache hit card:1", "fetch card:1 by get, cached, absent"]);
}

#[tokio::test]
async fn of_several_keys_each_is_told_and_the_call_once() {
    let adapter = Arc::new(MemoryAdapter::new());
    let (builder, recorder) = builder(&adapter);
    let pstate = builder.build().unwrap();
    pstate.put("card:1", &json!({})).await.unwrap();
    recorder.take();
    pstate.multi_get(["card:1", "card:2", "card:3"]).await.unwrap();
    assert_eq!(
        recorder.take(),
        [
            "cache hit card:1",
            "cache miss card:2",
            "cache miss card:3",
            "call memory multi_get 2",
            "cache insert card:2",
            "cache insert card:3",
            "fetch card:1 by multi_get, cached",
            "fetch card:2 by multi_get, stored, absent",
            "fetch card:3 by multi_get, stored, absent",
        ]
    );
}

#[tokio::test]
async fn writes() {
    let (builder, recorder) = builder(&Arc::new(MemoryAdapter::new()));
    let pstate = builder.build().unwrap();
    pstate.put("card:1", &json!({})).await.unwrap();
    assert_eq!(
        recorder.take(),
        ["call memory write 1", "cache insert card:1", "put card:1 by put: stored"]
    );
    pstate.multi_put([("card:1", json!({"a": 1})), ("card:2", json!({}))]).await.unwrap();
    assert_eq!(
        recorder.take(),
        [
            "cache invalidate card:1",
            "call memory write 2",
            "cache insert card:1",
            "cache insert card:2",
            "put card:1 by multi_put: stored",
            "put card:2 by multi_put: stored",
        ]
    );
    pstate.delete("card:2").await.unwrap();
    assert_eq!(recorder.take().last().unwrap(), "put card:2 by delete: deleted");
    let refused = pstate
        .batch()
        .put_expecting("card:1", pstate::Expect::Absent, &json!({}))
        .put("card:3", &json!({}))
        .commit();
    refused.await.unwrap_err();
    let told = recorder.take();
    assert_eq!(
        told[told.len() - 2..],
        ["put card:1 by batch: conflict", "put card:3 by batch: aborted"]
    );
}

#[tokio::test]
async fn a_migration_and_its_write_back() {
    let adapter = Arc::new(MemoryAdapter::new());
    let deck = deck_of(1);
    plain(&adapter).put_at(1, deck.card_key(0), &deck.old_card(0)).await.unwrap();
    let (builder, recorder) = builder(&adapter);
    let pstate = builder.schema(workload::schema().unwrap()).build().unwrap();

    pstate.get(deck.card_key(0)).await.unwrap();
    assert_eq!(
        recorder.take(),
        [
            "cache miss base_card:spanish-000000",
            "call memory multi_get 1",
            "migrate base_card:spanish-000000 1 to 2: rank",
            "queue 1",
            "cache insert base_card:spanish-000000",
            "fetch base_card:spanish-000000 by get, stored, migrated",
        ]
    );
    pstate.flush().await.unwrap();
    assert_eq!(
        recorder.take(),
        [
            "queue 0",
            "cache invalidate base_card:spanish-000000",
            "call memory write 1",
            "cache insert base_card:spanish-000000",
            "flush by manual: 1 0 0 0",
            "call memory flush 0",
        ]
    );
    let stats = pstate.stats();
    assert_eq!((stats.migrations, stats.migrations_by_type["base_card"]), (1, 1));
}

#[tokio::test]
async fn a_migration_that_fails() {
    let adapter = Arc::new(MemoryAdapter::new());
    let rank = json!({"front": "a", "rank": "no number"});
    plain(&adapter).put_at(1, "base_card:1", &rank).await.unwrap();
    let (builder, recorder) = builder(&adapter);
    let pstate = builder.schema(workload::schema().unwrap()).build().unwrap();
    pstate.get("base_card:1").await.unwrap_err();
    let told = recorder.take();
    assert!(told.contains(&"migrate base_card:1 1 to 2: , failed".to_owned()), "{told:?}");
    assert_eq!(told.last().unwrap(), "fetch base_card:1 by get, stored, failed");
    assert_eq!(pstate.stats().failed_migrations_by_type["base_card"], 1);
}

#[tokio::test]
async fn a_preload() {
    let adapter = Arc::new(MemoryAdapter::new());
    deck_of(2).store(&plain(&adapter)).await.unwrap();
    let (builder, recorder) = builder(&adapter);
    let pstate = builder.build().unwrap();
    pstate.preload("base_deck:spanish", "cards.translations").await.unwrap();
    assert_eq!(recorder.count("fetch "), 9);
    assert_eq!(recorder.count("call memory multi_get"), 3);
    let told = recorder.take();
    let preload = "preload base_deck:spanish: 2 levels, 9 keys, 3 calls";
    assert_eq!(told.last().unwrap(), preload);
    let preloads = pstate.stats().preloads;
    assert_eq!((preloads.count, preloads.keys, preloads.round_trips), (1, 9, 3));
}

#[tokio::test]
async fn a_sweep() {
    let adapter = Arc::new(MemoryAdapter::new());
    let deck = deck_of(3);
    for card in 0..3 {
        plain(&adapter).put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
    let (builder, recorder) = builder(&adapter);
    let pstate = builder.schema(workload::schema().unwrap()).build().unwrap();
    pstate.migrate_all().page_size(2).run().await.unwrap();
    let mut told = recorder.take();
    told.retain(|line| line.starts_with("sweep"));
    assert_eq!(
        told,
        [
            "sweep 2 2 0 0, Running",
            "sweep 1 1 0 0, Running",
            "sweep 0 0 0 0, Running",
            "sweep 0 0 0 0, Running",
            "sweep 0 0 0 0, Finished",
        ]
    );
    assert_eq!((pstate.stats().sweeps.done, pstate.stats().sweeps.stored), (3, 3));
}

#[tokio::test]
async fn a_scan() {
    let adapter = Arc::new(MemoryAdapter::new());
    plain(&adapter).put("card:1", &json!({})).await.unwrap();
    let (builder, recorder) = builder(&adapter);
    builder.build().unwrap().scan("card:").page().await.unwrap();
    assert_eq!(recorder.take(), ["call memory scan 0", "fetch card:1 by scan, stored"]);
}

#[tokio::test]
async fn what_fails() {
    let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
    let recorder = Recorder::new();
    let pstate = PState::builder(faults.clone())
        .staleness(Staleness::Unbounded)
        .observer(recorder.clone())
        .build()
        .unwrap();
    let gone = || Error::new(ErrorKind::Unavailable, "gone");
    faults.fail(Call::Read, gone());
    pstate.get("card:1").await.unwrap_err();
    assert_eq!(
        recorder.take(),
        [
            "cache miss card:1",
            "call memory multi_get 1, failed",
            "fetch card:1 by get, stored, failed"
        ]
    );
    faults.fail(Call::Write, gone());
    pstate.put("card:1", &json!({})).await.unwrap_err();
    assert_eq!(recorder.take(), ["call memory write 1, failed", "put card:1 by put: failed"]);
}

#[tokio::test]
async fn readers_who_share_a_call_are_each_told_and_the_call_once() {
    let (builder, recorder) = builder(&Arc::new(MemoryAdapter::new()));
    let pstate = builder.cache_bytes(1 << 20).build().unwrap();
    let gets = (0..8).map(|_| pstate.get("card:1"));
    futures_util::future::try_join_all(gets).await.unwrap();
    assert_eq!(recorder.count("fetch card:1 by get"), 8);
    assert_eq!(recorder.count("call memory multi_get"), 1);
    let stats = pstate.stats().cache;
    assert_eq!(recorder.count("cache hit"), stats.hits);
    assert_eq!(recorder.count("cache miss"), stats.misses);
}
