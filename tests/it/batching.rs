//! Single reads that come together.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::{join_all, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use pstate::{Adapter, ErrorKind, MemoryAdapter, PState, Staleness};
use pstate_testkit::{Call, CountingLayer, FaultLayer, Moment};
use serde_json::json;

use crate::stores::{Store, deck_of, on_each_store};

/// A handle without another writer, so that each read begins with its first poll.
async fn undisturbed(adapter: Arc<dyn Adapter>, batch_reads: bool) -> PState {
    let builder = PState::builder(adapter).batch_reads(batch_reads);
    let pstate = builder.staleness(Staleness::Unbounded).build().unwrap();
    pstate.get("warm:up").await.unwrap();
    pstate
}

async fn batching(adapter: Arc<dyn Adapter>) -> PState {
    undisturbed(adapter, true).await
}

/// The fewest calls that some reads take, and the keys in them. A batch goes without those who come
/// more than a millisecond later, as they do now and then where other programs run; not each time.
async fn fewest_calls(store: &Store, read: impl AsyncFn(PState)) -> (usize, usize) {
    const ROUNDS: usize = 20;
    let counting = store.counting();
    let mut fewest = (usize::MAX, 0);
    for _ in 0..ROUNDS {
        let pstate = batching(counting.clone()).await;
        counting.take();
        read(pstate).await;
        let counts = counting.take();
        fewest = fewest.min((counts.reads, counts.keys_read));
        if fewest.0 == 1 {
            break;
        }
    }
    fewest
}

