//! What is read is what was written.

use pstate_sqlite::{SqliteConfig, TableLayout};

use crate::fixture::{Place, get, page, put};

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
