//! Lists, indexes and notes that another program deletes or the server evicts, and data sets that
//! are replaced by others.

use std::sync::Arc;

use pstate_core::{
    Adapter, Batch, Changes, ErrorKind, Expect, MemoryAdapter, PState, Space, Staleness, Write,
    copy,
};
use pstate_redis::{Placement, RedisAdapter, RedisConfig};
use pstate_testkit::redis::{Reply, Server};
use serde_json::json;

use crate::fixture::{config, connect, get, page, put, put_write, scan_all, try_put, write};

const PLACEMENTS: [Placement; 2] = [Placement::PerSpace, Placement::PerKey];

/// All keys that hold no record, once `card:1` is stored.
fn own_keys(placement: Placement) -> &'static [&'static str] {
    match placement {
        Placement::PerSpace => &[
            "pstate:/format",
            "pstate:/spaces",
            "{pstate:default}:/types",
            "{pstate:default}:/keys:card",
        ],
        Placement::PerKey => &[
            "pstate:/format",
            "pstate:/spaces",
            "pstate:/types:{default}",
            "pstate:/keys:{default:card}",
            "pstate:/new:{default:card}",
        ],
    }
}

async fn put_in(store: &RedisAdapter, space: &str, key: &str) {
    let batch = Batch::atomic(vec![put_write(key, "{}")]);
    store.write(&space.parse().unwrap(), &batch).await.unwrap();
}

#[tokio::test]
async fn whatever_list_is_lost_is_rebuilt_by_the_next_call_that_needs_it() {
    for placement in PLACEMENTS {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        put(&store, "card:1", "{}").await;
        put(&store, "deck:1", "{}").await;
        put_in(&store, "other", "card:1").await;
        let all = own_keys(placement);
        let mut losses: Vec<Vec<&str>> = all.iter().map(|&name| vec![name]).collect();
        losses.push(all[1..].to_vec());
        losses.push(all[..2].to_vec());
        losses.push(all.to_vec());
        for lost in losses {
            for new_handle in [false, true] {
                for write_first in [false, true] {
                    let mut command = vec!["DEL"];
                    command.extend(&lost);
                    server.command(&command);
                    let again = connect(config(&server).placement(placement)).await.unwrap();
                    let store = if new_handle { &again } else { &store };
                    if write_first {
                        // An index that a write makes again lacks the others.
                        put(store, "card:2", "{}").await;
                        put_in(store, "new", "card:1").await;
                    } else {
                        put(store, "card:2", "{}").await;
                        server.command(&command);
                    }
                    let spaces = store.spaces().await.unwrap();
                    let expected = ["default", "new", "other"];
                    let expected: Vec<&str> = expected
                        .into_iter()
                        .filter(|&name| name != "new" || spaces.len() == 3)
                        .collect();
                    let names: Vec<&str> = spaces.iter().map(Space::as_str).collect();
                    assert_eq!(names, expected, "{lost:?}, {placement:?}");
                    assert_eq!(page(store, "card:", 9).await.records.len(), 2, "{lost:?}");
                    assert_eq!(scan_all(store).await, ["card:1", "card:2", "deck:1"], "{lost:?}");
                }
            }
        }
    }
}

/// The store knows the places of its writes, and does not list them again. So a rebuild has to list
/// those that hold no record at the time.
#[tokio::test]
async fn places_without_records_are_listed_again_by_a_rebuild() {
    for placement in PLACEMENTS {
        for lost in 1..own_keys(placement).len() {
            let server = Server::start();
            let store = connect(config(&server).placement(placement)).await.unwrap();
            put(&store, "card:1", "{}").await;
            put(&store, "deck:1", "{}").await;
            let deletes = vec![Write::delete("card:1".parse().unwrap())];
            write(&store, deletes).await.unwrap();
            server.command(&["DEL", own_keys(placement)[lost]]);
            assert_eq!(scan_all(&store).await, ["deck:1"], "{placement:?}");
            assert_eq!(page(&store, "card:", 9).await.records, []);
            assert_eq!(store.spaces().await.unwrap().len(), 1);
            write(&store, vec![Write::delete("deck:1".parse().unwrap())]).await.unwrap();
            server.command(&["DEL", own_keys(placement)[lost]]);
            assert_eq!(store.spaces().await.unwrap(), []);
            assert_eq!(scan_all(&store).await, Vec::<String>::new());
            put(&store, "card:1", "{}").await;
            assert_eq!(scan_all(&store).await, ["card:1"], "{placement:?} {lost}");
            assert_eq!(store.spaces().await.unwrap().len(), 1, "{placement:?} {lost}");
        }
    }
}

