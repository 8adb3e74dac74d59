//! The stored bytes are plain JSON under plain keys, and stay what they are: a golden file pins
//! them.
//!
//! A change that makes one of these tests fail is a change of the format. It needs a new format
//! version, and a test that reads what the old one wrote.

use std::fs;

use pstate_core::{Adapter, Batch, Key, Space, Write};

use crate::fixture::Place;

/// All entries of the tree, one a line: key with `\0` for the byte 0, tab, value.
const FORMAT_1: &str = include_str!("golden/format-1.tsv");

fn records() -> impl Iterator<Item = (Space, Key, &'static str)> {
    FORMAT_1.lines().map(|line| {
        let (key, value) = line.split_once('\t').unwrap();
        let (space, key) = key.split_once(r"\0").unwrap();
        (space.parse().unwrap(), key.parse().unwrap(), value)
    })
}

#[tokio::test]
async fn what_is_stored_is_what_the_golden_file_says() {
    let place = Place::new();
    let store = place.open();
    for (space, key, value) in records() {
        let put = Write::put(key, value.as_bytes());
        store.write(&space, &Batch::atomic(vec![put])).await.unwrap();
    }
    store.close().await.unwrap();
    assert_eq!(fs::read_to_string(place.path("app").join("pstate.format")).unwrap(), "1\n");
    let tree = place.raw().open_tree("pstate").unwrap();
    let entries = tree.iter().map(|entry| {
        let (key, value) = entry.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace('\0', r"\0");
        format!("{}\t{}\n", text(&key), text(&value))
    });
    assert_eq!(entries.collect::<String>(), FORMAT_1);
}

#[tokio::test]
async fn a_store_of_the_first_format_is_read() {
    let place = Place::new();
    let raw = place.raw();
    let tree = raw.open_tree("pstate").unwrap();
    for line in FORMAT_1.lines() {
        let (key, value) = line.split_once('\t').unwrap();
        tree.insert(key.replace(r"\0", "\0"), value).unwrap();
    }
    drop((tree, raw));
    fs::write(place.path("app").join("pstate.format"), "1\n").unwrap();
    let store = place.open();
    for (space, key, value) in records() {
        let records = store.multi_get(&space, std::slice::from_ref(&key)).await.unwrap();
        assert_eq!(&*records[0].as_ref().unwrap().bytes, value.as_bytes(), "{key}");
    }
}
