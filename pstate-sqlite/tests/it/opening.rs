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
    assert!(message.contains("app.db is a directory; name a file in it, as in /"), "{message}");
}

#[test]
fn a_missing_directory_is_named() {
    let place = Place::new();
    let message = refusal(place.path("missing").join("app.db"), SqliteConfig::default());
    assert!(message.ends_with("missing does not exist; create it first"), "{message}");
}

#[test]
fn a_file_in_the_place_of_the_directory_is_named() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    let message = refusal(place.path("file").join("app.db"), SqliteConfig::default());
    assert!(
        message.ends_with("file is not a directory; choose a path in a directory"),
        "{message}"
    );
}

/// A directory in its place keeps SQLite from creating a file beside the database, for any user.
#[test]
fn a_place_where_no_file_can_be_created_is_explained() {
    let place = Place::new();
    fs::create_dir(place.path("app.db-shm")).unwrap();
    let message = refusal(place.path("app.db"), SqliteConfig::default());
    assert!(message.ends_with("app.db-shm is a directory, where SQLite keeps a file; remove it"));
}

#[test]
fn a_path_that_is_too_long_says_what_is() {
    let place = Place::new();
    let open = |name: &str| SqliteAdapter::open(place.path(name));
    let name = "n".repeat(300);
    let message = refusal(place.path(&name), SqliteConfig::default());
    assert!(message.contains("of which the last name has 300"), "{message}");
    // With the name of the journal, it is longer than 255.
    let message = refusal(place.path(&name[..250]), SqliteConfig::default());
    assert!(message.contains("and 8 more are needed; shorten it"), "{message}");
    open(&name[..247]).unwrap();
    // Longer than the system allows as a whole.
    let message = refusal(place.path(&format!("{name}/").repeat(20)), SqliteConfig::default());
    assert!(message.contains("is longer than the system allows"), "{message}");
    // Longer than SQLite allows.
    let deep = place.path(&format!("{0}/{0}/{0}", &name[..200]));
    fs::create_dir_all(&deep).unwrap();
    let message = refusal(deep.join("app.db"), SqliteConfig::default());
    assert!(message.ends_with("SQLite takes at most 504; shorten it"), "{message}");
}

