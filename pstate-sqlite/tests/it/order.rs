//! Scans and spaces.

use pstate_core::{Adapter, Batch, Space};

use crate::fixture::{Place, get, key, page, put, put_write, scan_all, space};

#[tokio::test]
async fn keys_come_in_the_order_of_their_bytes() {
    let place = Place::new();
    let store = place.open();
    let ordered = [
        "a:1", "a:10", "a:2", "a:A", "a:a", "a:b", "a:z", "a:é", "a:ﬀ", "a:😀", "a_b:1", "aa:1",
        "b:1",
    ];
    for text in ordered.iter().rev() {
        put(&store, text, "{}").await;
    }
    for limit in [1, 2, 5, 100] {
        assert_eq!(scan_all(&store, "", limit).await.0, ordered);
    }
}

#[tokio::test]
async fn a_prefix_has_no_wildcards_and_no_case() {
    let place = Place::new();
    let store = place.open();
    for text in ["card:50%", "card:50x", "card:a_b", "card:axb", "card:Q", "card:q", "cards:1"] {
        put(&store, text, "{}").await;
    }
    for (prefix, expected) in [
        ("card:50%", vec!["card:50%"]),
        ("card:a_", vec!["card:a_b"]),
        ("card:q", vec!["card:q"]),
        ("card:Q", vec!["card:Q"]),
        ("Card:", vec![]),
        ("%", vec![]),
        ("cards", vec!["cards:1"]),
        ("card:zz", vec![]),
    ] {
        assert_eq!(scan_all(&store, prefix, 10).await.0, expected, "{prefix}");
    }
}

#[tokio::test]
async fn a_page_that_ends_the_prefix_has_no_next() {
    let place = Place::new();
    let store = place.open();
    for text in ["a:1", "a:2", "b:1"] {
        put(&store, text, "{}").await;
    }
    assert_eq!(page(&store, "a:", None, 2).await.next, None);
    assert_eq!(page(&store, "a:", None, 1).await.next, Some(key("a:1")));
    assert_eq!(page(&store, "", None, 3).await.next, None);
}

#[tokio::test]
async fn a_page_begins_after_its_cursor_whether_that_is_stored_or_not() {
    let place = Place::new();
    let store = place.open();
    for text in ["b:1", "b:2", "b:3"] {
        put(&store, text, "{}").await;
    }
    for (after, expected) in
        [("a:9", 3), ("b:0", 3), ("b:1", 2), ("b:2x", 1), ("b:3", 0), ("c:1", 0)]
    {
        let found = page(&store, "b:", Some(after), 10).await;
        assert_eq!(found.records.len(), expected, "{after}");
    }
}

#[tokio::test]
async fn a_page_may_be_as_long_as_one_likes() {
    let place = Place::new();
    let store = place.open();
    put(&store, "a:1", "{}").await;
    assert_eq!(page(&store, "", None, usize::MAX).await.records.len(), 1);
}

#[tokio::test]
async fn records_deleted_between_pages_do_not_disturb_the_others() {
    let place = Place::new();
    let store = place.open();
    for text in ["a:1", "a:2", "a:3"] {
        put(&store, text, "{}").await;
    }
    let first = page(&store, "", None, 1).await;
    let delete = Batch::atomic(vec![pstate_core::Write::delete(key("a:1"))]);
    store.write(&Space::default(), &delete).await.unwrap();
    let rest = page(&store, "", first.next.as_ref().map(pstate_core::Key::as_str), 10).await;
    assert_eq!(rest.records.len(), 2);
}

#[tokio::test]
async fn spaces_share_nothing() {
    let place = Place::new();
    let store = place.open();
    for name in ["a", "ab", "a-b"] {
        let batch = Batch::atomic(vec![put_write("card:1", name)]);
        store.write(&space(name), &batch).await.unwrap();
    }
    let delete = Batch::atomic(vec![pstate_core::Write::delete(key("card:1"))]);
    store.write(&space("ab"), &delete).await.unwrap();
    let read = async |name: &str| {
        let records = store.multi_get(&space(name), &[key("card:1")]).await.unwrap();
        records[0].as_ref().map(|record| record.bytes.to_vec())
    };
    assert_eq!(read("a").await.unwrap(), b"a");
    assert_eq!(read("ab").await, None);
    assert_eq!(read("a-b").await.unwrap(), b"a-b");
    assert_eq!(get(&store, "card:1").await, None);
    assert_eq!(scan_all(&store, "", 10).await.0, Vec::<String>::new());
}

#[tokio::test]
async fn spaces_are_listed_in_order_while_they_hold_something() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(store.spaces().await.unwrap(), []);
    for name in ["b", "a_", "a", "a-", "0"] {
        let writes = vec![put_write("card:1", "{}"), put_write("card:2", "{}")];
        store.write(&space(name), &Batch::each(writes)).await.unwrap();
    }
    assert_eq!(store.spaces().await.unwrap(), ["0", "a", "a-", "a_", "b"].map(space));
    let delete = ["card:1", "card:2"].map(|text| pstate_core::Write::delete(key(text)));
    store.write(&space("a"), &Batch::atomic(delete.into())).await.unwrap();
    assert_eq!(store.spaces().await.unwrap(), ["0", "a-", "a_", "b"].map(space));
}
