//! Calls that are polled outside of the handle's runtime: by a plain thread, or by another runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use pstate::{PState, Warm};
use serde_json::json;

use crate::stores::on_each_store;

/// Polls a future on this thread, which belongs to no runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

/// Runs some work on a thread outside of all runtimes, and waits for its end.
async fn on_a_plain_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(|| thread::spawn(work).join().unwrap()).await.unwrap()
}

/// Calls every method of the handle that waits for something.
async fn every_call(pstate: PState) {
    pstate.put_at(1, "base_card:1", &json!({"text": "hola"})).await.unwrap();
    pstate.put("deck:es", &json!({"cards": {}})).await.unwrap();
    pstate.create_linked("deck:es", "cards", "card:1", &json!({"n": 0})).await.unwrap();
    pstate.multi_put([("card:2", json!({})), ("card:3", json!({}))]).await.unwrap();
    pstate.batch().put("card:2", &json!({"n": 2})).delete("card:3").commit().await.unwrap();
    let changed = pstate.update("card:1", |card| {
        card["n"] = json!(1);
        Ok(())
    });
    assert_eq!(changed.await.unwrap().unwrap().as_str(), r#"{"n":1}"#);
    assert!(pstate.get("card:1").await.unwrap().is_some());
    let fresh = pstate.cache_policy(pstate::CachePolicy::Refresh);
    assert!(fresh.get("card:2").await.unwrap().is_some());
    assert_eq!(fresh.multi_get(["card:1", "card:3"]).await.unwrap().len(), 2);
    assert_eq!(fresh.preload("deck:es", "cards").await.unwrap().unwrap().len(), 2);
    assert!(fresh.get_resolved("deck:es", 1).await.unwrap().is_some());
    assert_eq!(pstate.scan("card:").page().await.unwrap().documents.len(), 2);
    assert_eq!(pstate.scan("card:").page_size(1).stream().collect().await.unwrap().len(), 2);
    assert_eq!(pstate.spaces().await.unwrap().len(), 1);
    assert_eq!(pstate.migration_status().await.unwrap().total(), 4);
    pstate.migrate_all().rate(1_000).dry_run().await.unwrap();
    assert!(pstate.migrate_all().run().await.unwrap().finished);
    assert!(pstate.warm(Warm::new().prefix("card:")).unwrap().wait().await.unwrap().finished);
    pstate.delete("card:1").await.unwrap();
    pstate.flush().await.unwrap();
    assert_eq!(pstate.clear_space().await.unwrap(), 3);
    pstate.close().await.unwrap();
}

on_each_store! {
    async fn every_call_works_from_a_thread_outside_of_all_runtimes(store: Store) {
        let pstate = store.with_schema();
        on_a_plain_thread(|| block_on(every_call(pstate))).await;
    }

    async fn every_call_works_from_another_runtime_without_timers(store: Store) {
        let pstate = store.with_schema();
        on_a_plain_thread(|| {
            let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
            other.block_on(every_call(pstate));
        })
        .await;
    }

    async fn updates_that_conflict_are_repeated_from_threads_outside_of_all_runtimes(store: Store) {
        const UPDATES: usize = 20;
        let pstate = store.plain();
        pstate.put("card:1", &json!({"n": 0})).await.unwrap();
        // A handle for each, so that they do not see each other's writes before they conflict.
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let pstate = store.plain();
                on_a_plain_thread(move || {
                    for _ in 0..UPDATES {
                        let fresh = pstate.cache_policy(pstate::CachePolicy::Refresh);
                        let added = fresh.update("card:1", |card| {
                            card["n"] = json!(card["n"].as_u64().unwrap() + 1);
                            Ok(())
                        });
                        block_on(added).unwrap();
                    }
                })
            })
            .collect();
        let tasks: Vec<_> = threads.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let card = store.plain().get("card:1").await.unwrap().unwrap();
        assert_eq!(card.as_str(), format!(r#"{{"n":{}}}"#, 8 * UPDATES));
    }

    async fn children_that_are_linked_at_once_from_threads_outside_of_all_runtimes(store: Store) {
        const CHILDREN: usize = 10;
        store.plain().put("deck:es", &json!({"cards": {}})).await.unwrap();
        let linking = (0..4).map(|thread| {
            let pstate = store.plain();
            on_a_plain_thread(move || {
                for child in 0..CHILDREN {
                    let key = format!("card:{thread}-{child}");
                    block_on(pstate.create_linked("deck:es", "cards", &key, &json!({}))).unwrap();
                }
            })
        });
        let tasks: Vec<_> = linking.map(tokio::spawn).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let deck = store.plain().get("deck:es").await.unwrap().unwrap();
        assert_eq!(deck.references("cards").unwrap().len(), 4 * CHILDREN);
    }
}
