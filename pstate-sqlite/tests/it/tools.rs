//! Files that SQLite's own tools make of ours.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pstate_core::{Adapter, ErrorKind};
use pstate_sqlite::SqliteAdapter;

use crate::fixture::{Place, get, put};

/// What the error of a file without our mark recommends.
const MARK: &str = "PRAGMA application_id = 0x50537461; PRAGMA user_version = 1";

/// Runs the shell `sqlite3` on a file, with `input`. `None` if it is not installed or cannot do it.
fn shell(file: &Path, command: &str, input: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new("sqlite3")
        .arg(file)
        .args((!command.is_empty()).then_some(command))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("not tested: {command}, because sqlite3 is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || errors.contains("rror") {
        println!("not tested: {command}, because of: {errors}");
        return None;
    }
    Some(output.stdout)
}

/// A closed store with one record.
async fn closed() -> Place {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", r#"{"front":"hola"}"#).await;
    store.close().await.unwrap();
    place
}

async fn assert_usable(path: &Path) {
    let store = SqliteAdapter::open(path).unwrap();
    assert_eq!(get(&store, "card:1").await.unwrap(), br#"{"front":"hola"}"#);
    put(&store, "card:2", "{}").await;
    assert_eq!(store.integrity_check().await.unwrap(), Vec::<String>::new());
    store.close().await.unwrap();
}

/// A copy without our mark is refused, by an error whose statements make it usable.
async fn assert_markable(path: &Path) {
    let error = SqliteAdapter::open(path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().ends_with(&format!("mark it by: {MARK}")), "{error}");
    rusqlite::Connection::open(path).unwrap().execute_batch(MARK).unwrap();
    assert_usable(path).await;
}

#[tokio::test]
async fn what_vacuum_into_and_backup_make_opens() {
    let place = closed().await;
    let [vacuumed, backed_up] = ["vacuumed.db", "backup.db"].map(|name| place.path(name));
    place.raw().execute("VACUUM INTO ?1", [vacuumed.to_str().unwrap()]).unwrap();
    assert_usable(&vacuumed).await;
    let progress = None::<fn(rusqlite::backup::Progress)>;
    place.raw().backup(rusqlite::MAIN_DB, &backed_up, progress).unwrap();
    assert_usable(&backed_up).await;
    let shell_backup = place.path("shell.db");
    if shell(&place.path("app.db"), &format!(".backup '{}'", shell_backup.display()), b"").is_some()
    {
        assert_usable(&shell_backup).await;
    }
}

#[tokio::test]
async fn what_dump_makes_opens_once_it_is_marked() {
    let place = closed().await;
    let Some(sql) = shell(&place.path("app.db"), ".dump", b"") else { return };
    shell(&place.path("dumped.db"), "", &sql).unwrap();
    assert_markable(&place.path("dumped.db")).await;
}

#[tokio::test]
async fn what_clone_makes_opens_once_it_is_marked() {
    let place = closed().await;
    let clone = place.path("clone.db");
    if shell(&place.path("app.db"), &format!(".clone '{}'", clone.display()), b"").is_some() {
        assert_markable(&clone).await;
    }
}

/// Some shells are built without what it needs.
#[tokio::test]
async fn what_recover_makes_opens() {
    let place = closed().await;
    let Some(sql) = shell(&place.path("app.db"), ".recover", b"") else { return };
    shell(&place.path("recovered.db"), "", &sql).unwrap();
    assert_usable(&place.path("recovered.db")).await;
}

/// What `.dump`, `.clone` and a copy of the tables by hand make of it, without the shell.
#[tokio::test]
async fn a_copy_of_the_table_alone_opens_once_it_is_marked() {
    for marks in ["", "PRAGMA user_version = 1", "PRAGMA application_id = 0x50537461"] {
        let place = closed().await;
        let copy = place.path("copy.db");
        let connection = rusqlite::Connection::open(&copy).unwrap();
        let schema: String = place
            .raw()
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 'pstate'", [], |row| row.get(0))
            .unwrap();
        connection.execute_batch(&schema).unwrap();
        connection
            .execute("ATTACH ?1 AS source", [place.path("app.db").to_str().unwrap()])
            .unwrap();
        connection
            .execute_batch(&format!("INSERT INTO pstate SELECT * FROM source.pstate; {marks}"))
            .unwrap();
        drop(connection);
        assert_markable(&copy).await;
    }
}

/// The backup of a file without our mark is refused in the same words.
#[tokio::test]
async fn restoring_a_copy_without_our_mark_says_how_to_mark_it() {
    let place = closed().await;
    place.raw().execute_batch("PRAGMA application_id = 0; PRAGMA user_version = 0").unwrap();
    let restored = SqliteAdapter::restore(place.path("app.db"), place.path("new.db")).await;
    let error = restored.unwrap_err();
    assert!(error.message().ends_with(&format!("mark it by: {MARK}")), "{error}");
}

/// What the error of a damaged file recommends.
#[tokio::test]
async fn a_damaged_file_is_replaced_by_its_backup() {
    let place = closed().await;
    let store = place.open();
    store.backup(place.path("backup.db")).await.unwrap();
    store.close().await.unwrap();
    let mut bytes = std::fs::read(place.path("app.db")).unwrap();
    bytes[100..4096].fill(0xff);
    std::fs::write(place.path("app.db"), bytes).unwrap();
    let error = SqliteAdapter::open(place.path("app.db")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().ends_with("make a new file of a backup: SqliteAdapter::restore"));
    SqliteAdapter::restore(place.path("backup.db"), place.path("new.db")).await.unwrap();
    assert_usable(&place.path("new.db")).await;
}
