//! A read of the cache allocates nothing, and a tree that is refused little. In a program of its own,
//! since the allocator counts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use futures_util::FutureExt;
use pstate::{Collection, Key, MemoryAdapter, PState, Ref};
use serde::{Deserialize, Serialize};
use serde_json::json;

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
