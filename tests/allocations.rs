//! A read of the cache allocates nothing, and a tree that is refused little. In a program of its own,
//! since the allocator counts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt;
use pstate::{Collection, Key, MemoryAdapter, PState, Ref};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Serialize, Deserialize)]
struct Card {
    front: String,
}

const CARDS: Collection<Card> = Collection::new("card");

/// How often memory is allocated by reads of the cache, which never wait.
fn allocations<T>(read: impl AsyncFn() -> pstate::Result<Option<T>>) -> u64 {
    let mut found = 0;
    let counted = allocation_counter::measure(|| {
        for _ in 0..50 {
            found += usize::from(read().now_or_never().unwrap().unwrap().is_some());
        }
    });
    assert_eq!(found, 50);
    counted.count_total
}

// The clock stands still, so that nothing is taken for stale.
#[tokio::test(start_paused = true)]
async fn a_read_of_the_cache_allocates_nothing() {
    let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build().unwrap();
    CARDS.put(&pstate, "1", &Card { front: "hola".into() }).await.unwrap();
    CARDS.get(&pstate, "1").await.unwrap();
    let key: Key = "card:1".parse().unwrap();
    let reference: Ref<Card> = CARDS.reference("1").unwrap();

    assert_eq!(allocations(async || pstate.get("card:1").await), 0);
    assert_eq!(allocations(async || pstate.get(&key).await), 0);
    assert_eq!(allocations(async || pstate.get(&reference).await), 0);
    assert_eq!(allocations(async || CARDS.get(&pstate, "1").await), 0);
    // And not because nothing is counted.
    let uncached = pstate.cache_policy(pstate::CachePolicy::Refresh);
    assert!(allocations(async || uncached.get(&key).await) >= 50);
}

/// A cache estimates the memory of a typed value from its text's marks. The estimate is close.
#[tokio::test(start_paused = true)]
async fn a_typed_value_counts_for_about_what_it_takes() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only decoded")]
    struct Note {
        title: String,
        text: String,
        rank: f64,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only decoded")]
    struct Linked {
        deck: Ref,
        front: String,
        tags: Vec<String>,
        due: i64,
        translations: Vec<Ref>,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only decoded")]
    struct Mapped {
        front: String,
        translations: BTreeMap<String, Ref>,
    }
    let refs: Vec<_> = (0..4).map(|at| json!({"$ref": format!("translation:7c9e-{at}")})).collect();
    let map = json!({"de": refs[0], "es": refs[1], "pt": refs[2]});
    let note = |text: String| json!({"title": "to do", "text": text, "rank": 2.5});
    let linked = |tags: &[&str]| {
        json!({"deck": {"$ref": "deck:es"}, "front": "hola, mundo", "tags": tags, "due": 1_790_000_000,
            "translations": refs})
    };
    assert_counts::<Note>(&note("buy milk, bread and salt".into())).await;
    assert_counts::<Note>(&note("and so on; ".repeat(400))).await;
    assert_counts::<Linked>(&linked(&["noun", "common"])).await;
    assert_counts::<Linked>(&linked(&["noun"; 20])).await;
    assert_counts::<Mapped>(&json!({"front": "hola", "translations": map})).await;
}

/// A typed value is counted at no less than nine tenths of what it takes, and not at twice as much.
async fn assert_counts<T: DeserializeOwned + Send + Sync + 'static>(document: &Value) {
    let pstate = PState::builder(Arc::new(MemoryAdapter::new())).build().unwrap();
    pstate.put("card:1", document).await.unwrap();
    let cached = pstate.get("card:1").await.unwrap().unwrap();
    let before = pstate.stats().cache_bytes;
    let taken = allocation_counter::measure(|| _ = cached.decode::<T>().unwrap()).bytes_current;
    let counted = pstate.stats().cache_bytes - before;
    let taken = u64::try_from(taken).unwrap();
    let (least, most) = (taken * 9 / 10, taken * 2 + 64);
    assert!((least..most).contains(&counted), "{counted} for {taken} bytes: {document}");
}

/// 2,000 documents that refer to 8 others each, in cycles: a tree of 8^20 documents at depth 20.
#[test]
fn a_resolved_tree_that_is_refused_takes_no_more_than_its_documents() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pstate = {
        let _in_runtime = runtime.enter();
        PState::builder(Arc::new(MemoryAdapter::new())).build().unwrap()
    };
    runtime.block_on(async {
        for at in 0..2_000 {
            let refer = |n| json!({"$ref": format!("n:{}", (at * 7 + n * 131) % 2_000)});
            let next: Vec<_> = (1..=8).map(refer).collect();
            pstate.put(format!("n:{at}"), &json!({"name": "x", "next": next})).await.unwrap();
        }
    });
    let mut refused = None;
    let counted = allocation_counter::measure(|| {
        refused = runtime.block_on(pstate.get_resolved("n:0", 20)).err();
    });
    let refused = refused.unwrap().to_string();
    assert!(refused.contains("takes more than the limit of 67108864 bytes"), "{refused}");
    // It would be 64 MiB if it had been built as far as the limit.
    assert!(counted.bytes_max < 8 << 20, "{counted:?}");
}
