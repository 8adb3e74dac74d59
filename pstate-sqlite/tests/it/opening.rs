//! Opening what can be opened, and refusing the rest in words that help.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pstate_core::ErrorKind;
use pstate_sqlite::{SqliteAdapter, SqliteConfig, TableLayout};
use rusqlite::Connection;

use crate::fixture::{Place, get, put};

#[track_caller]
fn refusal(path: impl AsRef<Path>, config: SqliteConfig) -> String {
    let error = SqliteAdapter::open_with(path, config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.is_retryable());
    assert_eq!(error.operation(), Some("open"));
    error.message().to_owned()
}

#[track_caller]
fn refusal_after(sql: &str) -> String {
    let place = Place::new();
    place.raw().execute_batch(sql).unwrap();
    let before = fs::read(place.path("app.db")).unwrap();
    let refusal = refusal(place.path("app.db"), SqliteConfig::default());
    assert_eq!(fs::read(place.path("app.db")).unwrap(), before, "the file was changed");
    refusal.replace(&*place.path("app.db").to_string_lossy(), "app.db")
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let message = refusal_after("CREATE TABLE users (id); CREATE TABLE posts (id)");
    assert!(
        message.starts_with(
            "app.db belongs to another program (application_id 0x0, tables users, posts); choose"
        ),
        "{message}"
    );
}

#[test]
fn a_file_with_another_application_id_is_refused() {
    let message = refusal_after("PRAGMA application_id = 0x1234; CREATE TABLE t (id)");
    assert!(message.contains("(application_id 0x1234, table t)"), "{message}");
}

#[test]
fn a_newer_format_is_refused() {
    let message = refusal_after("PRAGMA application_id = 0x50537461; PRAGMA user_version = 2");
    assert_eq!(
        message,
        "app.db was written by a newer version (format 2, this program knows 1); update the program"
    );
}

#[test]
fn a_database_in_utf_16_is_refused() {
    let message = refusal_after("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id)");
    assert!(message.starts_with("app.db stores text as UTF-16le"), "{message}");
}

#[test]
fn a_text_file_is_no_database() {
    let place = Place::new();
    fs::write(place.path("notes.txt"), "not a database, ".repeat(100)).unwrap();
    let message = refusal(place.path("notes.txt"), SqliteConfig::default());
    assert!(message.ends_with("notes.txt is not an SQLite database"), "{message}");
}

#[test]
fn a_directory_is_no_database() {
    let place = Place::new();
    fs::create_dir(place.path("app.db")).unwrap();
    let message = refusal(place.path("app.db"), SqliteConfig::default());
    assert!(message.ends_with("app.db is a directory"), "{message}");
}

#[test]
fn a_missing_directory_is_named() {
    let place = Place::new();
    let message = refusal(place.path("missing").join("app.db"), SqliteConfig::default());
    assert!(message.ends_with("missing does not exist"), "{message}");
}

#[test]
fn a_file_in_the_place_of_the_directory_is_named() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    let message = refusal(place.path("file").join("app.db"), SqliteConfig::default());
    assert!(message.ends_with("file is not a directory"), "{message}");
}

/// A directory in its place keeps SQLite from creating a file beside the database, for any user.
#[test]
fn a_place_where_no_file_can_be_created_is_explained() {
    let place = Place::new();
    fs::create_dir(place.path("app.db-shm")).unwrap();
    let message = refusal(place.path("app.db"), SqliteConfig::default());
    assert!(message.contains("the file and its directory have to be writable"), "{message}");
}

#[test]
fn a_database_in_memory_is_refused() {
    let message = refusal(":memory:", SqliteConfig::default());
    assert!(message.contains("use the memory adapter"), "{message}");
}

#[test]
fn an_empty_path_is_refused() {
    let message = refusal("", SqliteConfig::default());
    assert_eq!(message, "no path: name a file, as in `sqlite:app.db`");
}

#[test]
fn a_uri_is_refused() {
    let message = refusal("file:app.db?mode=ro", SqliteConfig::default());
    assert!(message.contains("is a URI"), "{message}");
}

#[test]
fn a_pragma_that_sqlite_does_not_know_is_named() {
    let place = Place::new();
    let config = SqliteConfig::default().pragma("cash_size", "1");
    assert_eq!(refusal(place.path("app.db"), config), "PRAGMA cash_size: SQLite does not know it");
}

#[test]
fn a_pragma_that_fails_is_named() {
    let place = Place::new();
    let config = SqliteConfig::default().pragma("temp_store_directory", "/does/not/exist");
    assert_eq!(refusal(place.path("app.db"), config), "PRAGMA temp_store_directory");
}

#[test]
fn a_locked_file_is_worth_a_retry() {
    let place = Place::new();
    let other = place.raw();
    other
        .execute_batch("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE; CREATE TABLE t (id)")
        .unwrap();
    let config = SqliteConfig::default().busy_timeout(Duration::from_millis(10));
    let error = SqliteAdapter::open_with(place.path("app.db"), config.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable());
    assert!(error.message().ends_with("is locked by another process (waited 10ms)"), "{error}");
    drop(other);
    SqliteAdapter::open_with(place.path("app.db"), config).unwrap();
}

#[tokio::test]
async fn a_shared_database_is_used_beside_its_owner() {
    let place = Place::new();
    let header = |connection: &Connection| -> (i64, i64) {
        let read = |sql| connection.query_row(sql, [], |row| row.get(0)).unwrap();
        (read("PRAGMA application_id"), read("PRAGMA user_version"))
    };
    place
        .raw()
        .execute_batch(
            "CREATE TABLE users (id); PRAGMA application_id = 77; PRAGMA user_version = 5",
        )
        .unwrap();
    for round in ["first", "second"] {
        let store = place.open_with(SqliteConfig::default().shared_database(true));
        put(&store, "card:1", round).await;
        assert_eq!(get(&store, "card:1").await.unwrap(), round.as_bytes());
    }
    assert_eq!(header(&place.raw()), (77, 5));
}

#[test]
fn a_table_of_that_name_that_is_not_ours_is_refused() {
    let place = Place::new();
    place.raw().execute_batch("CREATE TABLE pstate (id INTEGER PRIMARY KEY)").unwrap();
    let message = refusal(place.path("app.db"), SqliteConfig::default().shared_database(true));
    assert!(message.starts_with("table pstate belongs to another program"), "{message}");
}

#[test]
fn the_layout_is_that_of_the_existing_table() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().layout(TableLayout::WithoutRowid));
    assert_eq!(store.layout(), TableLayout::WithoutRowid);
    drop(store);
    assert_eq!(place.open().layout(), TableLayout::WithoutRowid);
}

#[tokio::test]
async fn two_tables_are_two_stores() {
    let place = Place::new();
    let one = place.open();
    let other = place.open_with(SqliteConfig::default().table("order"));
    put(&one, "card:1", "1").await;
    assert_eq!(get(&other, "card:1").await, None);
}

#[test]
fn a_file_is_marked_as_ours() {
    let place = Place::new();
    let store = place.open();
    let read = |sql| -> i64 { place.raw().query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(read("PRAGMA application_id"), 0x5053_7461);
    assert_eq!(read("PRAGMA user_version"), 1);
    drop(store);
}

#[test]
fn a_further_pragma_takes_effect_before_the_file_is_made() {
    let place = Place::new();
    let store = place.open_with(SqliteConfig::default().pragma("page_size", "8192"));
    let size: i64 = place.raw().query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    assert_eq!(size, 8192);
    drop(store);
}
