//! How many reads of the store things take.

use std::sync::Arc;

use pstate::{Error, ErrorKind, MemoryAdapter, PState};
use pstate_testkit::{Call, CountingLayer, FaultLayer, Moment, workload};
use serde_json::json;

use crate::stores::{deck_of, on_each_store};

const GRAPH: &str = "cards.translations";

on_each_store! {
    async fn a_graph_of_three_levels_costs_three_reads_and_then_none(store: Store) {
        deck_of(100).store(&store.plain()).await.unwrap();
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();

        let loaded = pstate.preload("base_deck:spanish", GRAPH).await.unwrap().unwrap();
        assert_eq!((loaded.len(), loaded.round_trips()), (401, 3));
        let counts = counting.take();
        assert_eq!((counts.reads, counts.keys_read), (3, 401));

        let again = pstate.preload("base_deck:spanish", GRAPH).await.unwrap().unwrap();
        assert_eq!((again.len(), again.round_trips()), (401, 0));
        assert_eq!(counting.take().reads, 0);
    }

    async fn with_half_of_the_cards_cached_only_the_rest_is_asked_for(store: Store) {
        let deck = deck_of(100);
        deck.store(&store.plain()).await.unwrap();
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        pstate.multi_get((0..50).map(|card| deck.card_key(card))).await.unwrap();
        assert_eq!(counting.take().keys_read, 50);

        pstate.preload("base_deck:spanish", "cards").await.unwrap();
        let counts = counting.take();
        assert_eq!((counts.reads, counts.keys_read), (2, 51));
    }

    async fn what_several_documents_refer_to_is_read_once(store: Store) {
        let plain = store.plain();
        plain.put("user:1", &json!({})).await.unwrap();
        for id in ["a", "b"] {
            plain.put(format!("card:{id}"), &json!({"owner": {"$ref": "user:1"}})).await.unwrap();
        }
        let cards = json!([{"$ref": "card:a"}, {"$ref": "card:b"}, {"$ref": "card:a"}]);
        plain.put("deck:1", &json!({"cards": cards})).await.unwrap();

        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        let loaded = pstate.preload("deck:1", "cards.owner").await.unwrap().unwrap();
        assert_eq!(counting.take().keys_read, 4);
        assert_eq!(loaded.follow(loaded.root(), "cards").unwrap().len(), 3);
    }

    async fn a_resolved_graph_costs_one_read_for_each_level(store: Store) {
        deck_of(100).store(&store.plain()).await.unwrap();
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        let deck = pstate.get_resolved("base_deck:spanish", 9).await.unwrap().unwrap();
        assert_eq!(counting.take().reads, 3);
        assert_eq!(deck["cards"]["spanish-000007"]["translations"]["fr"]["lang"], "fr");
    }

    async fn a_missing_document_is_asked_for_once_and_remembered_until_it_is_put(store: Store) {
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        assert!(pstate.get("card:1").await.unwrap().is_none());
        assert!(pstate.get("card:1").await.unwrap().is_none());
        assert_eq!(counting.take().reads, 1);
        pstate.put("card:1", &json!({})).await.unwrap();
        assert!(pstate.get("card:1").await.unwrap().is_some());
    }

    async fn a_scan_costs_one_read_for_each_page(store: Store) {
        deck_of(100).store(&store.plain()).await.unwrap();
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        let page = pstate.scan("base_card:").page_size(30).page().await.unwrap();
        assert_eq!((page.documents.len(), counting.take().scans), (30, 1));
    }
}

#[tokio::test]
async fn a_thousand_tasks_that_want_one_document_make_one_read() {
    let memory = Arc::new(MemoryAdapter::new());
    PState::builder(memory.clone()).build().unwrap().put("card:1", &json!({})).await.unwrap();
    let faults = Arc::new(FaultLayer::new(memory));
    let held = faults.hold(Call::Read, Moment::Before);
    let counting = Arc::new(CountingLayer::new(faults));
    let pstate = PState::builder(counting.clone()).build().unwrap();

    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let pstate = pstate.clone();
            tokio::spawn(async move { pstate.get("card:1").await.unwrap().is_some() })
        })
        .collect();
    held.reached().await;
    held.release();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(counting.take().reads, 1);
}

#[tokio::test]
async fn an_error_reaches_all_who_wait_and_is_not_remembered() {
    let faults = Arc::new(FaultLayer::new(Arc::new(MemoryAdapter::new())));
    faults.fail(Call::Read, Error::new(ErrorKind::Unavailable, "gone for a moment"));
    let pstate = PState::builder(faults).schema(workload::schema().unwrap()).build().unwrap();
    let error = pstate.multi_get(["base_card:1", "base_card:2"]).await.unwrap_err();
    assert_eq!(error.to_string(), "multi_get: base_card:1: gone for a moment");
    assert!(pstate.get("base_card:1").await.unwrap().is_none());
}
