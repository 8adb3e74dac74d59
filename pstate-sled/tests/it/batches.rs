//! Batches of different callers that are stored together.

use std::num::NonZeroUsize;
use std::sync::Arc;

use pstate_core::{Adapter, Batch, Changes, Expect, Outcome, Revision, Scan, Space, Write};
use pstate_sled::SledConfig;
use tokio::task::JoinSet;

use crate::fixture::{Place, get, keys, poll_once, put, put_write, same, scan_all};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn six_hundred_batches_of_six_tasks_are_all_stored() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 0..100 {
                let writes = (0..3).map(|i| put_write(&format!("t{task}:{n}.{i}"), "{}")).collect();
                store.write(&Space::default(), &Batch::atomic(writes)).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(scan_all(&store, "", 1000).await.0.len(), 1800);
}

/// Polled together, so that they are stored together.
#[tokio::test]
async fn an_expectation_sees_what_was_queued_before_it() {
    let place = Place::new();
    let store = place.open();
    let space = Space::default();
    let one = Batch::atomic(vec![put_write("card:1", "one"), put_write("card:2", "one")]);
    let revision = Revision::of_content(b"one");
    let two = Batch::atomic(vec![
        put_write("card:1", "two").expecting(Expect::Revision(revision)),
        put_write("card:3", "two").expecting(Expect::Absent),
    ]);
    let three = Batch::each(vec![
        put_write("card:1", "three").expecting(Expect::Revision(revision)),
        put_write("card:4", "three").expecting(Expect::Absent),
    ]);
    let (one, two, three) = tokio::join!(
        store.write(&space, &one),
        store.write(&space, &two),
        store.write(&space, &three)
    );
    assert!(one.unwrap().iter().all(Outcome::is_done));
    assert!(two.unwrap().iter().all(Outcome::is_done));
    let three = three.unwrap();
    assert!(matches!(three[..], [Outcome::Conflict, Outcome::Stored(_)]), "{three:?}");
    assert_eq!(get(&store, "card:1").await.unwrap(), b"two");
    assert_eq!(get(&store, "card:2").await.unwrap(), b"one");
}

#[tokio::test]
async fn a_batch_longer_than_a_segment_of_the_log_is_stored() {
    let place = Place::new();
    let store = place.open();
    let keys = keys(3_000);
    store.write(&Space::default(), &same(&keys, &"x".repeat(1_000))).await.unwrap();
    store.close().await.unwrap();
    let records = place.open().multi_get(&Space::default(), &keys).await.unwrap();
    assert!(records.iter().all(Option::is_some));
}

#[tokio::test]
async fn a_value_that_is_too_long_fails_alone_or_refuses_its_atomic_batch() {
    let place = Place::new();
    let store = place.open_with(SledConfig::default().max_value_len(10));
    let writes = vec![put_write("card:1", "short"), put_write("card:2", "longer than ten")];
    let error = store.write(&Space::default(), &Batch::atomic(writes.clone())).await.unwrap_err();
    assert!(error.message().contains("15 bytes; this store takes at most 10"), "{error}");
    assert_eq!(get(&store, "card:1").await, None);
    let outcomes = store.write(&Space::default(), &Batch::each(writes)).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Stored(_), Outcome::Failed(_)]), "{outcomes:?}");
}

/// The one task polls both, so the small write is queued behind what the long one has queued by
/// then.
#[tokio::test]
async fn a_small_write_overtakes_a_long_batch_of_single_writes() {
    let place = Place::new();
    let store = place.open();
    let space = Space::default();
    let long = Batch::each(keys(10_000).into_iter().map(|key| Write::put(key, *b"{}")).collect());
    let mut long = store.write(&space, &long);
    assert!(poll_once(long.as_mut()).is_pending());
    put(&store, "small:1", "{}").await;
    assert_eq!(get(&store, "card:09999").await, None);
    assert!(long.await.unwrap().iter().all(Outcome::is_done));
    assert_eq!(get(&store, "card:09999").await.unwrap(), b"{}");
}

#[tokio::test]
async fn held_futures_block_no_other_call() {
    let place = Place::new();
    let store = place.open();
    let space = Space::default();
    let keys = keys(3_000);
    store.write(&space, &same(&keys, "{}")).await.unwrap();
    let batch = Batch::each(keys.iter().map(|key| Write::put(key.clone(), *b"[]")).collect());
    let everything =
        Scan { prefix: String::new(), after: None, limit: NonZeroUsize::new(5_000).unwrap() };
    let counting = store.extensions().count_versions.unwrap();
    let mut write = store.write(&space, &batch);
    let mut read = store.multi_get(&space, &keys);
    let mut scan = store.scan(&space, &everything);
    let mut spaces = store.spaces();
    let mut count = counting.count_versions(&space);
    let mut flush = store.flush();
    _ = poll_once(write.as_mut());
    _ = poll_once(read.as_mut());
    _ = poll_once(scan.as_mut());
    _ = poll_once(spaces.as_mut());
    _ = poll_once(count.as_mut());
    _ = poll_once(flush.as_mut());
    // Every operation again, while none of these is polled.
    put(&store, "small:1", "{}").await;
    assert_eq!(get(&store, "small:1").await.unwrap(), b"{}");
    assert_eq!(store.multi_get(&space, &keys).await.unwrap().len(), keys.len());
    assert_eq!(scan_all(&store, "", 1_000).await.0.len(), keys.len() + 1);
    assert_eq!(store.spaces().await.unwrap().len(), 1);
    counting.count_versions(&space).await.unwrap();
    store.flush().await.unwrap();
    let mut subscription = store.extensions().change_feed.unwrap().subscribe().await.unwrap();
    put(&store, "small:2", "{}").await;
    assert!(matches!(subscription.changes().await.unwrap(), Changes::Records(_)));
    store.close().await.unwrap();
}
