//! Rows that another program has put into the table.

use pstate_core::{Adapter, ErrorKind, Space};
use pstate_sqlite::SqliteConfig;

use crate::fixture::{Place, get, page, put, scan_all};

#[tokio::test]
async fn numbers_are_read_as_their_text() {
    let place = Place::new();
    // A column without a type keeps numbers as they are.
    place
        .raw()
        .execute_batch(
            "CREATE TABLE pstate (space TEXT, key TEXT, value, UNIQUE (space, key));
             INSERT INTO pstate VALUES
                ('default', 'card:1', 42), ('default', 'card:2', 1.5), ('default', 'card:3', NULL)",
        )
        .unwrap();
    let store = place.open_with(SqliteConfig::default().shared_database(true));
    assert_eq!(get(&store, "card:1").await.unwrap(), b"42");
    assert_eq!(get(&store, "card:2").await.unwrap(), b"1.5");
    assert_eq!(get(&store, "card:3").await.unwrap(), b"");
}

#[tokio::test]
async fn malformed_keys_are_each_reported_once_and_passed_over() {
    let place = Place::new();
    let store = place.open();
    for text in ["a:1", "card:1", "card:2", "card:3"] {
        put(&store, text, "{}").await;
    }
    place
        .raw()
        .execute_batch(
            "INSERT INTO pstate VALUES
                ('default', 'Card:1', '{}'), ('default', 'a', '{}'), ('default', 'card', '{}'),
                ('default', 'card:1' || char(10), '{}'), ('default', '', '{}'),
                ('default', CAST(x'7aff' AS TEXT), '{}'), ('default', x'636172643a39', '{}'),
                ('default', 'zz:', '{}')",
        )
        .unwrap();
    for limit in [1, 2, 3, 100] {
        let (found, unreadable) = scan_all(&store, "", limit).await;
        assert_eq!(found, ["a:1", "card:1", "card:2", "card:3"]);
        assert_eq!(unreadable.len(), 8, "{unreadable:#?}");
    }
    let (_, unreadable) = scan_all(&store, "card:1", 10).await;
    assert_eq!(
        unreadable,
        ["scan: a row that is no record: key \"card:1\\n\": control character '\\n' at byte 6"]
    );
}

#[tokio::test]
async fn unreadable_rows_are_corrupt() {
    let place = Place::new();
    let store = place.open();
    place.raw().execute("INSERT INTO pstate VALUES ('default', 'x', '{}')", []).unwrap();
    let page = page(&store, "", None, 10).await;
    assert_eq!(page.unreadable[0].kind(), ErrorKind::Corrupt);
    assert_eq!(page.unreadable[0].space(), Some(&Space::default()));
}

#[tokio::test]
async fn very_many_unreadable_rows_are_counted() {
    let place = Place::new();
    let store = place.open();
    place
        .raw()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO pstate SELECT 'default', 'Card:' || i, '{}' FROM n",
        )
        .unwrap();
    let (_, unreadable) = scan_all(&store, "", 10).await;
    assert_eq!(unreadable.len(), 101);
    assert_eq!(unreadable[100], "scan: 900 more rows that are no records");
}

#[tokio::test]
async fn malformed_spaces_are_passed_over() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", "{}").await;
    place
        .raw()
        .execute_batch(
            "INSERT INTO pstate VALUES
                ('', 'a:1', '{}'), ('Acme', 'a:1', '{}'), (x'61', 'a:1', '{}'),
                (CAST(x'65ff' AS TEXT), 'a:1', '{}'), ('zoo', 'a:1', '{}')",
        )
        .unwrap();
    let spaces = store.spaces().await.unwrap();
    assert_eq!(spaces.iter().map(Space::as_str).collect::<Vec<_>>(), ["default", "zoo"]);
}

#[tokio::test]
async fn further_columns_of_others_are_left_alone() {
    let place = Place::new();
    let store = place.open();
    place
        .raw()
        .execute_batch(
            "ALTER TABLE pstate ADD COLUMN front TEXT AS (value->>'front');
             CREATE INDEX fronts ON pstate (front)",
        )
        .unwrap();
    put(&store, "card:1", r#"{"front":"hola"}"#).await;
    assert_eq!(get(&store, "card:1").await.unwrap(), br#"{"front":"hola"}"#);
    drop(store);
    assert!(get(&place.open(), "card:1").await.is_some());
}
