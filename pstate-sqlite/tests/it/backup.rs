//! Copies of a database.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pstate_core::{Adapter, Batch, Error, ErrorKind, Space, Write};
use pstate_sqlite::{SqliteAdapter, SqliteConfig};

use crate::another_process;
use crate::fixture::{Place, get, keys, put, same};

#[track_caller]
fn refused(result: Result<(), Error>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains(words), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_while_writes_go_on_is_one_moment_and_can_be_restored() {
    let place = Place::new();
    let store = Arc::new(place.open());
    let keys = keys(300);
    store.write(&Space::default(), &same(&keys, &"0".repeat(1000))).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, keys, done) = (Arc::clone(&store), keys.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut generation = 0;
            while !done.load(Ordering::Acquire) || generation == 0 {
                generation += 1;
                let batch = same(&keys, &generation.to_string().repeat(1000));
                store.write(&Space::default(), &batch).await.unwrap();
            }
        })
    };
    store.backup(place.path("copy.db")).await.unwrap();
    done.store(true, Ordering::Release);
    writer.await.unwrap();

    SqliteAdapter::restore(place.path("copy.db"), place.path("restored.db")).await.unwrap();
    let restored = SqliteAdapter::open(place.path("restored.db")).unwrap();
    let records = restored.multi_get(&Space::default(), &keys).await.unwrap();
    let first = records[0].as_ref().unwrap();
    assert!(records.iter().all(|record| record.as_ref().unwrap().bytes == first.bytes));
}

#[tokio::test]
async fn a_backup_is_a_complete_database_in_one_file() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    store.backup(place.path("copy.db")).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(place.files(), ["app.db", "copy.db"]);
    let copy = SqliteAdapter::open(place.path("copy.db")).unwrap();
    assert_eq!(get(&copy, "card:1").await.unwrap(), b"{}");
}

#[tokio::test]
async fn a_backup_overwrites_nothing() {
    let place = Place::new();
    let store = place.open();
    fs::write(place.path("copy.db"), "precious").unwrap();
    refused(store.backup(place.path("copy.db")).await, "copy.db exists already");
    assert_eq!(fs::read(place.path("copy.db")).unwrap(), b"precious");
}

#[tokio::test]
async fn a_backup_into_a_missing_directory_is_refused() {
    let place = Place::new();
    let store = place.open();
    refused(store.backup(place.path("missing").join("copy.db")).await, "missing does not exist");
}

#[tokio::test]
async fn a_restore_overwrites_nothing() {
    let place = Place::new();
    let store = place.open();
    store.backup(place.path("copy.db")).await.unwrap();
    let restored = SqliteAdapter::restore(place.path("copy.db"), place.path("app.db")).await;
    refused(restored, "app.db exists already");
}

#[tokio::test]
async fn a_restore_beside_a_log_that_was_left_is_refused() {
    let place = Place::new();
    let store = place.open();
    store.backup(place.path("copy.db")).await.unwrap();
    fs::write(place.path("new.db-wal"), "").unwrap();
    let restored = SqliteAdapter::restore(place.path("copy.db"), place.path("new.db")).await;
    refused(restored, "new.db-wal exists already");
}

/// What is acknowledged is in the log, which SQLite keeps beside the file and not beside the link.
#[cfg(unix)]
#[tokio::test]
async fn a_database_in_use_is_restored_with_its_log_by_its_path_and_by_a_symbolic_link() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    std::os::unix::fs::symlink(place.path("app.db"), place.path("link.db")).unwrap();
    std::os::unix::fs::symlink(place.path(""), place.path("directory")).unwrap();
    for (n, backup) in ["app.db", "link.db", "directory/app.db"].into_iter().enumerate() {
        let target = place.path(&format!("new{n}.db"));
        SqliteAdapter::restore(place.path(backup), &target).await.unwrap();
        let restored = SqliteAdapter::open(&target).unwrap();
        assert_eq!(get(&restored, "card:1").await.unwrap(), b"{}", "{backup}");
    }
}

