//! Reading by key.

use std::pin::pin;
use std::time::Duration;

use pstate_core::{Adapter, ErrorKind, Space};
use pstate_sqlite::{ReadMode, SqliteConfig};

use crate::fixture::{Place, get, keys, poll_once, put, same};

#[tokio::test]
async fn forty_thousand_keys_are_read_at_once_and_in_order() {
    for mode in [ReadMode::InPlace, ReadMode::Blocking] {
        let place = Place::new();
        let store = place.open_with(SqliteConfig::default().read_mode(mode));
        let keys = keys(40_000);
        let writes = keys
            .iter()
            .step_by(2)
            .map(|key| pstate_core::Write::put(key.clone(), key.as_str().as_bytes()))
            .collect();
        store.write(&Space::default(), &pstate_core::Batch::atomic(writes)).await.unwrap();
        let records = store.multi_get(&Space::default(), &keys).await.unwrap();
        assert_eq!(records.len(), keys.len());
        for (n, (key, record)) in keys.iter().zip(&records).enumerate() {
            let bytes = record.as_ref().map(|record| &*record.bytes);
            assert_eq!(bytes, (n % 2 == 0).then_some(key.as_str().as_bytes()));
        }
    }
}

#[tokio::test]
async fn long_values_are_read_in_portions_too() {
    let place = Place::new();
    let store = place.open();
    let (space, keys) = (Space::default(), keys(5));
    store.write(&space, &same(&keys, &"x".repeat(300_000))).await.unwrap();
    let mut read = pin!(store.multi_get(&space, &keys));
    for _ in 1..keys.len() {
        assert!(poll_once(read.as_mut()).is_pending());
    }
    let records = read.await.unwrap();
    assert!(records.iter().all(|record| record.as_ref().unwrap().bytes.len() == 300_000));
}

#[tokio::test]
async fn a_read_that_is_dropped_half_way_leaves_a_clean_connection() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().readers(1));
    let keys = keys(200);
    store.write(&Space::default(), &same(&keys, "old")).await.unwrap();
    {
        let space = Space::default();
        let mut read = pin!(store.multi_get(&space, &keys));
        assert!(poll_once(read.as_mut()).is_pending());
    }
    put(&store, "card:00000", "new").await;
    assert_eq!(get(&store, "card:00000").await.unwrap(), b"new");
}

#[tokio::test]
async fn a_read_half_way_keeps_its_snapshot_and_the_log() {
    let place = Place::new();
    let config = SqliteConfig::default().busy_timeout(Duration::from_millis(10));
    let store = place.open_with(config);
    let (space, keys) = (Space::default(), keys(200));
    store.write(&space, &same(&keys, "old")).await.unwrap();

    let mut read = pin!(store.multi_get(&space, &keys));
    assert!(poll_once(read.as_mut()).is_pending());
    store.write(&space, &same(&keys, "new")).await.unwrap();
    let error = store.checkpoint().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());

    let records = read.await.unwrap();
    assert!(records.iter().flatten().all(|record| &*record.bytes == b"old"));
    store.checkpoint().await.unwrap();
}

#[tokio::test]
async fn a_read_waits_for_a_free_connection() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().readers(1));
    let (space, keys) = (Space::default(), keys(200));
    store.write(&space, &same(&keys, "{}")).await.unwrap();
    let mut first = pin!(store.multi_get(&space, &keys));
    assert!(poll_once(first.as_mut()).is_pending());
    let mut second = pin!(store.multi_get(&space, &keys[..1]));
    assert!(poll_once(second.as_mut()).is_pending());
    first.await.unwrap();
    assert!(second.await.unwrap()[0].is_some());
}
