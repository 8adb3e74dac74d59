//! Closing a handle, and what is left of one that is closed.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use pstate::{ErrorKind, MemoryAdapter, PState};
use pstate_testkit::{Call, FaultLayer, workload};
use serde_json::json;

use crate::stores::{deck_of, on_each_store};

const CARDS: usize = 10;

/// A handle that has read so many old cards, which now wait to be written back.
async fn with_write_backs_queued(memory: &Arc<MemoryAdapter>) -> PState {
    let plain = PState::builder(memory.clone()).build().unwrap();
    let deck = deck_of(CARDS);
    for card in 0..CARDS {
        plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
    let slow = Arc::new(FaultLayer::new(memory.clone()));
    let builder = PState::builder(slow.clone()).schema(workload::schema().unwrap());
    let pstate = builder.build().unwrap();
    pstate.multi_get((0..CARDS).map(|card| deck.card_key(card))).await.unwrap();
    assert_eq!(pstate.stats().write_back.queued, CARDS);
    slow.delay(Call::Write, Duration::from_millis(10));
    slow.delay(Call::Close, Duration::from_millis(10));
    pstate
}

/// Polls a future so many times, each time after all tasks had a turn; whether it has ended.
async fn poll_times<T>(future: impl Future<Output = T>, times: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if polled.is_ready() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_dropped_at_any_point_leaves_the_handle_open_or_closed() {
    for polls in 0.. {
        let memory = Arc::new(MemoryAdapter::new());
        let pstate = with_write_backs_queued(&memory).await;
        let ended = poll_times(pstate.close(), polls).await;
        // All work in the background has ended then.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let stats = pstate.stats().write_back;
        assert_eq!((stats.stored, stats.queued), (CARDS as u64, 0), "after {polls} polls");
        let read = pstate.get("base_card:1").await;
        if polls == 0 {
            read.unwrap();
        } else {
            assert_eq!(read.unwrap_err().message(), "this PState is closed", "after {polls} polls");
        }
        pstate.close().await.unwrap();
        if ended {
            assert!(polls > 10, "only {polls} await points");
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_to_close_leaves_the_handle_closed_and_is_closed_again() {
    let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
    let pstate = PState::builder(faults.clone()).build().unwrap();
    faults.fail(Call::Close, pstate::Error::new(ErrorKind::Other, "the disk is full"));
    assert_eq!(pstate.close().await.unwrap_err().message(), "the disk is full");
    assert_eq!(pstate.get("card:1").await.unwrap_err().message(), "this PState is closed");
    pstate.close().await.unwrap();
    assert!(pstate::Adapter::flush(&*faults).await.is_err(), "the store is open");
}

on_each_store! {
    async fn the_last_handle_on_an_adapter_closes_it(store: Store) {
        let (first, second) = (store.builder().build().unwrap(), store.builder().build().unwrap());
        let (clone, builder) = (first.clone(), store.builder());
        drop(store.builder().build().unwrap());
        first.put("card:1", &json!({"n": 1})).await.unwrap();
        second.get("card:1").await.unwrap();
        first.close().await.unwrap();
        assert_eq!(clone.get("card:1").await.unwrap_err().message(), "this PState is closed");
        // What is cached, and what is not.
        second.get("card:1").await.unwrap().unwrap();
        second.put("card:2", &json!({"n": 2})).await.unwrap();
        second.flush().await.unwrap();
        second.close().await.unwrap();
        second.close().await.unwrap();
        let third = builder.build().unwrap();
        assert!(third.get("card:2").await.unwrap().is_some());
        third.close().await.unwrap();
        let error = store.adapter().flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
