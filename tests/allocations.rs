//! A read of the cache allocates nothing. In a program of its own, since the allocator counts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;

use futures_util::FutureExt;
use pstate::{Collection, Key, MemoryAdapter, PState, Ref};
use serde::{Deserialize, Serialize};

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
