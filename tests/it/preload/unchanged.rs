//! Preloads that share what an earlier one has found are those that would read everything.

use std::ptr;

use fastrand::Rng;
use pstate::{CachePolicy, Document, Loaded, PState, Staleness};
use serde_json::{Value, json};

use crate::stores::{Store, on_each_store};

const PRELOADS: [&str; 7] = [
    "decks.cards",
    "decks.cards.translations",
    "decks.{cards(limit: 2).deck, cover}",
    "decks(order_by: n).cards(filter: n > 3)",
    "decks.cards.deck*3",
    "keep_going: decks.cards",
    "decks.misspelled",
];
const FIELDS: [&str; 5] = ["decks", "cards", "translations", "deck", "cover"];
const SHELVES: usize = 2;
const DECKS: usize = 3;
const CARDS: usize = 8;
const TRANSLATIONS: usize = 6;

fn key(entity_type: &str, below: usize, rng: &mut Rng) -> String {
    format!("{entity_type}:{}", rng.usize(..below))
}

fn references(entity_type: &str, below: usize, rng: &mut Rng) -> Vec<Value> {
    (0..rng.usize(..4)).map(|_| json!({ "$ref": key(entity_type, below, rng) })).collect()
}

fn random(rng: &mut Rng) -> (String, Value) {
    let n = rng.u8(..8);
    match rng.u8(..10) {
        0 => (key("shelf", SHELVES, rng), json!({"n": n, "decks": references("deck", DECKS, rng)})),
        1..3 => {
            let cover = json!({ "$ref": key("card", CARDS, rng) });
            let cards = references("card", CARDS, rng);
            (key("deck", DECKS, rng), json!({ "n": n, "cards": cards, "cover": cover }))
        }
        3..7 => {
            let deck = json!({ "$ref": key("deck", DECKS, rng) });
            let translations = references("translation", TRANSLATIONS, rng);
            let pad = "x".repeat(rng.usize(..200));
            let card = json!({"n": n, "deck": deck, "translations": translations, "pad": pad});
            (key("card", CARDS, rng), card)
        }
        _ => (key("translation", TRANSLATIONS, rng), json!({ "n": n })),
    }
}

/// One change, of a kind that is chosen.
async fn change(pstate: &PState, rng: &mut Rng) {
    let (key, document) = random(rng);
    match rng.u8(..8) {
        0 => pstate.delete(&*key).await.unwrap(),
        1 => {
            let (other, second) = random(rng);
            let mut batch = pstate.batch().put(&*key, &document);
            if other != key {
                batch = batch.put(&*other, &second);
            }
            batch.commit().await.unwrap();
        }
        2..5 => {
            let n = rng.u8(..8);
            let change = |card: &mut pstate::Object| {
                card.insert("n".to_owned(), json!(n));
                Ok(())
            };
            pstate.update(&*key, change).await.unwrap();
        }
        _ => {
            pstate.put(&*key, &document).await.unwrap();
        }
    }
}

/// Everything that a program can see of a preload.
fn seen(loaded: &Loaded) -> Vec<String> {
    let follow = |document: &Document, field: &str| match loaded.follow(document, field) {
        Ok(to) => to.map(|it| it.key().to_string()).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    };
    let mut all: Vec<String> = loaded
        .documents()
        .map(|document| {
            assert!(ptr::eq(document, loaded.get(document.key()).unwrap()));
            let by_reference = FIELDS.map(|field| follow(document, field));
            // A document of another read is found by its key.
            let by_key = FIELDS.map(|field| follow(&document.clone(), field));
            assert_eq!(by_reference, by_key);
            format!("{} {} {by_reference:?}", document.key(), document.as_str())
        })
        .collect();
    all.sort();
    let dangling = loaded.dangling().iter();
    all.extend(dangling.map(|it| format!("{} {} {}", it.from, it.field, it.to)));
    all.extend(loaded.unmatched().iter().cloned());
    all.push(format!("{} of {} in {}", loaded.root().key(), loaded.len(), loaded.levels()));
    all
}

async fn compare(pstate: &PState, rng: &mut Rng) {
    let (root, preload) = (key("shelf", SHELVES, rng), *rng.choice(&PRELOADS).unwrap());
    let past = pstate.clone().cache_policy(CachePolicy::Bypass);
    let expected = past.preload(&*root, preload).await;
    for _ in 0..rng.usize(1..4) {
        let found = pstate.preload(&*root, preload).await;
        match (&expected, found) {
            (Ok(Some(expected)), Ok(Some(found))) => assert_eq!(seen(&found), seen(expected)),
            (Ok(None), Ok(None)) => {}
            (Err(expected), Err(found)) => assert_eq!(found.to_string(), expected.to_string()),
            (expected, found) => panic!("{found:?} instead of {expected:?}"),
        }
    }
}

