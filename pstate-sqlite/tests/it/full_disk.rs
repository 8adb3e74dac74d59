//! A file system without room, and one that cannot be written.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use pstate_core::{Adapter, Batch, ErrorKind, Space};
use pstate_sqlite::{SqliteAdapter, SqliteConfig};

use crate::fixture::{Place, get, put, put_write};

/// A file system in memory, unmounted at the end of the test.
struct Mount {
    place: Place,
}

impl Mount {
    /// `None`, with a message, if this process may not mount.
    fn new(options: &str) -> Option<Self> {
        let place = Place::new();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(place.path(""))
            .output();
        match done {
            Ok(done) if done.status.success() => return Some(Self { place }),
            Ok(done) => {
                let reason = String::from_utf8_lossy(&done.stderr).into_owned();
                eprintln!("skipped: mounting a tmpfs is not permitted here: {reason}");
            }
            Err(error) => eprintln!("skipped: mount cannot be run: {error}"),
        }
        None
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    fn remount(&self, options: &str) {
        let remount = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &remount]).arg(self.path("")).status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, because a store may be open in it when a test fails.
        let _ = Command::new("umount").arg("-l").arg(self.path("")).status();
    }
}

#[tokio::test]
async fn a_write_that_finds_no_room_when_it_commits_is_retryable_and_succeeds_when_there_is_room() {
    let Some(disk) = Mount::new("size=1m") else { return };
    let store = SqliteAdapter::open_with(
        disk.path("app.db"),
        // The log grows until nothing more fits.
        SqliteConfig::default().pragma("wal_autocheckpoint", "0"),
    )
    .unwrap();
    put(&store, "card:before", "{}").await;
    fs::write(disk.path("filler"), vec![0; 600 << 10]).unwrap();

    let write = |n: usize| Batch::each(vec![put_write(&format!("card:{n}"), "x".repeat(4000))]);
    let mut stored = 0;
    let error = loop {
        match store.write(&Space::default(), &write(stored)).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 500, "the disk is never full");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().ends_with("app.db: the disk is full"), "{error}");
    assert!(error.is_retryable(), "{error}");
    assert_eq!(get(&store, &format!("card:{stored}")).await, None);

    fs::remove_file(disk.path("filler")).unwrap();
    store.write(&Space::default(), &write(stored)).await.unwrap();
    store.close().await.unwrap();
    let again = SqliteAdapter::open(disk.path("app.db")).unwrap();
    for n in 0..=stored {
        assert_eq!(get(&again, &format!("card:{n}")).await.unwrap().len(), 4000);
    }
    again.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_on_a_read_only_medium_is_restored() {
    let Some(medium) = Mount::new("size=4m") else { return };
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    store.backup(medium.path("50% #1?.db")).await.unwrap();
    medium.remount("ro");
    SqliteAdapter::restore(medium.path("50% #1?.db"), place.path("new.db")).await.unwrap();
    let restored = SqliteAdapter::open(place.path("new.db")).unwrap();
    assert_eq!(get(&restored, "card:1").await.unwrap(), b"{}");
}

/// SQLite cannot read the log there, and the backup without it lacks what was acknowledged.
#[tokio::test]
async fn a_backup_that_was_not_closed_is_refused_on_a_read_only_medium() {
    let Some(medium) = Mount::new("size=4m") else { return };
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    for name in ["app.db", "app.db-wal"] {
        // Not copied by this process, for the sake of its locks.
        let copied = Command::new("cp").arg(place.path(name)).arg(medium.path(name)).status();
        assert!(copied.unwrap().success());
    }
    medium.remount("ro");
    let restored = SqliteAdapter::restore(medium.path("app.db"), place.path("new.db")).await;
    let error = restored.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains("app.db was not closed"), "{error}");
}