#[tokio::test]
async fn an_index_that_was_lost_and_written_to_is_known_to_lack_records() {
    for placement in PLACEMENTS {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        put(&store, "card:1", "{}").await;
        let index = own_keys(placement)[3];
        server.command(&["DEL", index]);
        put(&store, "card:2", "{}").await;
        assert_eq!(scan_all(&store).await, ["card:1", "card:2"], "{placement:?}");
        // It is complete now, and no scan walks over all keys again.
        server.command(&["CONFIG", "RESETSTAT"]);
        assert_eq!(scan_all(&store).await, ["card:1", "card:2"]);
        assert_eq!(page(&store, "nothing:", 9).await.records, []);
        let stats = server.command(&["INFO", "commandstats"]);
        assert!(!stats.text().contains("cmdstat_scan:"), "{stats:?}");
    }
}

#[tokio::test]
async fn what_was_never_written_is_not_taken_for_lost() {
    for placement in PLACEMENTS {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        server.command(&["CONFIG", "RESETSTAT"]);
        assert_eq!(store.spaces().await.unwrap(), []);
        assert_eq!(scan_all(&store).await, Vec::<String>::new());
        assert_eq!(page(&store, "card:", 9).await.records, []);
        put_in(&store, "other", "card:1").await;
        assert_eq!(scan_all(&store).await, Vec::<String>::new());
        assert_eq!(page(&store, "card:", 9).await.records, []);
        let deletes = vec![Write::delete("card:1".parse().unwrap())];
        let batch = Batch::atomic(deletes);
        store.write(&"other".parse().unwrap(), &batch).await.unwrap();
        assert_eq!(store.spaces().await.unwrap(), []);
        let stats = server.command(&["INFO", "commandstats"]);
        assert!(!stats.text().contains("cmdstat_scan:"), "{placement:?}: {stats:?}");
    }
}

#[tokio::test]
async fn a_new_store_beside_many_keys_of_other_programs_is_complete_after_one_walk() {
    for placement in PLACEMENTS {
        let server = Server::start();
        for n in 0..2_000 {
            server.command(&["SET", &format!("other:{n}"), ""]);
        }
        let store = connect(config(&server).placement(placement)).await.unwrap();
        put(&store, "card:1", "{}").await;
        assert_eq!(scan_all(&store).await, ["card:1"]);
        server.command(&["CONFIG", "RESETSTAT"]);
        put(&store, "deck:1", "{}").await;
        put_in(&store, "new", "card:1").await;
        assert_eq!(scan_all(&store).await, ["card:1", "deck:1"]);
        assert_eq!(store.spaces().await.unwrap().len(), 2);
        let stats = server.command(&["INFO", "commandstats"]);
        assert!(!stats.text().contains("cmdstat_scan:"), "{placement:?}: {stats:?}");
    }
}

#[tokio::test]
async fn lists_that_may_not_be_rebuilt_are_reported_as_lost() {
    for placement in PLACEMENTS {
        let server = Server::start();
        server.command(&["ACL", "SETUSER", "app", "on", ">x", "~*", "&*", "+@all", "-scan"]);
        let user = config(&server).username("app").password("x").placement(placement);
        let store = connect(user).await.unwrap();
        put(&store, "card:1", "{}").await;
        server.command(&["DEL", "pstate:/spaces"]);
        let error = store.spaces().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.message().contains("list of spaces was lost"), "{error}");
        assert!(error.message().contains("scan"), "{error}");
    }
}

