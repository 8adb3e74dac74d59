//! Many tasks read and write a few documents through clones of one handle.

use std::time::Duration;

use futures_util::future::join_all;
use pstate::PState;
use serde_json::json;

use super::client::Documents;
use super::round::{Round, each_round};
use crate::stores::{Store, on_each_store};

const TASKS: usize = 5;
const ACTIONS: usize = 20;

/// Three documents.
fn documents() -> Documents {
    Documents((0..3).map(|id| (format!("card:{id}"), json!({}))).collect())
}

/// Five tasks use a handle; then the faults end, and handle and store agree.
async fn use_a_handle(round: &mut Round<'_>, cache_bytes: u64) -> PState {
    let pstate = round.builder().cache_bytes(cache_bytes).build().unwrap();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let mut client = round.client(&pstate);
            tokio::spawn(async move {
                for _ in 0..ACTIONS {
                    if client.rng.bool() {
                        client.act(async |client| client.read().await).await;
                    } else {
                        client.act(async |client| client.write().await).await;
                    }
                    if client.rng.bool() {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    for task in join_all(tasks).await {
        task.unwrap();
    }
    round.heal().await;
    let mut last = round.client(&pstate);
    // First from wherever it is, then, if it may be kept, from the cache.
    last.get_each().await;
    last.get_each().await;
    round.stored().await;
    round.check();
    pstate
}

/// A handle whose cache holds everything, or hardly anything, or nothing.
async fn use_any_handle(round: &mut Round<'_>) {
    let cache_bytes = [64 << 20, 6 << 10, 0][round.rng.usize(..3)];
    use_a_handle(round, cache_bytes).await;
}

on_each_store! {
    async fn no_read_is_older_than_a_write_that_was_acknowledged(store: Store) {
        each_round(8, async |seed| {
            use_any_handle(&mut Round::new(&store, seed, documents())).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_order_of_events_no_read_is_older_than_a_write_that_was_acknowledged() {
    each_round(100, async |seed| {
        let store = Store::memory();
        use_any_handle(&mut Round::new(&store, seed, documents())).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_uncertain_is_cached_again_once_it_cannot_happen_any_more() {
    each_round(20, async |seed| {
        let store = Store::memory();
        let mut round = Round::new(&store, seed, documents());
        let pstate = use_a_handle(&mut round, 64 << 20).await;
        tokio::time::sleep(Duration::from_secs(61)).await;
        let mut last = round.client(&pstate);
        last.get_each().await;
        let asked = round.calls();
        last.get_each().await;
        assert_eq!(round.calls(), asked);
        round.check();
    })
    .await;
}
