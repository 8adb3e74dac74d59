//! The cache is bounded by what its documents really take: with the trees and typed values that
//! were built from them.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use pstate::{CachePolicy, PState, Staleness, Warm};
use serde::Deserialize;
use serde_json::Value;

use crate::stores::{Store, deck_of, on_each_store};

const CARDS: usize = 200;

#[derive(Deserialize)]
struct Card {
    front: String,
    translations: BTreeMap<String, Value>,
}

fn keys() -> Vec<String> {
    (0..CARDS).map(|card| deck_of(CARDS).card_key(card)).collect()
}

async fn fill(store: &Store) {
    let pstate = store.plain();
    for card in 0..CARDS {
        pstate.put(deck_of(CARDS).card_key(card), &deck_of(CARDS).card(card)).await.unwrap();
    }
}

fn handle(store: &Store, cache_bytes: u64) -> PState {
    // Unbounded: the echo of its own changes would take entries away while they are counted.
    store.builder().staleness(Staleness::Unbounded).cache_bytes(cache_bytes).build().unwrap()
}

on_each_store! {
    async fn absences_that_nobody_ends_keep_to_the_bound(store: Store) {
        let pstate = handle(&store, 64 << 10);
        let keys: Vec<String> = (0..5_000).map(|id| format!("base_card:{id}")).collect();
        let found = pstate.multi_get(&keys).await.unwrap();
        assert!(found.iter().all(Option::is_none));
        let stats = pstate.stats();
        assert!(stats.cache_bytes <= 64 << 10, "{} bytes", stats.cache_bytes);
        assert!((100..4_000).contains(&stats.cache_entries), "{} absences", stats.cache_entries);
    }

    async fn trees_and_typed_values_of_cached_documents_count(store: Store) {
        fill(&store).await;
        let pstate = handle(&store, 64 << 20);
        let cards = pstate.multi_get(keys()).await.unwrap();
        let of_bytes = pstate.stats().cache_bytes;
        for card in cards.iter().flatten() {
            card.value().unwrap();
        }
        let with_trees = pstate.stats().cache_bytes;
        // A tree takes several times its text.
        assert!(with_trees > 3 * of_bytes, "{of_bytes}, then {with_trees}");
        for card in cards.iter().flatten() {
            let typed = card.decode::<Card>().unwrap();
            assert!(!typed.front.is_empty() && typed.translations.len() == 3);
        }
        let with_all = pstate.stats().cache_bytes;
        assert!(with_all > with_trees + of_bytes / 2, "{with_trees}, then {with_all}");
        // They are built once.
        for card in cards.iter().flatten() {
            card.value().unwrap();
            card.decode::<Card>().unwrap();
        }
        let stats = pstate.stats();
        assert_eq!((stats.cache_bytes, stats.cache_entries), (with_all, CARDS));
        // Growing is no eviction.
        assert_eq!(stats.cache.evictions, 0);
    }

    async fn what_is_read_again_is_replaced_and_not_evicted(store: Store) {
        fill(&store).await;
        let pstate = handle(&store, 64 << 20);
        let again = pstate.cache_policy(CachePolicy::Refresh);
        for _ in 0..2 {
            again.multi_get(keys()).await.unwrap();
        }
        assert_eq!(pstate.stats().cache.evictions, 0);
        let warm = Warm::new().prefix("base_card:").page_size(10);
        let warmed = pstate.warm(warm).unwrap().wait().await.unwrap();
        assert!(warmed.finished && !warmed.cache_full, "{warmed}");
    }

    async fn one_that_is_too_large_for_the_cache_does_not_make_it_full(store: Store) {
        fill(&store).await;
        let large = serde_json::json!({ "text": "x".repeat(100 << 10) });
        store.plain().put("large:1", &large).await.unwrap();
        let pstate = handle(&store, 1 << 20);
        let warm = Warm::new().keys(["large:1"]).unwrap().prefix("base_card:");
        let warmed = pstate.warm(warm).unwrap().wait().await.unwrap();
        assert!(warmed.finished && !warmed.cache_full, "{warmed}");
        assert_eq!(pstate.stats().cache_entries, CARDS);
        assert_eq!(pstate.stats().cache.evictions, 1);
    }

    async fn following_a_large_collection_does_not_make_its_root_leave(store: Store) {
        // The references take three times their text: together more than a part of the cache.
        let cards: Vec<Value> =
            (0..6_000).map(|card| serde_json::json!({ "$ref": format!("card:{card}") })).collect();
        store.plain().put("deck:1", &serde_json::json!({ "cards": cards })).await.unwrap();
        let pstate = handle(&store, 8 << 20);
        for _ in 0..3 {
            let loaded = pstate.preload("deck:1", "cards(limit: 10)").await.unwrap().unwrap();
            assert_eq!(loaded.dangling().len(), 10);
        }
        assert_eq!(pstate.stats().cache.evictions, 0);
        assert_eq!(pstate.stats().reads, 2);
    }

    async fn building_trees_makes_others_leave(store: Store) {
        fill(&store).await;
        // Room for all of them as bytes, in whichever part of the cache they come to lie.
        let bound = 512 << 10;
        let pstate = handle(&store, bound);
        let cards = pstate.multi_get(keys()).await.unwrap();
        assert_eq!(pstate.stats().cache_entries, CARDS);
        for card in cards.iter().flatten() {
            card.value().unwrap();
            assert!(pstate.stats().cache_bytes <= bound);
        }
        let stats = pstate.stats();
        assert!(stats.cache_entries < CARDS && stats.cache.evictions > 0, "{stats:?}");
    }

    async fn what_left_the_cache_is_not_brought_back_by_building_its_tree(store: Store) {
        fill(&store).await;
        let pstate = handle(&store, 64 << 20);
        let cards = pstate.multi_get(keys()).await.unwrap();
        let held: Vec<_> = cards.into_iter().flatten().collect();
        for card in &held {
            pstate.put(card.key(), &serde_json::json!({ "front": "another" })).await.unwrap();
        }
        let before = pstate.stats().cache_bytes;
        for card in &held {
            card.value().unwrap();
        }
        assert_eq!(pstate.stats().cache_bytes, before);
        let card = pstate.get(held[0].key()).await.unwrap().unwrap();
        assert_eq!(card.get("front").unwrap().unwrap(), "another");
    }

    async fn whatever_happens_at_once_the_sum_stays_right(store: Store) {
        fill(&store).await;
        let pstate = handle(&store, 128 << 10);
        let tasks = (0..4).map(|task| {
            let pstate = pstate.clone();
            tokio::spawn(async move {
                let mut rng = fastrand::Rng::with_seed(task);
                for _ in 0..500 {
                    let card = rng.usize(..CARDS);
                    let key = deck_of(CARDS).card_key(card);
                    match rng.u8(..4) {
                        0 => _ = pstate.put(&key, &deck_of(CARDS).card(card)).await.unwrap(),
                        1 => pstate.delete(&key).await.unwrap(),
                        2 => {
                            if let Some(card) = pstate.get(&key).await.unwrap() {
                                card.decode::<Card>().unwrap();
                            }
                        }
                        _ => {
                            if let Some(card) = pstate.get(&key).await.unwrap() {
                                card.value().unwrap();
                            }
                        }
                    }
                }
            })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
        assert!(pstate.stats().cache_bytes <= 128 << 10);
        // When everything is deleted, what is left are absences, which weigh the same each.
        for key in keys() {
            pstate.delete(&key).await.unwrap();
        }
        let stats = pstate.stats();
        let each = stats.cache_bytes / stats.cache_entries as u64;
        assert_eq!(stats.cache_bytes, each * stats.cache_entries as u64);
        assert!((50..300).contains(&each), "{each} bytes for an absence");
    }
}