#[tokio::test]
async fn a_store_of_an_earlier_version_is_marked_once() {
    for placement in PLACEMENTS {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        put(&store, "card:1", "{}").await;
        let name = match placement {
            Placement::PerSpace => "per_space",
            Placement::PerKey => "per_key",
        };
        let [format, spaces, types, index, ..] = own_keys(placement) else { unreachable!() };
        let old = format!(r#"{{"format":1,"placement":"{name}"}}"#);
        server.command(&["SET", format, &old]);
        server.command(&["SREM", spaces, &format!("/{name}")]);
        server.command(&["SREM", types, "/"]);
        server.command(&["ZREM", index, ""]);
        let store = connect(config(&server).placement(placement)).await.unwrap();
        assert_ne!(server.command(&["GET", format]).text(), old);
        assert_eq!(scan_all(&store).await, ["card:1"]);
        server.command(&["CONFIG", "RESETSTAT"]);
        assert_eq!(scan_all(&store).await, ["card:1"]);
        assert_eq!(store.spaces().await.unwrap().len(), 1);
        let stats = server.command(&["INFO", "commandstats"]);
        assert!(!stats.text().contains("cmdstat_scan:"), "{stats:?}");
    }
}

/// What empties a store under a handle that stays open.
fn empty(server: &mut Server, how: &str) {
    match how {
        "restart" => {
            server.kill();
            server.restart_empty();
        }
        how => {
            let words: Vec<&str> = how.split(' ').collect();
            server.command(&words);
        }
    }
}

fn other(placement: Placement) -> Placement {
    match placement {
        Placement::PerSpace => Placement::PerKey,
        Placement::PerKey => Placement::PerSpace,
    }
}

#[tokio::test]
async fn after_the_store_was_emptied_the_first_write_notes_its_placement() {
    for how in ["FLUSHALL", "FLUSHDB ASYNC", "SWAPDB 0 1", "restart"] {
        for placement in PLACEMENTS {
            for feed in [false, true] {
                let mut server = Server::start();
                let open = |placement| connect(config(&server).placement(placement));
                let config = config(&server).placement(placement).change_feed(feed);
                let store = connect(config.clone()).await.unwrap();
                put(&store, "card:1", "old").await;
                drop(open(placement).await.unwrap());
                empty(&mut server, how);
                // A put may meet the connection that is gone.
                while try_put(&store, "card:2", "new").await.is_err() {}
                let note = server.command(&["GET", "pstate:/format"]);
                assert!(matches!(note, Reply::Text(_)), "{how}, {placement:?}");
                let error = connect(config.clone().placement(other(placement))).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Config, "{error}");
                let again = connect(config).await.unwrap();
                assert_eq!(scan_all(&again).await, ["card:2"], "{how}, {placement:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_store_that_another_placement_has_taken_is_not_written_to() {
    for how in ["FLUSHALL", "SWAPDB 0 1", "restart"] {
        for placement in PLACEMENTS {
            let mut server = Server::start();
            let ours: RedisConfig = config(&server).placement(placement);
            let theirs = ours.clone().placement(other(placement));
            let store = connect(ours).await.unwrap();
            put(&store, "card:1", "old").await;
            empty(&mut server, how);
            let others = connect(theirs).await.unwrap();
            put(&others, "card:9", "theirs").await;
            // The first may find out when it is done, and is not acknowledged.
            loop {
                let error = try_put(&store, "card:2", "new").await.unwrap_err();
                if error.kind() == ErrorKind::Config {
                    assert!(error.message().contains("another placement"), "{error}");
                    break;
                }
                assert!(!error.is_retryable() || how == "restart", "{error}");
            }
            let new = put_write("card:3", "new").expecting(Expect::Absent);
            let error = write(&store, vec![new]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{how}, {placement:?}: {error}");
            assert_eq!(get(&store, "card:3").await, None);
            let feed = store.extensions().change_feed.unwrap().subscribe().await;
            assert_eq!(feed.map(drop).unwrap_err().kind(), ErrorKind::Config);
            assert_eq!(scan_all(&others).await, ["card:9"]);
        }
    }
}

#[tokio::test]
async fn a_note_that_alone_is_lost_does_not_open_the_store_to_another_placement() {
    for placement in PLACEMENTS {
        let server = Server::start();
        put(&connect(config(&server).placement(placement)).await.unwrap(), "card:1", "{}").await;
        server.command(&["DEL", "pstate:/format"]);
        let error = connect(config(&server).placement(other(placement))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        let store = connect(config(&server).placement(placement)).await.unwrap();
        assert_eq!(scan_all(&store).await, ["card:1"]);
    }
}

#[tokio::test]
async fn exchanged_databases_are_reported_as_everything() {
    let server = Server::start();
    let store = connect(config(&server)).await.unwrap();
    put(&store, "card:1", "first").await;
    put(&connect(config(&server).database(1)).await.unwrap(), "card:1", "second").await;
    let mut subscription = store.extensions().change_feed.unwrap().subscribe().await.unwrap();
    for _ in 0..2 {
        server.command(&["SWAPDB", "0", "1"]);
        assert_eq!(subscription.changes().await.unwrap(), Changes::Everything);
        assert_eq!(subscription.changes().await.unwrap(), Changes::Records(vec![]));
    }
    server.command(&["SWAPDB", "0", "7"]);
    assert_eq!(subscription.changes().await.unwrap(), Changes::Everything);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_staleness_a_read_sees_the_database_that_took_the_place() {
    let server = Server::start();
    let open = |database| {
        let config = config(&server).database(database);
        async move {
            let store = Arc::new(connect(config).await.unwrap());
            PState::builder(store).staleness(Staleness::None).build().unwrap()
        }
    };
    let (first, second) = (open(0).await, open(1).await);
    first.put("card:1", &json!({"n": 1})).await.unwrap();
    second.put("card:1", &json!({"n": 2})).await.unwrap();
    for (a, b) in [(1, 2), (2, 1), (1, 2)] {
        for (pstate, n) in [(&first, a), (&second, b)] {
            let document = pstate.get("card:1").await.unwrap().unwrap();
            assert_eq!(document.get("n").unwrap().unwrap(), n);
        }
        server.command(&["SWAPDB", "0", "1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_store_whose_lists_are_lost_has_all_documents() {
    for placement in PLACEMENTS {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        put(&store, "card:1", "{}").await;
        put_in(&store, "other", "card:1").await;
        server.command(&["DEL", "pstate:/spaces", own_keys(placement)[2], own_keys(placement)[3]]);
        let to = Arc::new(MemoryAdapter::new());
        let report = copy(Arc::new(store), to).verify_afterwards(true).run().await.unwrap();
        assert!(report.is_complete(), "{report}");
        assert!(report.to_string().contains("all 2 documents equal"), "{report}");
    }
}