on_each_store! {
    async fn after_any_writes_a_preload_finds_what_one_past_the_cache_finds(store: Store) {
        for (seed, cache_bytes) in (0..24).zip([64 << 20, 64 << 20, 24 << 10].into_iter().cycle()) {
            let mut rng = Rng::with_seed(seed);
            let build = || {
                let builder = store.builder().staleness(Staleness::None);
                builder.cache_bytes(cache_bytes).build().unwrap()
            };
            let (pstate, other) = (build(), build());
            for _ in 0..120 {
                match rng.u8(..6) {
                    0 | 1 => change(&pstate, &mut rng).await,
                    2 => change(&other, &mut rng).await,
                    _ => compare(&pstate, &mut rng).await,
                }
            }
        }
    }

    async fn an_unchanged_graph_is_shared_and_a_changed_document_replaced_alone(store: Store) {
        let pstate = store.plain();
        let card = |id: usize| json!({ "$ref": format!("card:{id}") });
        for id in 0..5 {
            pstate.put(format!("card:{id}"), &json!({"n": id})).await.unwrap();
        }
        let cards: Vec<Value> = (0..6).map(card).collect();
        pstate.put("deck:1", &json!({ "cards": cards })).await.unwrap();
        let preload = async || pstate.preload("deck:1", "cards").await.unwrap().unwrap();
        let cards = |loaded: &Loaded| {
            let cards = loaded.follow(loaded.root(), "cards").unwrap();
            cards.map(|card| card.get("n").unwrap().unwrap().clone()).collect::<Vec<_>>()
        };
        // One look-up finds what is absent.
        preload().await;
        let (first, again) = (preload().await, preload().await);
        assert!(ptr::eq(first.root(), again.root()), "they share their documents");
        assert_eq!(again.round_trips(), 0);

        pstate.put("card:3", &json!({"n": 30})).await.unwrap();
        let changed = preload().await;
        assert_eq!(cards(&changed), [0, 1, 2, 30, 4]);
        assert_eq!(cards(&first), [0, 1, 2, 3, 4], "what was loaded stays as it is");
        assert!(ptr::eq(changed.root(), preload().await.root()));

        // A key that was absent.
        pstate.put("card:5", &json!({"n": 5})).await.unwrap();
        assert_eq!(cards(&preload().await), [0, 1, 2, 30, 4, 5]);
        assert!(preload().await.dangling().is_empty());
        pstate.delete("card:0").await.unwrap();
        assert_eq!(cards(&preload().await), [1, 2, 30, 4, 5]);
        assert_eq!(preload().await.dangling().len(), 1);
        pstate.put("deck:1", &json!({ "cards": [card(1)] })).await.unwrap();
        assert_eq!(cards(&preload().await), [1]);
    }

    async fn a_closure_decides_each_time(store: Store) {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

        let pstate = store.plain();
        let mut cards = Vec::new();
        for id in 0..4 {
            pstate.put(format!("card:{id}"), &json!({"n": id})).await.unwrap();
            cards.push(json!({ "$ref": format!("card:{id}") }));
        }
        pstate.put("deck:1", &json!({ "cards": cards })).await.unwrap();
        let least = Arc::new(AtomicI64::new(0));
        let preload = {
            let least = least.clone();
            let filter = pstate::Filter::closure(move |card| {
                card.get("n").unwrap().unwrap().as_i64().unwrap() >= least.load(SeqCst)
            });
            pstate::Preload::new().path(pstate::Path::new("cards").filter(filter))
        };
        for expected in [4, 3, 2] {
            for _ in 0..3 {
                let loaded = pstate.preload("deck:1", &preload).await.unwrap().unwrap();
                assert_eq!(loaded.follow(loaded.root(), "cards").unwrap().len(), expected);
            }
            least.fetch_add(1, SeqCst);
        }
    }
}

#[tokio::test]
async fn graphs_count_in_the_bound_of_the_cache() {
    let store = Store::memory();
    let pstate = {
        let builder = store.builder().staleness(Staleness::Unbounded);
        builder.cache_bytes(256 << 10).build().unwrap()
    };
    let pad = "x".repeat(500);
    for deck in 0..40 {
        let mut cards = Vec::new();
        for card in 0..20 {
            let key = format!("card:{deck}-{card}");
            pstate.put(&*key, &json!({ "pad": pad })).await.unwrap();
            cards.push(json!({ "$ref": key }));
        }
        pstate.put(format!("deck:{deck}"), &json!({ "cards": cards })).await.unwrap();
    }
    for _ in 0..3 {
        for deck in 0..40 {
            for _ in 0..3 {
                let loaded =
                    pstate.preload(format!("deck:{deck}"), "cards").await.unwrap().unwrap();
                assert_eq!(loaded.follow(loaded.root(), "cards").unwrap().len(), 20);
            }
            assert!(pstate.stats().cache_bytes <= 256 << 10);
        }
    }
}
