//! Closing, dropping and opening again.

use std::fs;
use std::pin::pin;
use std::sync::Arc;

use pstate_core::{Adapter, Batch, ErrorKind, Space};
use pstate_sled::SledAdapter;

use crate::child::{self, Child, say};
use crate::fixture::{Place, get, poll_once, put, put_write, scan_all};

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
async fn while_it_closes_nothing_new_is_begun() {
    let place = Place::new();
    let store = place.open();
    let space = Space::default();
    let batch = Batch::each(vec![put_write("card:1", "{}")]);
    let mut waiting: Vec<_> = (0..1_000).map(|_| store.write(&space, &batch)).collect();
    // The thread may have answered the first ones already.
    waiting.retain_mut(|write| poll_once(write.as_mut()).is_pending());
    let mut closing = store.close();
    _ = poll_once(closing.as_mut());
    // Otherwise closing would not end as long as others write.
    for error in [store.write(&space, &batch).await.err(), store.flush().await.err()] {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Unavailable));
    }
    closing.await.unwrap();
    for write in waiting {
        write.await.unwrap();
    }
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
async fn a_close_that_fails_says_so_and_closes() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    fs::remove_dir_all(place.path("app")).unwrap();
    let error = store.close().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(error.operation(), Some("close"));
    store.close().await.unwrap();
    assert_eq!(store.flush().await.unwrap_err().message(), "the store is closed");
}

/// The process of the next test: sled waits forever in a thread of its own after this failure, and
/// would hold up other tests.
#[tokio::test]
#[ignore = "a process of its own, started by another test"]
async fn child_whose_write_fails() {
    let store = SledAdapter::open(child::store()).unwrap();
    put(&store, "card:1", "{}").await;
    // sled keeps long values in files of their own, there.
    fs::remove_dir_all(child::store().join("blobs")).unwrap();
    let space = Space::default();
    let long = Batch::atomic(vec![put_write("card:2", vec![b'x'; 1 << 20])]);
    let short = Batch::atomic(vec![put_write("card:3", "{}")]);
    let told = |error: pstate_core::Error| {
        assert!(!error.is_retryable());
        say(&format!("{:?} {}", error.kind(), error.message()));
    };
    told(store.write(&space, &long).await.unwrap_err());
    told(store.write(&space, &short).await.unwrap_err());
    told(store.flush().await.unwrap_err());
    assert_eq!(get(&store, "card:1").await.unwrap(), b"{}");
    told(store.close().await.unwrap_err());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_write_that_fails_has_an_unknown_effect_and_nothing_waits_forever_afterwards() {
    let place = Place::new();
    let mut child = Child::start("lifecycle::child_whose_write_fails", &place.path("app"));
    let heard: Vec<String> = std::iter::from_fn(|| child.hear()).collect();
    let [long, later @ ..] = &heard[..] else { panic!("{heard:?}") };
    assert!(long.starts_with("Other ") && long.contains("may or may not be stored"), "{long}");
    assert_eq!(later.len(), 3, "{heard:?}");
    for refused in later {
        assert!(refused.starts_with("Unavailable "), "{refused}");
        assert!(refused.contains("an earlier write failed"), "{refused}");
    }
    // The end of the process has released it.
    let store = place.open();
    assert_eq!(get(&store, "card:1").await.unwrap(), b"{}");
    put(&store, "card:3", "{}").await;
}

#[tokio::test]
async fn its_debug_text_is_short_and_holds_nothing_that_is_stored() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "secret").await;
    let text = format!("{store:?}");
    assert!(text.contains("app") && !text.contains("secret") && text.len() < 300, "{text}");
}
