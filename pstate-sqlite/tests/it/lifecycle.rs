//! Closing, dropping and opening again.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use pstate_core::{Adapter, Batch, Error, ErrorKind, Scan, Space};
use pstate_sqlite::SqliteConfig;

use crate::fixture::{Place, get, key, keys, poll_once, put, put_write, same, scan_all};

#[tokio::test]
async fn what_was_stored_is_there_after_opening_again() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    store.close().await.unwrap();
    assert_eq!(get(&place.open(), "card:1").await.unwrap(), b"{}");
}

#[tokio::test]
async fn what_was_stored_is_there_although_nobody_closed() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    drop(store);
    assert_eq!(get(&place.open(), "card:1").await.unwrap(), b"{}");
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    store.close().await.unwrap();
    assert_eq!(place.files(), ["app.db"]);
}

#[tokio::test]
async fn closing_twice_succeeds() {
    let place = Place::new();
    let store = place.open();
    store.close().await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_at_the_same_time_succeeds_for_all() {
    let place = Place::new();
    let store = place.open();
    let (one, other) = tokio::join!(store.close(), store.close());
    one.unwrap();
    other.unwrap();
}

#[tokio::test]
async fn a_close_that_was_dropped_can_be_repeated() {
    let place = Place::new();
    let store = place.open();
    let keys = keys(200);
    store.write(&Space::default(), &same(&keys, "{}")).await.unwrap();
    let space = Space::default();
    let mut read = pin!(store.multi_get(&space, &keys));
    assert!(poll_once(read.as_mut()).is_pending());
    assert!(poll_once(pin!(store.close()).as_mut()).is_pending());
    read.await.unwrap();
    store.close().await.unwrap();
    assert_eq!(place.files(), ["app.db"]);
}

#[tokio::test]
async fn every_method_of_a_closed_store_says_so() {
    #[track_caller]
    fn closed<T: std::fmt::Debug>(result: Result<T, Error>) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.is_retryable());
        assert!(error.message().contains("closed"), "{error}");
    }
    let place = Place::new();
    let store = place.open();
    store.close().await.unwrap();
    let space = Space::default();
    let all = Scan { prefix: String::new(), after: None, limit: NonZeroUsize::MIN };
    closed(store.multi_get(&space, &[key("card:1")]).await);
    closed(store.write(&space, &Batch::each(vec![put_write("card:1", "{}")])).await);
    closed(store.scan(&space, &all).await);
    closed(store.spaces().await);
    closed(store.flush().await);
    closed(store.backup(place.path("copy.db")).await);
    closed(store.integrity_check().await);
    closed(store.optimize().await);
    closed(store.checkpoint().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_acknowledged_while_closing_is_stored() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let batch = Batch::each(vec![put_write(&format!("card:{n:02}"), "{}")]);
            store.write(&Space::default(), &batch).await.ok().map(|_| format!("card:{n:02}"))
        });
    }
    store.close().await.unwrap();
    let mut acknowledged = Vec::new();
    while let Some(done) = tasks.join_next().await {
        acknowledged.extend(done.unwrap());
    }
    let (stored, _) = scan_all(&place.open(), "", 100).await;
    assert!(acknowledged.iter().all(|key| stored.contains(key)), "{acknowledged:?} {stored:?}");
}

#[tokio::test]
async fn a_write_that_is_dropped_is_done_wholly_or_not_at_all() {
    let place = Place::new();
    let store = place.open();
    let space = Space::default();
    for n in 0..50 {
        let writes = (0..3).map(|i| put_write(&format!("b{n}:{i}"), "{}")).collect();
        let batch = Batch::atomic(writes);
        assert!(poll_once(pin!(store.write(&space, &batch)).as_mut()).is_pending());
    }
    // Behind all of them in the queue.
    put(&store, "last:1", "{}").await;
    for n in 0..50 {
        let (found, _) = scan_all(&store, &format!("b{n}:"), 10).await;
        assert!(matches!(found.len(), 0 | 3), "{found:?}");
    }
}

#[tokio::test]
async fn flushing_succeeds() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    store.flush().await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_empties_the_log() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    assert!(place.path("app.db-wal").metadata().unwrap().len() > 0);
    store.checkpoint().await.unwrap();
    assert_eq!(place.path("app.db-wal").metadata().unwrap().len(), 0);
}

#[tokio::test]
async fn the_log_is_emptied_by_itself() {
    let place = Place::new();
    let config = SqliteConfig::default().checkpoint_interval(Some(Duration::from_millis(1)));
    let store = place.open_with(config);
    put(&store, "card:1", "{}").await;
    while place.path("app.db-wal").metadata().unwrap().len() > 0 {
        tokio::task::yield_now().await;
    }
    put(&store, "card:1", "[]").await;
}

#[tokio::test]
async fn optimizing_succeeds() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    store.optimize().await.unwrap();
}

#[test]
fn its_debug_text_is_short() {
    let place = Place::new();
    let text = format!("{:?}", place.open());
    assert!(text.contains("app.db") && text.len() < 300, "{text}");
}
