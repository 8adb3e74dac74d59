//! Filling the cache before anybody reads.

use std::sync::Arc;
use std::time::Duration;

use pstate::{Batch, ErrorKind, JobState, MemoryAdapter, PState, Staleness, Warm, Write};
use pstate_testkit::{Call, FaultLayer, Moment, workload};
use serde_json::json;
use tokio::time::Instant;

use crate::stores::{deck_of, on_each_store};

on_each_store! {
    async fn what_was_warmed_is_read_from_the_cache(store: Store) {
        let deck = deck_of(100);
        deck.store(&store.plain()).await.unwrap();
        let keys: Vec<String> = (0..100).map(|card| deck.card_key(card)).collect();
        let warms = [
            (Warm::new().keys(&keys).unwrap(), Some(100), 100),
            (Warm::new().prefix("base_card:"), None, 100),
            (Warm::new().preload("base_deck:spanish", "cards.translations").unwrap(), None, 401),
        ];
        for (warm, total, done) in warms {
            let counting = store.counting();
            let pstate = PState::builder(counting.clone()).build().unwrap();
            let warming = pstate.warm(warm.page_size(7)).unwrap();
            assert_eq!(warming.progress().total, total);
            let warmed = warming.wait().await.unwrap();
            assert_eq!((warmed.finished, warmed.done), (true, done));
            assert_eq!((warmed.absent, warmed.failed), (0, 0));
            counting.take();
            pstate.multi_get(&keys).await.unwrap();
            assert_eq!(counting.take().reads, 0);
        }
    }

    async fn what_is_old_is_migrated(store: Store) {
        let plain = store.plain();
        let deck = deck_of(10);
        for card in 0..10 {
            plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
        }
        let pstate = store.with_schema();
        let warmed = pstate.warm(Warm::new().prefix("base_card:")).unwrap().wait().await.unwrap();
        assert_eq!(warmed.done, 10);
        assert_eq!(pstate.stats().migrations, 10);
        pstate.flush().await.unwrap();
        assert_eq!(pstate.migration_status().await.unwrap().older(), 0);
    }

    async fn what_is_absent_or_cannot_be_read_is_told(store: Store) {
        let plain = store.plain();
        plain.put("card:1", &json!({})).await.unwrap();
        let damaged = Batch::each(vec![Write::put("card:2".parse().unwrap(), *b"[1]")]);
        store.adapter().write(plain.current_space(), &damaged).await.unwrap();
        let warm = Warm::new().keys(["card:1", "card:2", "card:3"]).unwrap();
        let warmed = store.plain().warm(warm).unwrap().wait().await.unwrap();
        assert!(warmed.finished && !warmed.cache_full, "{warmed}");
        assert_eq!((warmed.done, warmed.absent, warmed.failed), (1, 1, 1));
        assert_eq!(warmed.failures[0].kind(), ErrorKind::Corrupt);
        let shown = "finished: 1 done, 1 absent, 1 failed";
        assert!(warmed.to_string().starts_with(shown), "{warmed}");
    }

    async fn it_ends_when_the_cache_is_full(store: Store) {
        let deck = deck_of(2_000);
        deck.store(&store.plain()).await.unwrap();
        let counting = store.counting();
        let builder = PState::builder(counting.clone()).staleness(Staleness::Unbounded);
        let pstate = builder.cache_bytes(256 << 10).build().unwrap();
        let warm = Warm::new().prefix("base_card:").page_size(50);
        let warmed = pstate.warm(warm).unwrap().wait().await.unwrap();
        assert!(warmed.cache_full && !warmed.finished, "{warmed}");
        assert!((150..1_000).contains(&warmed.done), "{warmed}");
        let none = store.builder().cache_bytes(0).build().unwrap();
        let warm = Warm::new().prefix("base_card:").page_size(50);
        let warmed = none.warm(warm).unwrap().wait().await.unwrap();
        assert!(warmed.cache_full && !warmed.finished, "{warmed}");
    }

    async fn absences_that_fill_the_cache_make_room_for_documents(store: Store) {
        let deck = deck_of(20);
        deck.store(&store.plain()).await.unwrap();
        let builder = store.builder().staleness(Staleness::Unbounded);
        let pstate = builder.cache_bytes(256 << 10).build().unwrap();
        let absent = (0..5_000).map(|id| format!("note:{id}"));
        let warm = Warm::new().keys(absent).unwrap().prefix("base_card:").page_size(50);
        let warmed = pstate.warm(warm).unwrap().wait().await.unwrap();
        assert!(warmed.finished && !warmed.cache_full, "{warmed}");
        assert_eq!((warmed.done, warmed.absent), (20, 5_000));
    }

    async fn what_somebody_writes_meanwhile_is_not_overtaken(store: Store) {
        store.plain().put("card:1", &json!({"n": 1})).await.unwrap();
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        let held = faults.hold(Call::Read, Moment::After);
        let warming = pstate.warm(Warm::new().keys(["card:1"]).unwrap()).unwrap();
        held.reached().await;
        pstate.put("card:1", &json!({"n": 2})).await.unwrap();
        held.release();
        warming.wait().await.unwrap();
        assert_eq!(pstate.get("card:1").await.unwrap().unwrap().as_str(), r#"{"n":2}"#);
    }

    async fn it_keeps_to_its_space(store: Store) {
        let plain = store.plain();
        plain.put("card:1", &json!({"of": "default"})).await.unwrap();
        plain.space("other").unwrap().put("card:1", &json!({"of": "other"})).await.unwrap();
        let pstate = store.plain();
        let other = pstate.space("other").unwrap();
        other.warm(Warm::new().prefix("card:")).unwrap().wait().await.unwrap();
        let reads = pstate.stats().reads;
        let card = other.get("card:1").await.unwrap().unwrap();
        assert_eq!(card.get("of").unwrap().unwrap(), "other");
        assert_eq!(pstate.stats().reads, reads);
        pstate.get("card:1").await.unwrap();
        assert_eq!(pstate.stats().reads, reads + 1);
    }

    async fn a_malformed_key_or_preload_is_refused_at_once(store: Store) {
        let pstate = store.plain();
        assert_eq!(Warm::new().keys(["card"]).unwrap_err().kind(), ErrorKind::InvalidInput);
        let refused = Warm::new().preload("deck:1", "cards(").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        pstate.close().await.unwrap();
        let closed = pstate.warm(Warm::new().prefix("card:")).unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Unavailable);
    }
}

