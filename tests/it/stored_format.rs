//! The stored bytes are plain JSON, and stay what they are: golden files pin them.
//!
//! A change that makes one of these tests fail is a change of the format. It needs a new format
//! version, and a test that reads what the old one wrote.

use std::sync::Arc;

use pstate::sqlite::SqliteAdapter;
use pstate::{PState, Space};
use serde_json::json;

use crate::stores::{Store, deck_of, on_each_store};

/// What the documents of [`write_all`] are stored as, one a line: key, tab, bytes.
const DOCUMENTS: &str = include_str!("golden/documents.tsv");
/// The SQL that made an SQLite file of the first format, with those documents in it.
const SQLITE_1: &str = include_str!("golden/sqlite-1.sql");

async fn write_all(pstate: &PState) {
    let deck = deck_of(2);
    deck.store(pstate).await.unwrap();
    pstate.put_at(1, "base_deck:old", &deck.old_deck()).await.unwrap();
    let free = json!({
        "accents": "l'été à la plage", "japanese": "単語カード", "emoji": "🍕",
        "quote\"d": "back\\slash", "control": "tab\tnewline\n", "empty": {},
        "numbers": [0, -1, 18_446_744_073_709_551_615_u64, 0.1, 1e300, -0.0], "null": null,
    });
    pstate.put("note:free form / 100%", &free).await.unwrap();
}

async fn dump(store: &Store) -> String {
    let scan = pstate::Scan {
        prefix: String::new(),
        after: None,
        limit: std::num::NonZeroUsize::new(100).unwrap(),
    };
    let page = store.adapter().scan(&Space::default(), &scan).await.unwrap();
    let lines = page
        .records
        .iter()
        .map(|(key, record)| format!("{key}\t{}\n", std::str::from_utf8(&record.bytes).unwrap()));
    lines.collect()
}

on_each_store! {
    async fn documents_are_stored_as_the_golden_file_says(store: Store) {
        write_all(&store.with_schema()).await;
        assert_eq!(dump(&store).await, DOCUMENTS);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_first_format_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(SQLITE_1).unwrap();
    let adapter = SqliteAdapter::open(&path).unwrap();
    let pstate = PState::builder(Arc::new(adapter)).build().unwrap();
    for line in DOCUMENTS.lines() {
        let (key, text) = line.split_once('\t').unwrap();
        assert_eq!(pstate.get(key).await.unwrap().unwrap().as_str(), text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_has_the_tables_and_the_marks_of_the_first_format() {
    let store = Store::sqlite();
    let file = rusqlite::Connection::open(store.path().unwrap()).unwrap();
    let ddl: String = file
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'pstate'", [], |row| row.get(0))
        .unwrap();
    let number =
        |pragma| file.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((number("application_id"), number("user_version")), (0x5053_7461, 1));
    let words: Vec<&str> = ddl.split_whitespace().collect();
    assert!(
        SQLITE_1.split_whitespace().collect::<Vec<_>>().join(" ").contains(&words.join(" ")),
        "{ddl}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_itself_can_query_the_documents() {
    let store = Store::sqlite();
    write_all(&store.with_schema()).await;
    let file = rusqlite::Connection::open(store.path().unwrap()).unwrap();
    let sum: i64 = file
        .query_row(
            "SELECT sum(value ->> 'rank') FROM pstate WHERE key LIKE 'base_card:%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let invalid: i64 = file
        .query_row("SELECT count(*) FROM pstate WHERE NOT json_valid(value)", [], |row| row.get(0))
        .unwrap();
    assert_eq!((sum, invalid), (1, 0));
}

/// Another program writes beside us; nothing that it does is lost or hidden.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_may_write_the_same_file() {
    let store = Store::sqlite();
    let pstate = store.plain();
    pstate.put("card:1", &json!({"n": 1})).await.unwrap();
    let file = rusqlite::Connection::open(store.path().unwrap()).unwrap();
    file.execute_batch(
        "INSERT INTO pstate (space, key, value) VALUES ('default', 'card:2', '{\"n\": 2}');
         UPDATE pstate SET value = '{\"n\": 10}' WHERE key = 'card:1'",
    )
    .unwrap();
    assert_eq!(pstate.get("card:2").await.unwrap().unwrap().as_str(), r#"{"n": 2}"#);
    let updated = pstate.update("card:1", |card| {
        card["n"] = json!(card["n"].as_i64().unwrap() + 1);
        Ok(())
    });
    assert_eq!(updated.await.unwrap().unwrap().as_str(), r#"{"n": 11}"#);
}
