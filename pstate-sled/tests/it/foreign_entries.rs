//! What another program has put into the tree.

use pstate_core::Adapter;

use crate::fixture::{Place, put, scan_all};

async fn with_entries(entries: &[&[u8]]) -> Place {
    let place = Place::new();
    let store = place.open();
    for n in [1, 2, 3] {
        put(&store, &format!("card:{n}"), "{}").await;
    }
    store.close().await.unwrap();
    let raw = place.raw();
    let tree = raw.open_tree("pstate").unwrap();
    for entry in entries {
        tree.insert(entry, "foreign").unwrap();
    }
    drop((tree, raw));
    place
}

#[tokio::test]
async fn entries_that_are_no_records_are_reported_and_passed() {
    let place = with_entries(&[b"default\0card", b"default\0card:2\xff", b"default\0"]).await;
    let (found, unreadable) = scan_all(&place.open(), "", 2).await;
    assert_eq!(found, ["card:1", "card:2", "card:3"]);
    assert_eq!(unreadable.len(), 3, "{unreadable:?}");
    assert!(unreadable[0].starts_with("scan: an entry that is no record: "), "{unreadable:?}");
}

#[tokio::test]
async fn a_thousand_of_them_are_counted() {
    let keys: Vec<_> = (0..1000).map(|n| format!("default\0{n}").into_bytes()).collect();
    let place = with_entries(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    let (found, unreadable) = scan_all(&place.open(), "", 10).await;
    assert_eq!(found.len(), 3);
    assert_eq!(unreadable.len(), 101);
    assert!(unreadable[100].ends_with("900 more entries that are no records"), "{unreadable:?}");
}

#[tokio::test]
async fn entries_outside_of_any_space_are_passed() {
    let place =
        with_entries(&[b"", b"a", b"default", b"zero", b"UPPER\0card:1", b"\xff\0a:1"]).await;
    let spaces = place.open().spaces().await.unwrap();
    assert_eq!(spaces.iter().map(pstate_core::Space::as_str).collect::<Vec<_>>(), ["default"]);
}
