//! What is read is what was written.

use pstate_core::{Adapter, Batch, Outcome, Revision, Space};
use pstate_sqlite::{SqliteConfig, TableLayout};

use crate::fixture::{Place, get, key, page, put, put_write};

fn odd_values() -> Vec<Vec<u8>> {
    vec![
        b"".to_vec(),
        br#"{"front":"hola"}"#.to_vec(),
        b" \r\n{ } ".to_vec(),
        b"with\0a NUL\0".to_vec(),
        b"\0".to_vec(),
        "ünï \u{10ffff} \u{feff}".as_bytes().to_vec(),
        b"\xff\xfe no UTF-8".to_vec(),
        b"\xed\xa0\x80 a surrogate".to_vec(),
        b"5".to_vec(),
        b"1.50".to_vec(),
        b"NULL".to_vec(),
        vec![b'x'; 1 << 20],
        (0..=255).collect(),
    ]
}

#[tokio::test]
async fn every_byte_is_read_as_it_was_written_in_both_layouts() {
    for layout in [TableLayout::Rowid, TableLayout::WithoutRowid] {
        let place = Place::new();
        let store = place.open_with(SqliteConfig::default().layout(layout));
        for value in odd_values() {
            put(&store, "card:1", &value).await;
            assert_eq!(get(&store, "card:1").await.unwrap(), value);
            let scanned = page(&store, "card:", None, 10).await;
            assert_eq!(&*scanned.records[0].1.bytes, &*value);
        }
    }
}

#[tokio::test]
async fn the_revision_of_a_write_is_the_one_that_is_read() {
    let place = Place::new();
    let store = place.open();
    for value in odd_values() {
        let batch = Batch::atomic(vec![put_write("card:1", &value)]);
        let outcomes = store.write(&Space::default(), &batch).await.unwrap();
        let Outcome::Stored(written) = outcomes[0] else { panic!("{outcomes:?}") };
        let records = store.multi_get(&Space::default(), &[key("card:1")]).await.unwrap();
        assert_eq!(records[0].as_ref().unwrap().revision, written);
        assert_eq!(written, Revision::of_content(&value));
    }
}

#[tokio::test]
async fn documents_are_json_to_other_programs() {
    let place = Place::new();
    let store = place.open();
    put(&store, "card:1", r#"{"front":"hola"}"#).await;
    let front: String =
        place.raw().query_row("SELECT value->>'front' FROM pstate", [], |row| row.get(0)).unwrap();
    assert_eq!(front, "hola");
}

#[tokio::test]
async fn a_value_changes_between_text_and_other_bytes() {
    let place = Place::new();
    let store = place.open();
    let stored_as = || -> String {
        place.raw().query_row("SELECT typeof(value) FROM pstate", [], |row| row.get(0)).unwrap()
    };
    put(&store, "card:1", b"\xff").await;
    assert_eq!(stored_as(), "blob");
    put(&store, "card:1", b"{}").await;
    assert_eq!(stored_as(), "text");
}

#[tokio::test]
async fn odd_keys_are_kept_apart() {
    let place = Place::new();
    let store = place.open();
    let long = format!("card:{}", "é".repeat(256));
    let odd = [
        "card:a",
        "card:A",
        "card:a ",
        "card: a",
        "card:%",
        "card:_",
        "card:é",
        "card:e\u{301}",
        "card:a:b",
        "card:'",
        "card:\"",
        "card:?1",
        "card:0",
        "card:00",
        &long,
    ];
    for (n, key) in odd.iter().enumerate() {
        put(&store, key, n.to_string()).await;
    }
    for (n, key) in odd.iter().enumerate() {
        assert_eq!(get(&store, key).await.unwrap(), n.to_string().into_bytes(), "{key}");
    }
}
