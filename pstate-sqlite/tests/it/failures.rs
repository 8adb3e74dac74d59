//! Full disks, locks and damage.

use std::fs;
use std::time::Duration;

use pstate_core::{Adapter, Batch, Error, ErrorKind, Space, Write};
use pstate_sqlite::{SqliteAdapter, SqliteConfig};

use crate::fixture::{Place, get, key, keys, put, put_write, same};

/// Writes documents of 4 KB until there is no more room, and says how many fitted.
async fn fill(store: &SqliteAdapter) -> (usize, Error) {
    for n in 0..1000 {
        let write = put_write(&format!("card:{n}"), "x".repeat(4000));
        if let Err(error) = store.write(&Space::default(), &Batch::each(vec![write])).await {
            return (n, error);
        }
    }
    panic!("the limit was never reached");
}

#[tokio::test]
async fn a_full_disk_is_named_and_nothing_was_written() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().pragma("max_page_count", "30"));
    let (fitted, error) = fill(&store).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(error.message().ends_with("app.db: the disk is full"), "{error}");
    assert_eq!(get(&store, &format!("card:{fitted}")).await, None);
}

#[tokio::test]
async fn what_was_stored_before_the_disk_was_full_is_readable_and_room_can_be_made() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().pragma("max_page_count", "30"));
    let (fitted, _) = fill(&store).await;
    for n in 0..fitted {
        assert_eq!(get(&store, &format!("card:{n}")).await.unwrap().len(), 4000);
    }
    let deletes = (0..3).map(|n| Write::delete(key(&format!("card:{n}")))).collect();
    store.write(&Space::default(), &Batch::atomic(deletes)).await.unwrap();
    put(&store, "card:new", "x".repeat(4000)).await;
}

#[tokio::test]
async fn an_atomic_batch_that_does_not_fit_leaves_nothing() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().pragma("max_page_count", "30"));
    let keys = keys(100);
    let error = store.write(&Space::default(), &same(&keys, &"x".repeat(4000))).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let records = store.multi_get(&Space::default(), &keys).await.unwrap();
    assert!(records.iter().all(Option::is_none));
}

#[tokio::test]
async fn a_lock_of_another_process_makes_writes_fail_until_it_is_released() {
    let place = Place::new();
    let config = SqliteConfig::default().busy_timeout(Duration::from_millis(10));
    let store = place.open_with(config);
    put(&store, "card:1", "old").await;
    let other = place.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let batch = Batch::atomic(vec![put_write("card:1", "new")]);
    let error = store.write(&Space::default(), &batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(error.message().ends_with("is locked by another process (waited 10ms)"), "{error}");
    assert_eq!(get(&store, "card:1").await.unwrap(), b"old");

    other.execute_batch("ROLLBACK").unwrap();
    put(&store, "card:1", "new").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_a_lock_that_is_released_in_time() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().busy_timeout(Duration::from_secs(60)));
    let other = place.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let batch = Batch::atomic(vec![put_write("card:1", "{}")]);
    let space = Space::default();
    let (done, ()) = tokio::join!(store.write(&space, &batch), async {
        tokio::task::yield_now().await;
        other.execute_batch("ROLLBACK").unwrap();
    });
    assert!(done.unwrap()[0].is_done());
}

#[tokio::test]
async fn a_read_only_connection_is_named() {
    let place = Place::new();
    drop(place.open());
    let store = place.open_with(SqliteConfig::default().pragma("query_only", "on"));
    let batch = Batch::atomic(vec![put_write("card:1", "{}")]);
    let error = store.write(&Space::default(), &batch).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("app.db is read-only"), "{error}");
}

#[tokio::test]
async fn a_row_that_the_table_refuses_fails_alone() {
    let place = Place::new();
    let store = place.open();
    refuse_bad_rows(&place);
    let batch = Batch::each(vec![put_write("card:1", "good"), put_write("card:2", "bad")]);
    let outcomes = store.write(&Space::default(), &batch).await.unwrap();
    assert!(outcomes[0].is_done());
    let pstate_core::Outcome::Failed(error) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert_eq!(error.key(), Some(&key("card:2")));
    assert_eq!(get(&store, "card:1").await.unwrap(), b"good");
}

#[tokio::test]
async fn a_row_that_the_table_refuses_undoes_its_atomic_batch() {
    let place = Place::new();
    let store = place.open();
    refuse_bad_rows(&place);
    let batch = Batch::atomic(vec![put_write("card:1", "good"), put_write("card:2", "bad")]);
    store.write(&Space::default(), &batch).await.unwrap_err();
    assert_eq!(get(&store, "card:1").await, None);
    put(&store, "card:1", "good").await;
}

fn refuse_bad_rows(place: &Place) {
    place
        .raw()
        .execute_batch(
            "CREATE TRIGGER t BEFORE INSERT ON pstate WHEN NEW.value = 'bad'
             BEGIN SELECT RAISE(ABORT, 'refused'); END",
        )
        .unwrap();
}

/// A store whose pages from the fourth on are garbage: those with rows and keys.
async fn damaged(place: &Place) -> SqliteAdapter {
    let store = place.open();
    store.write(&Space::default(), &same(&keys(500), &"x".repeat(100))).await.unwrap();
    store.close().await.unwrap();
    let mut bytes = fs::read(place.path("app.db")).unwrap();
    bytes[3 * 4096..].fill(0xff);
    fs::write(place.path("app.db"), bytes).unwrap();
    place.open()
}

#[tokio::test]
async fn damage_is_found_by_the_check() {
    let place = Place::new();
    let store = damaged(&place).await;
    assert!(!store.integrity_check().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_sound_file_passes_the_check() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn reading_from_damage_is_an_error_that_names_the_key_and_never_a_missing_record() {
    let place = Place::new();
    let store = damaged(&place).await;
    for key in keys(500) {
        let error =
            store.multi_get(&Space::default(), std::slice::from_ref(&key)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.key(), Some(&key));
    }
}

#[tokio::test]
async fn damage_of_a_record_spoils_no_read_of_those_beside_it() {
    const PAGE: usize = 4096;
    let (place, space) = (Place::new(), Space::default());
    let store = place.open();
    let keys = keys(40);
    store.write(&space, &same(&keys, "small")).await.unwrap();
    // Each lies between two of them, on pages of its own.
    let large = "y".repeat(3 * PAGE);
    let beside: Vec<_> = keys.iter().map(|key| format!("{key}-large").parse().unwrap()).collect();
    store.write(&space, &same(&beside, &large)).await.unwrap();
    store.close().await.unwrap();
    let mut bytes = fs::read(place.path("app.db")).unwrap();
    for page in bytes.chunks_mut(PAGE) {
        if page[4..].iter().all(|&b| b == b'y') {
            page.fill(0xff);
        }
    }
    fs::write(place.path("app.db"), bytes).unwrap();
    let store = place.open();
    let records = store.multi_get(&space, &keys).await.unwrap();
    assert!(records.iter().all(|record| &*record.as_ref().unwrap().bytes == b"small"));
    let error = store.multi_get(&space, &[&keys[..8], &beside[..1]].concat()).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Corrupt, Some(&beside[0])));
}