on_each_store! {
    async fn a_thousand_tasks_that_ask_for_one_key_make_one_read(store: Store) {
        store.plain().put("card:1", &json!({"n": 1})).await.unwrap();
        for batch_reads in [false, true] {
            let faults = store.faults();
            let pstate = undisturbed(faults.clone(), batch_reads).await;
            let before = pstate.stats().reads;
            let held = faults.hold(Call::Read, Moment::Before);
            let first = tokio::spawn({
                let pstate = pstate.clone();
                async move { pstate.get("card:1").await }
            });
            held.reached().await;
            // All of them ask before there is an answer.
            let mut others: Vec<_> = (0..999).map(|_| Box::pin(pstate.get("card:1"))).collect();
            let polled = poll_fn(|cx| {
                Poll::Ready(others.iter_mut().all(|other| other.as_mut().poll(cx).is_pending()))
            });
            assert!(polled.await);
            held.release();
            for other in others {
                assert!(other.await.unwrap().is_some());
            }
            first.await.unwrap().unwrap().unwrap();
            assert_eq!(pstate.stats().reads - before, 1);
        }
    }

    async fn an_error_reaches_all_who_wait_and_is_not_cached(store: Store) {
        store.plain().put("card:1", &json!({"n": 1})).await.unwrap();
        for batch_reads in [false, true] {
            let faults = store.faults();
            let pstate = undisturbed(faults.clone(), batch_reads).await;
            let before = pstate.stats().reads;
            let held = faults.hold(Call::Read, Moment::Before);
            let mut reads: Vec<_> = (0..100).map(|_| Box::pin(pstate.get("card:1"))).collect();
            for _ in 0..2 {
                let polled = poll_fn(|cx| {
                    Poll::Ready(reads.iter_mut().all(|read| read.as_mut().poll(cx).is_pending()))
                });
                assert!(polled.await);
            }
            held.reached().await;
            faults.disconnect();
            held.release();
            for read in reads {
                assert_eq!(read.await.unwrap_err().kind(), ErrorKind::Unavailable);
            }
            faults.reconnect();
            assert!(pstate.get("card:1").await.unwrap().is_some());
            assert_eq!(pstate.stats().reads - before, 2);
        }
    }

    async fn absence_is_remembered_until_a_put(store: Store) {
        let counting = store.counting();
        let pstate = batching(counting.clone()).await;
        counting.take();
        for _ in 0..3 {
            assert!(pstate.get("card:1").await.unwrap().is_none());
        }
        assert_eq!(counting.take().reads, 1);
        pstate.put("card:1", &json!({"n": 1})).await.unwrap();
        assert!(pstate.get("card:1").await.unwrap().is_some());
        assert_eq!(counting.take().reads, 0);
    }

    async fn reads_that_are_joined_in_one_task_are_one_call(store: Store) {
        let deck = deck_of(100);
        deck.store(&store.plain()).await.unwrap();
        let calls = fewest_calls(&store, async |pstate| {
            let cards = try_join_all((0..100).map(|card| pstate.get(deck.card_key(card)))).await;
            assert!(cards.unwrap().iter().all(Option::is_some));
        });
        assert_eq!(calls.await, (1, 100));

        let calls = fewest_calls(&store, async |pstate| {
            let reads: FuturesUnordered<_> =
                (0..100).map(|card| pstate.get(deck.card_key(card % 50))).collect();
            assert_eq!(reads.filter(|card| std::future::ready(card.is_ok())).count().await, 100);
        });
        assert_eq!(calls.await, (1, 50));
    }

    async fn after_many_reads_alone_a_loop_still_costs_a_few_calls(store: Store) {
        let deck = deck_of(1_000);
        deck.store(&store.plain()).await.unwrap();
        let counting = store.counting();
        let pstate = batching(counting.clone()).await;
        counting.take();
        for card in 0..100 {
            pstate.get(deck.card_key(card)).await.unwrap();
        }
        assert_eq!(counting.take().reads, 100);
        join_all((100..1_000).map(|card| pstate.get(deck.card_key(card)))).await;
        let calls = counting.take().reads;
        assert!(calls <= 17, "{calls} calls");
    }

    async fn what_comes_while_a_call_is_under_way_goes_together(store: Store) {
        let deck = deck_of(100);
        deck.store(&store.plain()).await.unwrap();
        let faults = store.faults();
        let counting = Arc::new(CountingLayer::new(faults.clone()));
        let pstate = batching(counting.clone()).await;
        counting.take();
        let held = faults.hold(Call::Read, Moment::Before);
        let read = |card| {
            let (pstate, key) = (pstate.clone(), deck.card_key(card));
            tokio::spawn(async move { pstate.get(key).await.unwrap().unwrap() })
        };
        let first = read(0);
        held.reached().await;
        let others: Vec<_> = (1..100).map(read).collect();
        for other in others {
            // A call that takes long does not hold up the next one.
            other.await.unwrap();
        }
        let calls = counting.take().reads;
        assert!(calls < 50, "{calls} calls");
        held.release();
        first.await.unwrap();
    }

    async fn batches_keep_to_their_space_and_to_what_the_schema_says(store: Store) {
        let pstate = batching(store.adapter()).await;
        let other = pstate.space("other").unwrap();
        pstate.put("card:1", &json!({"of": "default"})).await.unwrap();
        other.put("card:1", &json!({"of": "other"})).await.unwrap();
        let fresh = batching(store.adapter()).await;
        let (one, two) = (fresh.clone(), fresh.space("other").unwrap());
        let (one, two) = tokio::join!(one.get("card:1"), two.get("card:1"));
        assert_eq!(one.unwrap().unwrap().get("of").unwrap().unwrap(), "default");
        assert_eq!(two.unwrap().unwrap().get("of").unwrap().unwrap(), "other");
    }

    async fn one_document_that_cannot_be_read_spoils_no_other(store: Store) {
        let plain = store.plain();
        plain.put("card:1", &json!({"n": 1})).await.unwrap();
        plain.put_at(1, "card:2", &json!({"n": 2})).await.unwrap();
        let bad = pstate::Write::put("card:3".parse().unwrap(), *b"[1]");
        let batch = pstate::Batch::each(vec![bad]);
        store.adapter().write(plain.current_space(), &batch).await.unwrap();
        let pstate = batching(store.adapter()).await;
        let cards = join_all((1..=4).map(|card| pstate.get(format!("card:{card}")))).await;
        assert_eq!(cards[0].as_ref().unwrap().as_ref().unwrap().as_str(), r#"{"n":1}"#);
        assert!(cards[1].as_ref().unwrap().is_some());
        assert_eq!(cards[2].as_ref().unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(cards[3].as_ref().unwrap().is_none());
    }
}

/// Somebody asks for the same document as the one who opened the batch.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_an_opener_that_is_not_polled() {
    let memory = Arc::new(MemoryAdapter::new());
    for others in ["get", "multi_get"] {
        let pstate = batching(memory.clone()).await;
        let mut opener = Box::pin(pstate.get("card:1"));
        assert!(poll_fn(|cx| Poll::Ready(opener.as_mut().poll(cx).is_pending())).await);
        match others {
            "get" => assert!(pstate.get("card:1").await.unwrap().is_none()),
            _ => assert!(pstate.multi_get(["card:1"]).await.unwrap()[0].is_none()),
        }
        assert!(opener.await.unwrap().is_none());
    }
}

/// The one who opens a batch goes away, or is polled no more, before it is read.
#[tokio::test(start_paused = true)]
async fn a_batch_goes_on_without_the_one_who_opened_it() {
    for gone in [true, false] {
        let store = Store::memory();
        let plain = store.plain();
        plain.put("card:1", &json!({"n": 1})).await.unwrap();
        plain.put("card:2", &json!({"n": 2})).await.unwrap();
        let pstate = batching(store.adapter()).await;
        let mut opens = Box::pin(pstate.get("card:1"));
        let mut joins = pin!(pstate.get("card:2"));
        let both = poll_fn(|cx| {
            let opens = opens.as_mut().poll(cx).is_pending();
            Poll::Ready(opens && joins.as_mut().poll(cx).is_pending())
        });
        assert!(both.await);
        let kept = if gone { None } else { Some(opens) };
        assert!(joins.await.unwrap().is_some());
        // The same key, which nobody is reading any more, or somebody has read.
        assert!(pstate.get("card:1").await.unwrap().is_some());
        drop(kept);
    }
}

#[tokio::test]
async fn a_panic_in_a_call_for_many_is_an_error_for_each() {
    let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
    let pstate = batching(faults.clone()).await;
    faults.panic(Call::Read);
    let cards = join_all((0..10).map(|card| pstate.get(format!("card:{card}")))).await;
    assert!(cards.iter().all(Result::is_err));
    let cards = join_all((0..10).map(|card| pstate.get(format!("card:{card}")))).await;
    assert!(cards.iter().all(Result::is_ok));
}