#[test]
fn the_longest_path_of_sqlite_is_the_one_that_is_stated() {
    let place = Place::new();
    let deep = place.path(&"d".repeat(200)).join("d".repeat(100));
    fs::create_dir_all(&deep).unwrap();
    let of_length = |len: usize| deep.join("f".repeat(len - deep.as_os_str().len() - 1));
    SqliteAdapter::open(of_length(504)).unwrap();
    let message = refusal(of_length(505), SqliteConfig::default());
    assert!(message.contains("has 505 bytes, and SQLite takes at most 504"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_dangling_link_is_named_with_its_target() {
    let place = Place::new();
    std::os::unix::fs::symlink("/missing/target.db", place.path("app.db")).unwrap();
    let message = refusal(place.path("app.db"), SqliteConfig::default());
    assert!(
        message.ends_with(
            "app.db is a link to /missing/target.db, which does not exist; create that, or remove \
             the link"
        ),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_itself_is_named() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.path("app.db"), place.path("app.db")).unwrap();
    let message = refusal(place.path("app.db"), SqliteConfig::default());
    assert!(message.contains("which cannot be followed"), "{message}");
}

/// No user can create a file in this directory, not even root.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_to_is_named() {
    let message = refusal("/sys/app.db", SqliteConfig::default());
    assert!(message.starts_with("the directory /sys is "), "{message}");
    assert!(message.ends_with("choose another path"), "{message}");
}

#[test]
fn a_file_that_may_not_be_created_is_named() {
    let place = Place::new();
    let message = refusal(place.path("app.db"), SqliteConfig::default().create(false));
    assert!(
        message.ends_with("app.db does not exist; create it, or correct the path"),
        "{message}"
    );
    assert!(place.files().is_empty());
    drop(place.open());
    drop(place.open_with(SqliteConfig::default().create(false)));
}

/// Runs the test of that name again, in a process that may have 64 files open.
#[cfg(target_os = "linux")]
fn with_few_files(test: &str) {
    let program = std::env::current_exe().unwrap();
    let status = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"])
        .arg(program)
        .args([test, "--exact", "--quiet", "--test-threads=1"])
        .env("FEW_FILES", "1")
        .status()
        .unwrap();
    assert!(status.success());
}

#[cfg(target_os = "linux")]
#[test]
fn too_many_open_files_are_called_that() {
    if std::env::var_os("FEW_FILES").is_none() {
        return with_few_files("opening::too_many_open_files_are_called_that");
    }
    let place = Place::new();
    let files: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
    let error = SqliteAdapter::open(place.path("app.db")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(error.message().starts_with("too many open files: raise the limit"), "{error}");
    drop(files);
    drop(place.open());
}

#[test]
fn a_database_in_memory_is_refused() {
    let message = refusal(":memory:", SqliteConfig::default());
    assert_eq!(
        message,
        ":memory: names no file; write `memory:` as the whole URL for a store in memory"
    );
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

/// SQLite takes each of these for another value, without an error.
#[test]
fn a_pragma_whose_value_sqlite_ignores_is_refused() {
    for (name, value, present) in [
        ("page_size", "1000", "4096"),
        ("temp_store", "disk", "0"),
        ("foreign_keys", "ture", "0"),
        ("secure_delete", "2x", "1"),
        ("journal_size_limit", "64MiB", "64"),
        ("freelist_count", "5", "0"),
    ] {
        let place = Place::new();
        let config = SqliteConfig::default().pragma(name, value);
        assert_eq!(
            refusal(place.path("app.db"), config),
            format!("PRAGMA {name} = {value}: SQLite ignores it, and has {present}")
        );
    }
}

#[test]
fn the_page_size_of_a_file_stays() {
    let place = Place::new();
    drop(place.open());
    let config = SqliteConfig::default().pragma("page_size", "8192");
    assert_eq!(
        refusal(place.path("app.db"), config),
        "PRAGMA page_size = 8192: SQLite ignores it, and has 4096"
    );
}

#[test]
fn pragmas_may_be_set_by_words_and_numbers() {
    for (name, value) in [
        ("auto_vacuum", "Incremental"),
        ("auto_vacuum", "2"),
        ("temp_store", "MEMORY"),
        ("temp_store", "file"),
        ("temp_store", "Default"),
        ("secure_delete", "fast"),
        ("secure_delete", "on"),
        ("foreign_keys", "YES"),
        ("trusted_schema", "false"),
        ("cache_spill", "off"),
        ("cache_spill", "1000"),
        ("journal_size_limit", "67108864"),
        ("wal_autocheckpoint", "500"),
        ("analysis_limit", "400"),
        ("analysis_limit", "0x190"),
        ("threads", "2"),
        ("optimize", "0x10002"),
        ("incremental_vacuum", "10"),
        ("page_size", "4096"),
    ] {
        let place = Place::new();
        drop(place.open_with(SqliteConfig::default().pragma(name, value)));
    }
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

#[tokio::test]
async fn a_table_that_would_alter_keys_or_values_is_refused_and_left_alone() {
    for column in ["value NUMERIC", "key TEXT COLLATE NOCASE"] {
        let place = Place::new();
        let name = column.split(' ').next().unwrap();
        let columns = ["space TEXT", "key TEXT", "value TEXT"];
        let columns =
            columns.map(|other| if other.starts_with(name) { column } else { other }).join(", ");
        place
            .raw()
            .execute_batch(&format!(
                "CREATE TABLE pstate ({columns});
                 CREATE UNIQUE INDEX i ON pstate (space, key COLLATE BINARY)"
            ))
            .unwrap();
        let shared = SqliteConfig::default().shared_database(true);
        let message = refusal(place.path("app.db"), shared.clone());
        assert!(message.starts_with(&format!("table pstate: column {name} ")), "{message}");
        let (_, ddl) = message.split_once("create the table by: ").unwrap();
        place.raw().execute_batch(&format!("DROP TABLE pstate; {ddl}")).unwrap();
        let store = place.open_with(shared);
        for (id, text) in [("card:a", "1.0"), ("card:A", "1")] {
            put(&store, id, text).await;
        }
        assert_eq!(get(&store, "card:a").await.unwrap(), b"1.0");
        assert_eq!(get(&store, "card:A").await.unwrap(), b"1");
    }
}