/// Opening and closing the file outside of SQLite would drop the locks of this process, and the
/// other connection could switch WAL off.
#[cfg(unix)]
#[tokio::test]
async fn a_restore_leaves_the_locks_of_an_open_store_alone() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    std::os::unix::fs::symlink(place.path("app.db"), place.path("link.db")).unwrap();
    for (n, backup) in ["app.db", "link.db"].into_iter().enumerate() {
        let target = place.path(&format!("new{n}.db"));
        SqliteAdapter::restore(place.path(backup), target).await.unwrap();
    }
    // In a process of its own: within one, SQLite knows what it has locked.
    let statements = "PRAGMA busy_timeout = 0; PRAGMA journal_mode = delete";
    let other = another_process::execute(&place.path("app.db"), statements);
    assert!(other.contains("database is locked"), "{other}");
    put(&store, "card:2", "{}").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_with_hard_links_is_neither_opened_nor_restored() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    fs::hard_link(place.path("app.db"), place.path("link.db")).unwrap();
    let restored = SqliteAdapter::restore(place.path("link.db"), place.path("new.db")).await;
    refused(restored, "link.db has 2 names (hard links)");
    refused(SqliteAdapter::open(place.path("link.db")).map(drop), "link.db has 2 names");
    assert!(!place.path("link.db-wal").exists());
    put(&store, "card:2", "{}").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_was_not_closed_is_restored_with_its_log() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    // As a killed process leaves them. Not copied by this process, for the sake of its locks.
    let killed = place.path("killed");
    fs::create_dir(&killed).unwrap();
    let files = ["app.db", "app.db-wal"].map(|name| place.path(name));
    assert!(Command::new("cp").args(&files).arg(&killed).status().unwrap().success());
    SqliteAdapter::restore(killed.join("app.db"), place.path("new.db")).await.unwrap();
    let restored = SqliteAdapter::open(place.path("new.db")).unwrap();
    assert_eq!(get(&restored, "card:1").await.unwrap(), b"{}");
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_no_backup() {
    let place = Place::new();
    let restore = || SqliteAdapter::restore(place.path("app.db"), place.path("new.db"));
    refused(restore().await, "app.db is not a file");
    fs::write(place.path("app.db"), "").unwrap();
    refused(restore().await, "app.db is an empty database");
    place.raw().execute_batch("CREATE TABLE t (id)").unwrap();
    refused(restore().await, "app.db belongs to another program");
    fs::write(place.path("app.db"), "no database ".repeat(100)).unwrap();
    refused(restore().await, "app.db is not an SQLite database");
    assert_eq!(place.files(), ["app.db"]);
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_leaves_nothing_behind() {
    let place = Place::new();
    let store = place.open();
    store.write(&Space::default(), &same(&keys(500), &"x".repeat(100))).await.unwrap();
    store.close().await.unwrap();
    let mut bytes = fs::read(place.path("app.db")).unwrap();
    bytes[3 * 4096..].fill(0xff);
    fs::write(place.path("app.db"), bytes).unwrap();
    let restored = SqliteAdapter::restore(place.path("app.db"), place.path("new.db")).await;
    assert_eq!(restored.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(place.files(), ["app.db"]);
}

#[tokio::test]
async fn compacting_returns_what_deleted_records_took() {
    let place = Place::new();
    let store = place.open();
    let keys = keys(300);
    store.write(&Space::default(), &same(&keys, &"x".repeat(5000))).await.unwrap();
    let deleted = keys[1..].iter().map(|key| Write::delete(key.clone())).collect();
    store.write(&Space::default(), &Batch::atomic(deleted)).await.unwrap();
    store.checkpoint().await.unwrap();
    let len = || fs::metadata(place.path("app.db")).unwrap().len();
    let before = len();
    store.compact().await.unwrap();
    assert!(len() < before / 10, "{} of {before} bytes are left", len());
    assert_eq!(get(&store, keys[0].as_str()).await.unwrap(), "x".repeat(5000).as_bytes());
    put(&store, "card:late", "{}").await;
    assert_eq!(get(&store, "card:late").await.unwrap(), b"{}");
}

/// VACUUM may number the rows of the other program's tables differently.
#[tokio::test]
async fn a_database_of_another_program_is_not_compacted() {
    let place = Place::new();
    place.raw().execute_batch("CREATE TABLE users (name); PRAGMA application_id = 77").unwrap();
    let store = place.open_with(SqliteConfig::default().shared_database(true));
    let error = store.compact().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("belongs to another program"), "{error}");
}
