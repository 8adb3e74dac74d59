//! Loops that read one by one what a preload would read at once.

use pstate::{CachePolicy, ErrorKind, NPlusOne, PState, SingleReads};
use serde_json::json;

use crate::stores::{deck_of, on_each_store};

fn found(pstate: &PState) -> Vec<String> {
    pstate.single_reads().iter().map(SingleReads::to_string).collect()
}

async fn read_each(pstate: &PState, parent: &str, field: &str) -> pstate::Result<()> {
    let parent = pstate.get(parent).await?.unwrap();
    for child in parent.references(field)? {
        pstate.get(child.key()).await?;
    }
    Ok(())
}

on_each_store! {
    async fn a_loop_is_found_with_its_document_and_field(store: Store) {
        deck_of(100).store(&store.plain()).await.unwrap();
        let pstate = store.builder().n_plus_one(NPlusOne::Warn).build().unwrap();
        read_each(&pstate, "base_deck:spanish", "cards").await.unwrap();
        assert_eq!(found(&pstate), ["base_deck:spanish .cards: 100 single reads; preload 'cards'"]);
        // Now all is cached.
        let again = store.builder().n_plus_one(NPlusOne::Warn).build().unwrap();
        again.preload("base_deck:spanish", "cards").await.unwrap();
        read_each(&again, "base_deck:spanish", "cards").await.unwrap();
        assert_eq!(found(&again), [""; 0]);
    }

    async fn strictly_it_is_an_error(store: Store) {
        deck_of(100).store(&store.plain()).await.unwrap();
        let pstate = store.builder().n_plus_one(NPlusOne::Strict).build().unwrap();
        let error = read_each(&pstate, "base_deck:spanish", "cards").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let why = "base_deck:spanish .cards: 10 single reads; preload 'cards'";
        assert_eq!(error.message(), why);
        assert_eq!(found(&pstate), [why]);
        pstate.preload("base_deck:spanish", "cards").await.unwrap();
        read_each(&pstate, "base_deck:spanish", "cards").await.unwrap();
    }

    async fn a_loop_over_documents_that_were_read_together_is_found(store: Store) {
        let plain = store.plain();
        for card in 0..20 {
            let deck = json!({"$ref": format!("deck:{card}")});
            plain.put(format!("card:{card}"), &json!({"deck": deck})).await.unwrap();
        }
        let pstate = store.builder().n_plus_one(NPlusOne::Warn).build().unwrap();
        let page = pstate.scan("card:").page().await.unwrap();
        for card in page.documents {
            for deck in card.unwrap().references("deck").unwrap() {
                pstate.get(deck.key()).await.unwrap();
            }
        }
        assert_eq!(found(&pstate), ["card:0 and 19 more .deck: 20 single reads; preload 'deck'"]);
    }

    async fn reads_that_no_preload_would_save_are_none(store: Store) {
        deck_of(100).store(&store.plain()).await.unwrap();
        let pstate = store.builder().n_plus_one(NPlusOne::Strict).build().unwrap();
        // A few.
        let deck = pstate.get("base_deck:spanish").await.unwrap().unwrap();
        let cards = deck.references("cards").unwrap();
        for card in &cards[..9] {
            pstate.get(card.key()).await.unwrap();
        }
        // One for each time that the deck is read.
        for card in &cards[9..40] {
            pstate.get("base_deck:spanish").await.unwrap();
            pstate.get(card.key()).await.unwrap();
        }
        // One by each task.
        for card in &cards[40..80] {
            let (pstate, key) = (pstate.clone(), card.key().clone());
            tokio::spawn(async move { pstate.get(&key).await.unwrap() }).await.unwrap();
        }
        // All at once.
        pstate.get("base_deck:spanish").await.unwrap();
        let keys = cards[80..].iter().map(|card| card.key().clone());
        pstate.multi_get(keys).await.unwrap();
        assert_eq!(found(&pstate), [""; 0]);
    }

    async fn polling_one_document_is_none(store: Store) {
        deck_of(20).store(&store.plain()).await.unwrap();
        let pstate = store.builder().n_plus_one(NPlusOne::Strict).build().unwrap();
        let deck = pstate.get("base_deck:spanish").await.unwrap().unwrap();
        let cards = deck.references("cards").unwrap();
        let polled = pstate.cache_policy(CachePolicy::Bypass);
        for _ in 0..15 {
            for card in &cards[..9] {
                polled.get(card.key()).await.unwrap();
            }
        }
        assert_eq!(found(&pstate), [""; 0]);
        let error = polled.get(cards[9].key()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        polled.get(cards[8].key()).await.unwrap();
        assert_eq!(found(&pstate), ["base_deck:spanish .cards: 10 single reads; preload 'cards'"]);
    }

    async fn the_preload_that_is_advised_can_be_made(store: Store) {
        let plain = store.plain();
        let references: Vec<_> = (0..12).map(|n| json!({"$ref": format!("card:{n}")})).collect();
        plain.put("deck:1", &json!({"my cards": references})).await.unwrap();
        plain.put("deck:2", &json!({"too": {"deep": references}})).await.unwrap();
        let pstate = store.builder().n_plus_one(NPlusOne::Warn).build().unwrap();
        for (deck, advised) in [
            ("deck:2", None),
            ("deck:1", Some(r#"deck:1 ."my cards": 12 single reads; preload '"my cards"'"#)),
        ] {
            pstate.get(deck).await.unwrap();
            for n in 0..12 {
                pstate.cache_policy(CachePolicy::Bypass).get(format!("card:{n}")).await.unwrap();
            }
            assert_eq!(found(&pstate), advised.into_iter().collect::<Vec<_>>());
        }
        pstate.preload("deck:1", r#""my cards""#).await.unwrap();
    }

    async fn unless_it_is_wanted_nobody_looks(store: Store) {
        deck_of(20).store(&store.plain()).await.unwrap();
        let pstate = store.plain();
        read_each(&pstate, "base_deck:spanish", "cards").await.unwrap();
        assert_eq!(found(&pstate), [""; 0]);
    }
}

/// What is gathered into few calls is no loop.
#[tokio::test]
async fn reads_that_were_batched_are_none() {
    let store = crate::stores::Store::sqlite();
    deck_of(100).store(&store.plain()).await.unwrap();
    let pstate = store.builder().n_plus_one(NPlusOne::Strict).build().unwrap();
    let deck = pstate.get("base_deck:spanish").await.unwrap().unwrap();
    let cards = deck.references("cards").unwrap();
    let cards =
        futures_util::future::join_all(cards.iter().map(|card| pstate.get(card.key()))).await;
    assert!(cards.iter().all(Result::is_ok));
    assert_eq!(found(&pstate), [""; 0]);
}