/// A handle on so many cards, and what makes its calls fail.
async fn paused_store(cards: usize) -> (PState, Arc<FaultLayer>) {
    let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
    let builder = PState::builder(faults.clone()).schema(workload::schema().unwrap());
    let pstate = builder.staleness(Staleness::Unbounded).build().unwrap();
    let filling = PState::builder(faults.clone()).build().unwrap();
    deck_of(cards).store(&filling).await.unwrap();
    (pstate, faults)
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_kept_and_can_be_changed() {
    let (pstate, _) = paused_store(1_000).await;
    let begin = Instant::now();
    let warm = Warm::new().prefix("base_card:").rate(100).page_size(50);
    let warming = pstate.warm(warm).unwrap();
    let mut changes = warming.changes();
    while changes.next().await.unwrap().done < 500 {}
    let passed = begin.elapsed().as_secs_f64();
    assert!((4.0..=5.0).contains(&passed), "{passed} s");
    assert!((90.0..=120.0).contains(&warming.progress().rate), "{}", warming.progress());
    warming.set_rate(0);
    let warmed = warming.wait().await.unwrap();
    assert_eq!((warmed.finished, warmed.done), (true, 1_000));
    assert!(begin.elapsed() < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_canceled_or_dropped_or_the_handle_is_closed() {
    let (pstate, _) = paused_store(1_000).await;
    let warm = || Warm::new().prefix("base_card:").rate(10).page_size(10);
    let warming = pstate.warm(warm()).unwrap();
    let mut changes = warming.changes();
    while changes.next().await.unwrap().done < 20 {}
    warming.cancel();
    let canceled = warming.wait().await.unwrap();
    assert!(!canceled.finished && canceled.done < 50, "{canceled}");
    let mut last = None;
    while let Some(progress) = changes.next().await {
        last = Some(progress.state);
    }
    assert_eq!(last, Some(JobState::Canceled));

    drop(pstate.warm(warm()).unwrap());
    let warming = pstate.warm(warm()).unwrap();
    warming.changes().next().await.unwrap();
    let begin = Instant::now();
    pstate.close().await.unwrap();
    // Closing waits for all of them.
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert!(!warming.wait().await.unwrap().finished);
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_unavailable_it_waits() {
    let (pstate, faults) = paused_store(100).await;
    faults.disconnect();
    let warming = pstate.warm(Warm::new().prefix("base_card:")).unwrap();
    let waiting = warming.changes().next().await.unwrap();
    assert_eq!(waiting.state, JobState::Waiting);
    assert_eq!(waiting.unavailable.unwrap().kind(), ErrorKind::Unavailable);
    faults.reconnect();
    let warmed = warming.wait().await.unwrap();
    assert_eq!((warmed.finished, warmed.done, warmed.failed), (true, 100, 0));
}

#[tokio::test]
async fn a_job_whose_adapter_panics_has_failed_and_says_so() {
    let (pstate, faults) = paused_store(10).await;
    faults.panic(Call::Scan);
    let warming = pstate.warm(Warm::new().prefix("base_card:")).unwrap();
    let mut changes = warming.changes();
    let error = warming.wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(error.to_string(), "warm: the job panicked, or the storage adapter within it");
    let mut last = None;
    while let Some(progress) = changes.next().await {
        last = Some(progress.state);
    }
    assert_eq!(last, Some(JobState::Failed));
}

#[tokio::test(start_paused = true)]
async fn failures_do_not_lift_the_rate_limit() {
    let (pstate, faults) = paused_store(100).await;
    let begin = Instant::now();
    let warm = Warm::new().prefix("base_card:").rate(10).page_size(10);
    let warming = pstate.warm(warm).unwrap();
    let mut changes = warming.changes();
    while changes.next().await.unwrap().done == 0 {}
    for page in 2..=10 {
        faults.disconnect();
        while changes.next().await.unwrap().state != JobState::Waiting {}
        faults.reconnect();
        while changes.next().await.unwrap().done < page * 10 {}
    }
    assert!(warming.wait().await.unwrap().finished);
    // Ten pages, of which each takes a second.
    assert!(begin.elapsed() >= Duration::from_secs(9), "{:?}", begin.elapsed());
}

#[test]
fn a_job_whose_runtime_has_shut_down_has_failed_and_says_so() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (pstate, warming) = runtime.block_on(async {
        let (pstate, _) = paused_store(100).await;
        let warm = Warm::new().prefix("base_card:").rate(1).page_size(1);
        let warming = pstate.warm(warm).unwrap();
        warming.changes().next().await.unwrap();
        (pstate, warming)
    });
    drop(runtime);
    let progress = warming.progress();
    assert_eq!(progress.state, JobState::Failed);
    assert_eq!(progress.unavailable.unwrap().kind(), ErrorKind::Unavailable);
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = other.block_on(warming.wait()).unwrap_err();
    assert_eq!(error.to_string(), "warm: the runtime that the job ran on has shut down");
    drop(pstate);
}
