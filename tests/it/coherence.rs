//! After a write is acknowledged, no read returns an older value. The races are made, not awaited.

use std::sync::Arc;

use pstate::{Error, ErrorKind, Expect, PState, Staleness};
use pstate_testkit::{Call, Moment};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::stores::on_each_store;

async fn text(pstate: &PState, key: &str) -> String {
    pstate.get(key).await.unwrap().map(|card| card.as_str().to_owned()).unwrap_or_default()
}

/// Reads the card in a task of its own.
fn spawn_read(pstate: &PState) -> JoinHandle<String> {
    let pstate = pstate.clone();
    tokio::spawn(async move { text(&pstate, "card:1").await })
}

on_each_store! {
    async fn a_slow_load_does_not_bring_back_what_a_write_has_replaced(store: Store) {
        store.plain().put("card:1", &json!({"n": 1})).await.unwrap();
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        let held = faults.hold(Call::Read, Moment::After);
        let slow = spawn_read(&pstate);
        held.reached().await;
        pstate.put("card:1", &json!({"n": 2})).await.unwrap();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
        held.release();
        assert_eq!(slow.await.unwrap(), r#"{"n":1}"#);
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
    }

    async fn a_read_that_begins_after_a_write_does_not_join_an_older_load(store: Store) {
        store.plain().put("card:1", &json!({"n": 1})).await.unwrap();
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).cache_bytes(0).build().unwrap();
        let held = faults.hold(Call::Read, Moment::After);
        let slow = spawn_read(&pstate);
        held.reached().await;
        pstate.put("card:1", &json!({"n": 2})).await.unwrap();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
        held.release();
        slow.await.unwrap();
    }

    async fn of_two_writes_that_overlap_neither_is_cached_unless_it_is_the_last(store: Store) {
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        // The first write has reached the store, but its answer is on the way for a long time.
        let held = faults.hold(Call::Write, Moment::After);
        let first = tokio::spawn({
            let pstate = pstate.clone();
            async move { pstate.put("card:1", &json!({"n": 1})).await.unwrap() }
        });
        held.reached().await;
        pstate.put("card:1", &json!({"n": 2})).await.unwrap();
        held.release();
        first.await.unwrap();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
    }

    async fn a_write_whose_caller_went_away_is_seen_once_it_is_done(store: Store) {
        let plain = store.plain();
        plain.put("card:1", &json!({"n": 1})).await.unwrap();
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        text(&pstate, "card:1").await;

        let held = faults.hold(Call::Write, Moment::Before);
        let write = tokio::spawn({
            let pstate = pstate.clone();
            async move { pstate.put("card:1", &json!({"n": 2})).await }
        });
        held.reached().await;
        write.abort();
        assert!(write.await.unwrap_err().is_cancelled());
        // Nothing has happened yet, and a read must not make the cache believe that it stays so.
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":1}"#);
        held.release();
        // The abandoned write goes on; a cache that had kept the old value would show it for ever.
        let seen = async {
            while text(&pstate, "card:1").await != r#"{"n":2}"# {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), seen).await.unwrap();
    }

    async fn a_load_whose_caller_went_away_still_serves_the_others(store: Store) {
        store.plain().put("card:1", &json!({"n": 1})).await.unwrap();
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        let held = faults.hold(Call::Read, Moment::Before);
        let leader = spawn_read(&pstate);
        held.reached().await;
        let mut follower = Box::pin(text(&pstate, "card:1"));
        let joined = std::future::poll_fn(|cx| std::task::Poll::Ready(follower.as_mut().poll(cx)));
        assert!(joined.await.is_pending());
        leader.abort();
        assert!(leader.await.unwrap_err().is_cancelled());
        held.release();
        assert_eq!(follower.await, r#"{"n":1}"#);
        assert_eq!(pstate.stats().reads, 1);
    }

    async fn a_load_that_is_not_polled_does_not_block_others(store: Store) {
        store.plain().put("card:1", &json!({"n": 1})).await.unwrap();
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        // What others change is followed from here on, so the load is what the first poll begins.
        text(&pstate, "card:2").await;
        let held = faults.hold(Call::Read, Moment::Before);
        let mut leader = Box::pin(pstate.get("card:1"));
        // First others may ask for more, then it reads.
        for _ in 0..2 {
            let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(leader.as_mut().poll(cx)));
            assert!(polled.await.is_pending());
        }
        held.reached().await;
        held.release();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":1}"#);
        assert!(leader.await.unwrap().is_some());
    }

    async fn an_adapter_that_panics_is_an_error_and_what_follows_is_right(store: Store) {
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        let panicked = (ErrorKind::Other, "the storage adapter panicked");
        faults.panic(Call::Read);
        let error = pstate.get("card:1").await.unwrap_err();
        assert_eq!((error.kind(), error.message()), panicked);
        assert!(pstate.get("card:1").await.unwrap().is_none());

        faults.panic(Call::Write);
        let error = pstate.put("card:1", &json!({})).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), panicked);
        // Nobody knows how that write ended: the key is never cached again, and never wrong.
        pstate.put("card:1", &json!({"n": 2})).await.unwrap();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
        store.plain().put("card:1", &json!({"n": 3})).await.unwrap();
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":3}"#);
    }

    async fn a_write_that_may_have_happened_is_not_hidden_by_the_cache(store: Store) {
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        pstate.put("card:1", &json!({"n": 1})).await.unwrap();
        faults.fail_after(Call::Write, Error::new(ErrorKind::Timeout, "no answer"));
        let error = pstate.put("card:1", &json!({"n": 2})).await.unwrap_err();
        assert!(!error.is_retryable());
        assert_eq!(text(&pstate, "card:1").await, r#"{"n":2}"#);
    }

    async fn updates_from_many_tasks_are_all_kept(store: Store) {
        let pstate = store.plain();
        pstate.put("counter:1", &json!({"n": 0})).await.unwrap();
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let pstate = pstate.clone();
                tokio::spawn(async move {
                    for _ in 0..5 {
                        let counted = pstate.update("counter:1", |counter| {
                            counter["n"] = json!(counter["n"].as_u64().unwrap() + 1);
                            Ok(())
                        });
                        counted.await.unwrap().unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(text(&pstate, "counter:1").await, r#"{"n":160}"#);
    }

    async fn a_batch_is_all_or_nothing_and_the_cache_agrees(store: Store) {
        let pstate = store.plain();
        pstate.put("card:1", &json!({"n": 1})).await.unwrap();
        let old = pstate.get("card:1").await.unwrap().unwrap().revision();
        pstate.put("card:1", &json!({"n": 2})).await.unwrap();
        let error = pstate
            .batch()
            .put("card:2", &json!({}))
            .put_expecting("card:1", Expect::Revision(old), &json!({"n": 3}))
            .delete("card:3")
            .commit()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.to_string(), "batch: card:1: the stored revision does not match the expected one");
        assert_eq!(text(&pstate, "card:2").await, "");

        pstate.batch().put("card:2", &json!({})).delete("card:1").commit().await.unwrap();
        assert_eq!((text(&pstate, "card:1").await, text(&pstate, "card:2").await), (String::new(), "{}".into()));
    }

    async fn a_cache_smaller_than_the_data_stays_within_its_bytes(store: Store) {
        // Unbounded: what a slow write has stored may be too old to be kept otherwise.
        let builder = store.builder().staleness(Staleness::Unbounded);
        let pstate = builder.cache_bytes(64 << 10).build().unwrap();
        crate::stores::deck_of(500).store(&pstate).await.unwrap();
        let stats = pstate.stats();
        assert!(stats.cache_bytes <= 64 << 10, "{}", stats.cache_bytes);
        assert!(stats.cache_entries > 0);
        assert!(stats.cache.evictions > 0);
    }

    async fn after_close_everything_fails_clearly_and_closing_again_succeeds(store: Store) {
        let pstate = store.plain();
        pstate.put("card:1", &json!({})).await.unwrap();
        pstate.close().await.unwrap();
        pstate.close().await.unwrap();
        for error in [
            pstate.get("card:1").await.unwrap_err(),
            pstate.get("card:2").await.unwrap_err(),
            pstate.put("card:1", &json!({})).await.unwrap_err(),
            pstate.scan("").page().await.unwrap_err(),
            pstate.flush().await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "this PState is closed"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_uncertain_write_keeps_its_key_out_of_the_cache_for_a_while() {
    let store = crate::stores::Store::memory();
    let faults = store.faults();
    let counting = Arc::new(pstate_testkit::CountingLayer::new(faults.clone()));
    let pstate = PState::builder(counting.clone()).build().unwrap();
    faults.fail(Call::Write, Error::new(ErrorKind::Timeout, "no answer"));
    pstate.put("card:1", &json!({"n": 1})).await.unwrap_err();
    text(&pstate, "card:1").await;
    text(&pstate, "card:1").await;
    assert_eq!(counting.take().reads, 2);
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    text(&pstate, "card:1").await;
    text(&pstate, "card:1").await;
    assert_eq!(counting.take().reads, 1);
}
