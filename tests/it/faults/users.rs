//! Many tasks read and write a few documents through clones of one handle, or of two.

use std::time::Duration;

use futures_util::future::join_all;
use pstate::{PState, Staleness};
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

/// Five tasks use handles on one store; then the faults end, and handles and store agree.
async fn use_handles(round: &mut Round<'_>, handles: &[PState]) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let mut client = round.client(&handles[task % handles.len()]);
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
    for pstate in handles {
        let mut last = round.client(pstate);
        // First from wherever it is, then, if it may be kept, from the cache.
        last.get_each().await;
        last.get_each().await;
    }
    round.stored().await;
    round.check();
}

/// A handle whose cache holds everything, or hardly anything, or nothing.
fn any_handle(round: &mut Round<'_>) -> PState {
    let cache_bytes = [64 << 20, 6 << 10, 0][round.rng.usize(..3)];
    let builder = round.builder().cache_bytes(cache_bytes).batch_reads(round.rng.bool());
    builder.build().unwrap()
}

async fn use_any_handle(round: &mut Round<'_>) {
    let pstate = any_handle(round);
    use_handles(round, &[pstate]).await;
}

/// Two handles with a cache each, that allow nothing to be stale.
async fn use_two_handles(round: &mut Round<'_>) {
    let handles = [(); 2].map(|()| {
        let builder = round.builder().staleness(Staleness::None);
        builder.batch_reads(round.rng.bool()).build().unwrap()
    });
    use_handles(round, &handles).await;
}

on_each_store! {
    async fn no_read_is_older_than_a_write_that_was_acknowledged(store: Store) {
        each_round(8, async |seed| {
            use_any_handle(&mut Round::new(&store, seed, documents())).await;
        })
        .await;
    }

    async fn with_two_handles_no_read_is_older_than_a_write_that_was_acknowledged(store: Store) {
        each_round(8, async |seed| {
            use_two_handles(&mut Round::new(&store, seed, documents())).await;
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
async fn whatever_the_order_of_events_two_handles_are_as_one() {
    each_round(100, async |seed| {
        let store = Store::memory();
        use_two_handles(&mut Round::new(&store, seed, documents())).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_uncertain_is_cached_again_once_it_cannot_happen_any_more() {
    each_round(20, async |seed| {
        let store = Store::memory();
        let mut round = Round::new(&store, seed, documents());
        let pstate = round.builder().build().unwrap();
        use_handles(&mut round, std::slice::from_ref(&pstate)).await;
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
