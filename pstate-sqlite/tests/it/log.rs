//! The log of writes stays short.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pstate_core::{Adapter, Space};
use pstate_sqlite::SqliteConfig;

use crate::fixture::{Place, keys, put, same};

const LIMIT: u64 = 2 << 20;

fn log_len(place: &Place) -> u64 {
    place.path("app.db-wal").metadata().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_log_is_bounded_under_overlapping_reads() {
    let place = Place::new();
    let store = Arc::new(place.open_with(SqliteConfig::default().log_limit(LIMIT)));
    let (space, keys) = (Space::default(), keys(500));
    store.write(&space, &same(&keys, "{}")).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, keys, done) = (Arc::clone(&store), keys.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::Acquire) {
                    let records = store.multi_get(&Space::default(), &keys).await.unwrap();
                    let first = &records[0].as_ref().unwrap().bytes;
                    assert!(records.iter().all(|record| record.as_ref().unwrap().bytes == *first));
                }
            })
        })
        .collect();
    let mut longest = 0;
    for round in 0..100 {
        let batch = same(&keys, &format!("{round:0>800}"));
        store.write(&space, &batch).await.unwrap();
        longest = longest.max(log_len(&place));
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(longest > LIMIT / 4, "{longest} bytes: the limit was never near");
    assert!(longest < 2 * LIMIT, "{longest} bytes");
}

#[tokio::test]
async fn a_reader_in_the_way_delays_no_write_for_good_and_the_log_is_emptied_after_it() {
    let place = Place::new();
    let config = SqliteConfig::default()
        .log_limit(LIMIT)
        .busy_timeout(Duration::from_millis(10))
        .checkpoint_interval(None);
    let store = place.open_with(config);
    let keys = keys(500);
    put(&store, "card:1", "{}").await;
    let other = place.raw();
    other.execute_batch("BEGIN; SELECT count(*) FROM pstate").unwrap();
    for round in 0..10 {
        let batch = same(&keys, &format!("{round:0>800}"));
        store.write(&Space::default(), &batch).await.unwrap();
    }
    assert!(log_len(&place) > LIMIT);
    other.execute_batch("COMMIT").unwrap();
    while log_len(&place) > 0 {
        tokio::task::yield_now().await;
    }
    put(&store, "card:1", "[]").await;
}

#[tokio::test]
async fn a_log_that_one_batch_has_made_too_long_is_emptied() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().log_limit(LIMIT).checkpoint_interval(None));
    store.write(&Space::default(), &same(&keys(1000), &"x".repeat(4000))).await.unwrap();
    // Behind the emptying in the queue.
    store.optimize().await.unwrap();
    assert!(log_len(&place) < LIMIT);
}
