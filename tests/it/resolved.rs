//! Resolved values are kept until something in them changes, and are limited in size.

mod deep;
mod limits;

use std::sync::Arc;

use pstate::{CachePolicy, PState};
use pstate_testkit::{Call, Moment};
use serde_json::{Value, json};

use crate::stores::on_each_store;

/// A deck of two cards, which share a language that leads back to the deck.
async fn put_deck(pstate: &PState) {
    let refer = |key: &str| json!({"$ref": key});
    let cards = json!({"1": refer("card:1"), "2": refer("card:2"), "gone": refer("card:3")});
    pstate.put("deck:1", &json!({"cards": cards})).await.unwrap();
    for card in ["card:1", "card:2"] {
        pstate.put(card, &json!({"n": 1, "in": refer("language:es")})).await.unwrap();
    }
    pstate.put("language:es", &json!({"name": "es", "deck": refer("deck:1")})).await.unwrap();
    pstate.put("card:other", &json!({"n": 0})).await.unwrap();
}

async fn resolve(pstate: &PState) -> Arc<Value> {
    pstate.get_resolved("deck:1", 9).await.unwrap().unwrap()
}

on_each_store! {
    async fn what_is_resolved_is_kept(store: Store) {
        let pstate = store.plain();
        put_deck(&pstate).await;
        let first = resolve(&pstate).await;
        assert_eq!(first["cards"]["2"]["in"]["name"], "es");
        assert_eq!(first["cards"]["2"]["in"]["deck"], json!({"$ref": "deck:1"}));
        assert!(Arc::ptr_eq(&first, &resolve(&pstate).await));
        // Another depth is another value.
        let shallow = pstate.get_resolved("deck:1", 1).await.unwrap().unwrap();
        assert_eq!(shallow["cards"]["1"]["in"], json!({"$ref": "language:es"}));
    }

    async fn a_document_in_several_places_is_whole_in_each(store: Store) {
        let pstate = store.plain();
        let refer = |key: &str| json!({"$ref": key});
        let word = json!({"text": "hola", "in": {"$ref": "language:es", "since": 1}});
        pstate.put("word:1", &word).await.unwrap();
        let language = json!({"words": [refer("word:1"), refer("word:2")]});
        pstate.put("language:es", &language).await.unwrap();
        let cards = json!({"a": refer("word:1"), "b": [refer("language:es"), refer("word:1")]});
        pstate.put("deck:1", &cards).await.unwrap();
        let within = json!({"words": [word, refer("word:2")]});
        let whole = json!({"text": "hola", "in": language});
        let expected = json!({"a": whole, "b": [within, whole]});
        let past_cache = pstate.cache_policy(CachePolicy::Bypass);
        for handle in [&pstate, &past_cache] {
            assert_eq!(*handle.get_resolved("deck:1", 9).await.unwrap().unwrap(), expected);
        }
    }

    async fn a_write_drops_what_contains_the_key_and_nothing_else(store: Store) {
        let pstate = store.plain();
        put_deck(&pstate).await;
        let first = resolve(&pstate).await;
        pstate.put("card:other", &json!({"n": 1})).await.unwrap();
        pstate.space("other").unwrap().put("card:1", &json!({"n": 9})).await.unwrap();
        assert!(Arc::ptr_eq(&first, &resolve(&pstate).await));

        for (number, key) in (2..).zip(["card:2", "language:es", "deck:1", "card:3"]) {
            let before = resolve(&pstate).await;
            let change = |document: &mut pstate::Object| {
                document.insert("changed".to_owned(), number.into());
                Ok(())
            };
            if pstate.update(key, change).await.unwrap().is_none() {
                pstate.put(key, &json!({"changed": number})).await.unwrap();
            }
            let after = resolve(&pstate).await;
            assert!(!Arc::ptr_eq(&before, &after), "{key}");
            assert!(after.to_string().contains(&format!("\"changed\":{number}")), "{key}: {after}");
        }
        let before = resolve(&pstate).await;
        pstate.delete("card:1").await.unwrap();
        assert_eq!(resolve(&pstate).await["cards"]["1"], json!({"$ref": "card:1"}));
        assert!(!Arc::ptr_eq(&before, &resolve(&pstate).await));
    }

    async fn what_was_read_before_a_write_is_not_kept_after_it(store: Store) {
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        put_deck(&pstate).await;
        // Only the cards have to be read.
        let bypass = pstate.cache_policy(CachePolicy::Refresh);
        for key in ["card:1", "card:2"] {
            let card = bypass.get(key).await.unwrap().unwrap();
            pstate.put(key, card.value().unwrap()).await.unwrap();
        }
        let small = PState::builder(faults.clone()).build().unwrap();
        let held = faults.hold(Call::Read, Moment::After);
        let slow = tokio::spawn({
            let small = small.clone();
            async move { resolve(&small).await }
        });
        // The deck has been read; let it through, and hold the cards.
        held.reached().await;
        let held_cards = faults.hold(Call::Read, Moment::After);
        held.release();
        held_cards.reached().await;
        small.put("card:1", &json!({"n": 2})).await.unwrap();
        held_cards.release();
        slow.await.unwrap();
        assert_eq!(resolve(&small).await["cards"]["1"]["n"], 2);
    }

    async fn nothing_is_kept_of_what_is_being_written(store: Store) {
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        put_deck(&pstate).await;
        let held = faults.hold(Call::Write, Moment::Before);
        let write = tokio::spawn({
            let pstate = pstate.clone();
            async move { pstate.put("card:1", &json!({"n": 2})).await.unwrap() }
        });
        held.reached().await;
        assert_eq!(resolve(&pstate).await["cards"]["1"]["n"], 1);
        held.release();
        write.await.unwrap();
        assert_eq!(resolve(&pstate).await["cards"]["1"]["n"], 2);
    }

    async fn it_counts_in_the_bound_of_the_cache(store: Store) {
        let pstate = store.plain();
        put_deck(&pstate).await;
        pstate.multi_get(["deck:1", "card:1", "card:2", "card:3", "language:es"]).await.unwrap();
        let before = pstate.stats().cache_bytes;
        let value = resolve(&pstate).await;
        let after = pstate.stats().cache_bytes;
        assert!(after > before + 1_000, "{before} -> {after}");
        // The same again, when a part was written, replaces it.
        pstate.put("card:1", &json!({"n": 1, "in": {"$ref": "language:es"}})).await.unwrap();
        assert_eq!(*resolve(&pstate).await, *value);
        assert_eq!(pstate.stats().cache_bytes, after);

        // One that is too large for the cache is not kept, and evicts nothing.
        let small = store.builder().cache_bytes(64 << 10).build().unwrap();
        let value = resolve(&small).await;
        assert!(!Arc::ptr_eq(&value, &resolve(&small).await));
        assert_eq!(small.stats().cache.evictions, 0);
    }

    async fn resolving_again_counts_one_hit_for_each_document(store: Store) {
        let pstate = store.plain();
        pstate.put("card:1", &json!({"n": 1})).await.unwrap();
        let hits = pstate.stats().cache.hits;
        pstate.get_resolved("card:1", 1).await.unwrap().unwrap();
        pstate.get_resolved("card:1", 1).await.unwrap().unwrap();
        assert_eq!(pstate.stats().cache.hits, hits + 2);
    }

    async fn policies_that_do_not_use_the_cache_do_not_use_it_here(store: Store) {
        let pstate = store.plain();
        put_deck(&pstate).await;
        let first = resolve(&pstate).await;
        for policy in [CachePolicy::Refresh, CachePolicy::Bypass] {
            let value = resolve(&pstate.cache_policy(policy)).await;
            assert_eq!(value, first);
            assert!(!Arc::ptr_eq(&value, &first));
        }
    }
}
