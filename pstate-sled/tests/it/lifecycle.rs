//! Closing, dropping and opening again.

use std::pin::pin;
use std::sync::Arc;

use pstate_core::{Adapter, Batch, ErrorKind, Space};

use crate::fixture::{Place, poll_once, put, put_write, scan_all};

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
    for write in &mut waiting {
        _ = poll_once(write.as_mut());
    }
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
async fn its_debug_text_is_short_and_holds_nothing_that_is_stored() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "secret").await;
    let text = format!("{store:?}");
    assert!(text.contains("app") && !text.contains("secret") && text.len() < 300, "{text}");
}
