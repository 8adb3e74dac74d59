//! The path of an open store comes to lead elsewhere.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;

use pstate_core::{Adapter, Batch, ChangeFeed, ErrorKind, Result, Space};
use pstate_sqlite::{SqliteAdapter, SqliteConfig};

use crate::fixture::{Place, get, key, put, put_write};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.is_retryable());
    let message = error.message();
    assert!(message.contains("db or its log was moved, deleted or replaced while"), "{message}");
}

async fn try_put(store: &SqliteAdapter) -> Result<()> {
    let batch = Batch::atomic(vec![put_write("card:late", "{}")]);
    store.write(&Space::default(), &batch).await.map(drop)
}

type Change = fn(&Place);

/// Ways to make the path lead elsewhere; each leaves another database in its place, or nothing.
const CHANGES: [(&str, Change); 6] = [
    ("moved", |place| fs::rename(place.path("app.db"), place.path("moved.db")).unwrap()),
    ("replaced", |place| fs::rename(place.path("other.db"), place.path("app.db")).unwrap()),
    ("deleted with its log", |place| {
        for name in ["app.db", "app.db-wal", "app.db-shm"] {
            fs::remove_file(place.path(name)).unwrap();
        }
    }),
    ("deleted and created", |place| {
        for name in ["app.db", "app.db-wal", "app.db-shm"] {
            fs::remove_file(place.path(name)).unwrap();
        }
        drop(place.open());
    }),
    ("without its log", |place| fs::remove_file(place.path("app.db-wal")).unwrap()),
    ("without its index", |place| fs::remove_file(place.path("app.db-shm")).unwrap()),
];

/// A store with one record, and another database beside it.
async fn open(place: &Place) -> SqliteAdapter {
    let other = SqliteAdapter::open(place.path("other.db")).unwrap();
    put(&other, "card:other", "{}").await;
    other.close().await.unwrap();
    let store = place.open_with(SqliteConfig::default().checkpoint_interval(None));
    put(&store, "card:1", "{}").await;
    store
}

#[tokio::test]
async fn a_write_is_not_acknowledged_and_then_everything_fails() {
    for (_, change) in CHANGES {
        let place = Place::new();
        let store = open(&place).await;
        change(&place);
        refused(try_put(&store).await);
        refused(try_put(&store).await);
        refused(store.multi_get(&Space::default(), &[key("card:1")]).await);
        refused(store.spaces().await);
        refused(store.flush().await);
        refused(store.backup(place.path("copy.db")).await);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_read_from_another_file() {
    for (what, change) in CHANGES {
        for call in ["backup", "integrity_check", "checkpoint", "optimize", "subscribe"] {
            let place = Place::new();
            let store = open(&place).await;
            change(&place);
            refused(match call {
                "backup" => store.backup(place.path("copy.db")).await,
                "integrity_check" => store.integrity_check().await.map(drop),
                "checkpoint" => store.checkpoint().await,
                "optimize" => store.optimize().await,
                _ => store.subscribe().await.map(drop),
            });
            assert!(!place.path("copy.db").exists(), "{what}");
        }
    }
}

#[tokio::test]
async fn a_symbolic_link_that_is_changed_is_noticed() {
    let place = Place::new();
    drop(open(&place).await);
    symlink(place.path("app.db"), place.path("link.db")).unwrap();
    let store = SqliteAdapter::open(place.path("link.db")).unwrap();
    put(&store, "card:2", "{}").await;
    fs::remove_file(place.path("link.db")).unwrap();
    symlink(place.path("other.db"), place.path("link.db")).unwrap();
    refused(store.backup(place.path("copy.db")).await);
    refused(try_put(&store).await);
    store.close().await.unwrap();

    let other = SqliteAdapter::open(place.path("link.db")).unwrap();
    assert_eq!(get(&other, "card:late").await, None);
    assert!(get(&other, "card:other").await.is_some());
    let first = place.open();
    assert!(get(&first, "card:2").await.is_some());
}

#[tokio::test]
async fn a_symbolic_link_names_the_store_in_errors_and_is_kept() {
    let place = Place::new();
    symlink(place.path("app.db"), place.path("link.db")).unwrap();
    let store = SqliteAdapter::open(place.path("link.db")).unwrap();
    put(&store, "card:1", "{}").await;
    assert_eq!(store.path(), place.path("link.db"));
    store.close().await.unwrap();
    assert_eq!(place.files(), ["app.db", "link.db"]);
}

#[tokio::test]
async fn another_file_gets_nothing_of_what_is_closed_later() {
    let place = Place::new();
    let store = open(&place).await;
    put(&store, "card:2", "{}").await;
    fs::rename(place.path("app.db"), place.path("moved.db")).unwrap();
    store.close().await.unwrap();
    assert!(!place.path("app.db").exists());
}
