//! Reading by key.

use std::pin::pin;
use std::task::Poll;

use pstate_core::{Adapter, Batch, CountVersions, ErrorKind, Space, Write};
use pstate_sqlite::{ReadMode, SqliteConfig};

use crate::fixture::{Place, get, keys, poll_once, put, put_write, same, scan_all};

#[tokio::test]
async fn forty_thousand_keys_are_read_at_once_and_in_order() {
    for mode in [ReadMode::InPlace, ReadMode::Blocking] {
        let place = Place::new();
        let store = place.open_with(SqliteConfig::default().read_mode(mode));
        let keys = keys(40_000);
        let writes = keys
            .iter()
            .step_by(2)
            .map(|key| Write::put(key.clone(), key.as_str().as_bytes()))
            .collect();
        store.write(&Space::default(), &Batch::atomic(writes)).await.unwrap();
        let records = store.multi_get(&Space::default(), &keys).await.unwrap();
        assert_eq!(records.len(), keys.len());
        for (n, (key, record)) in keys.iter().zip(&records).enumerate() {
            let bytes = record.as_ref().map(|record| &*record.bytes);
            assert_eq!(bytes, (n % 2 == 0).then_some(key.as_str().as_bytes()));
        }
    }
}

#[tokio::test]
async fn keys_in_any_order_are_read_into_their_places() {
    let place = Place::new();
    let store = place.open();
    let keys = keys(300);
    let writes =
        keys.iter().skip(1).step_by(2).map(|key| put_write(key.as_str(), key.as_str())).collect();
    store.write(&Space::default(), &Batch::atomic(writes)).await.unwrap();
    for count in [2, 100, 300] {
        // Backwards, each third from the beginning, and twice.
        let asked: Vec<_> = keys[..count].iter().rev().chain(keys.iter().step_by(3)).collect();
        let asked: Vec<_> = asked.into_iter().cloned().collect();
        let records = store.multi_get(&Space::default(), &asked).await.unwrap();
        assert_eq!(records.len(), asked.len());
        for (key, record) in asked.iter().zip(records) {
            let is_stored = keys.iter().position(|other| other == key).unwrap() % 2 == 1;
            let bytes = record.map(|record| record.bytes.to_vec());
            assert_eq!(bytes, is_stored.then(|| key.as_str().as_bytes().to_vec()));
        }
    }
}

#[tokio::test]
async fn keys_that_follow_each_other_are_read_past_others_between_them() {
    let place = Place::new();
    let store = place.open();
    let (space, keys) = (Space::default(), keys(300));
    let writes = keys.iter().map(|key| put_write(key.as_str(), key.as_str())).collect();
    store.write(&space, &Batch::atomic(writes)).await.unwrap();
    // All but each seventh, third and second, from some on.
    for (gap, from) in [(7, 0), (7, 5), (3, 0), (3, 200), (2, 1), (2, 280)] {
        let asked = keys.iter().skip(from).enumerate().filter(|(n, _)| n % gap != 1);
        let asked: Vec<_> = asked.map(|(_, key)| key.clone()).collect();
        let records = store.multi_get(&space, &asked).await.unwrap();
        for (key, record) in asked.iter().zip(records) {
            assert_eq!(&*record.unwrap().bytes, key.as_str().as_bytes());
        }
    }
}

#[tokio::test]
async fn long_values_are_read_wholly() {
    let place = Place::new();
    let store = place.open();
    let (space, keys) = (Space::default(), keys(5));
    store.write(&space, &same(&keys, &"x".repeat(300_000))).await.unwrap();
    let records = store.multi_get(&space, &keys).await.unwrap();
    assert!(records.iter().all(|record| record.as_ref().unwrap().bytes.len() == 300_000));
    // Among short ones.
    for len in [16_384, 16_385, 40_000] {
        let keys = crate::fixture::keys(30);
        store.write(&space, &same(&keys, "short")).await.unwrap();
        store.write(&space, &same(&keys[10..12], &"x".repeat(len))).await.unwrap();
        let records = store.multi_get(&space, &keys).await.unwrap();
        let lens = records.iter().map(|record| record.as_ref().unwrap().bytes.len());
        let expected = (0..30).map(|n| if n == 10 || n == 11 { len } else { 5 });
        assert!(lens.eq(expected));
    }
}

#[tokio::test]
async fn a_read_that_is_dropped_half_way_leaves_a_clean_connection() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().readers(1));
    let keys = keys(500);
    store.write(&Space::default(), &same(&keys, "old")).await.unwrap();
    {
        let space = Space::default();
        let mut read = pin!(store.multi_get(&space, &keys));
        let _ = poll_once(read.as_mut());
    }
    put(&store, "card:00000", "new").await;
    assert_eq!(get(&store, "card:00000").await.unwrap(), b"new");
}

#[tokio::test]
async fn a_read_that_is_kept_holds_neither_its_snapshot_nor_the_log() {
    let place = Place::new();
    let store = place.open();
    let (space, keys) = (Space::default(), keys(500));
    store.write(&space, &same(&keys, "old")).await.unwrap();

    let mut read = pin!(store.multi_get(&space, &keys));
    let first = poll_once(read.as_mut());
    store.write(&space, &same(&keys, "new")).await.unwrap();
    store.checkpoint().await.unwrap();

    let records = match first {
        Poll::Ready(records) => records,
        Poll::Pending => read.await,
    };
    let records: Vec<_> = records.unwrap().into_iter().map(Option::unwrap).collect();
    assert!(records.iter().all(|record| record.bytes == records[0].bytes));
}

/// What waits for the only connection gets it without being polled, and gives it back.
#[tokio::test]
async fn reads_that_are_kept_hold_no_connection() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().readers(1));
    let (space, keys) = (Space::default(), keys(500));
    store.write(&space, &same(&keys, "{}")).await.unwrap();
    let mut kept: Vec<_> = (0..20).map(|_| store.multi_get(&space, &keys)).collect();
    // One or the other may be quick enough.
    kept.retain_mut(|read| poll_once(read.as_mut()).is_pending());
    let mut spaces = store.spaces();
    let mut counts = store.count_versions(&space);
    let _ = (poll_once(spaces.as_mut()), poll_once(counts.as_mut()));
    assert!(get(&store, "card:00000").await.is_some());
    assert_eq!(scan_all(&store, "", 500).await.0.len(), keys.len());
    for read in kept {
        assert!(read.await.unwrap().iter().all(Option::is_some));
    }
}

#[tokio::test]
async fn a_store_closes_while_reads_are_kept() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().readers(1));
    let (space, keys) = (Space::default(), keys(500));
    store.write(&space, &same(&keys, "{}")).await.unwrap();
    let mut kept: Vec<_> = (0..4).map(|_| store.multi_get(&space, &keys)).collect();
    // One or the other may be quick enough.
    kept.retain_mut(|read| poll_once(read.as_mut()).is_pending());
    store.close().await.unwrap();
    assert_eq!(place.files(), ["app.db"]);
    for read in kept {
        if let Err(error) = read.await {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
        }
    }
}

/// A runtime that has shut down runs no read: its readers give their turn to those of others.
#[test]
fn reads_of_a_runtime_that_has_ended_hold_no_connection() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().readers(1));
    let (space, keys) = (Space::default(), keys(500));
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let mut kept: Vec<_> = (0..2000).map(|_| store.multi_get(&space, &keys)).collect();
    {
        let _inside = first.enter();
        kept.retain_mut(|read| poll_once(read.as_mut()).is_pending());
    }
    drop(first);
    assert_eq!(runtime().block_on(get(&store, "card:00000")), None);
}
