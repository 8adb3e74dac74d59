//! The index of records that lie by themselves: never shorter than what is stored.

use std::time::Duration;

use pstate_core::{Adapter, Batch, Space, Write};
use pstate_redis::{Placement, RedisAdapter, RedisConfig};
use pstate_testkit::redis::{Proxy, Reply, Server};

use crate::fixture::{config, connect, key, pass, put, put_write, scan_all, try_put};

const INDEX: &str = "pstate:/keys:{default:card}";
const NEW: &str = "pstate:/new:{default:card}";

fn by_key(server: &Server) -> RedisConfig {
    config(server).placement(Placement::PerKey)
}

async fn delete(store: &RedisAdapter, text: &str) {
    let batch = Batch::atomic(vec![Write::delete(key(text))]);
    store.write(&Space::default(), &batch).await.unwrap();
}

/// How many entries with an id there are.
fn entries(server: &Server) -> usize {
    server.command(&["ZRANGEBYLEX", INDEX, "(", "+"]).list().len()
}

/// Makes all entries of the index older, as time would.
fn age(server: &Server, by: Duration) {
    let script = "for _, id in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
                      redis.call('zincrby', KEYS[1], -tonumber(ARGV[1]), id) end";
    server.command(&["EVAL", script, "1", NEW, &by.as_millis().to_string()]);
}

#[tokio::test]
async fn an_entry_without_a_record_is_kept_for_the_grace_and_then_removed_in_passing() {
    let server = Server::start();
    let store = connect(by_key(&server)).await.unwrap();
    for n in 0..3 {
        put(&store, &format!("card:{n}"), "{}").await;
    }
    delete(&store, "card:1").await;
    assert_eq!(scan_all(&store).await, ["card:0", "card:2"]);
    assert_eq!(entries(&server), 3);
    age(&server, Duration::from_secs(11 * 60));
    assert_eq!(scan_all(&store).await, ["card:0", "card:2"]);
    assert_eq!(entries(&server), 2);
    put(&store, "card:1", "{}").await;
    assert_eq!(scan_all(&store).await, ["card:0", "card:1", "card:2"]);
}

#[tokio::test]
async fn an_entry_that_was_added_again_is_not_removed_although_it_was_old() {
    let server = Server::start();
    let store = connect(by_key(&server)).await.unwrap();
    put(&store, "card:1", "{}").await;
    delete(&store, "card:1").await;
    age(&server, Duration::from_secs(11 * 60));
    // A put that has come to its first step only: the record is still missing.
    let time = server.command(&["TIME"]);
    let now: u64 = time.list()[0].text().parse().unwrap();
    server.command(&["ZADD", NEW, &(now * 1000).to_string(), "1"]);
    assert_eq!(scan_all(&store).await, Vec::<String>::new());
    assert_eq!(entries(&server), 1);
}

/// A process that is stopped between the two steps of a put, and continues when the entry may be
/// gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_comes_too_late_for_its_entry_begins_again() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let grace = Duration::from_millis(400);
    let through = by_key(&server).host("127.0.0.1", proxy.port()).index_grace(grace);
    let store = connect(through).await.unwrap();
    put(&store, "card:0", "{}").await;
    // Held after the first step's request: the script that adds to the index.
    proxy.hold_answers(true);
    let writing =
        tokio::spawn(async move { try_put(&store, "card:1", "late").await.map(|()| store) });
    server.wait_for(&["ZSCORE", INDEX, "1"], |score| *score != Reply::Nil);
    // The entry is gone, as after the grace.
    server.command(&["ZREM", INDEX, "1"]);
    server.command(&["ZREM", NEW, "1"]);
    pass(&server, grace);
    proxy.hold_answers(false);
    let store = writing.await.unwrap().unwrap();
    assert_eq!(scan_all(&store).await, ["card:0", "card:1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_in_the_index_although_that_was_rebuilt_while_the_record_was_written() {
    for lost in [&[INDEX][..], &[INDEX, NEW], &["pstate:/types:{default}"], &["pstate:/spaces"]] {
        let server = Server::start();
        let proxy = Proxy::start(server.port());
        let through = by_key(&server).host("127.0.0.1", proxy.port());
        let store = connect(through).await.unwrap();
        let other = connect(by_key(&server)).await.unwrap();
        put(&store, "card:0", "{}").await;
        proxy.hold_answers(true);
        let writing = tokio::spawn(async move { try_put(&store, "card:1", "{}").await });
        server.wait_for(&["ZSCORE", INDEX, "1"], |score| *score != Reply::Nil);
        let mut delete = vec!["DEL"];
        delete.extend(lost);
        server.command(&delete);
        assert_eq!(scan_all(&other).await, ["card:0"]);
        assert_eq!(other.spaces().await.unwrap().len(), 1);
        proxy.hold_answers(false);
        writing.await.unwrap().unwrap();
        assert_eq!(scan_all(&other).await, ["card:0", "card:1"], "{lost:?}");
    }
}

#[tokio::test]
async fn nothing_is_removed_while_it_is_not_known_what_was_added_lately() {
    let server = Server::start();
    let store = connect(by_key(&server)).await.unwrap();
    put(&store, "card:1", "{}").await;
    delete(&store, "card:1").await;
    age(&server, Duration::from_secs(11 * 60));
    // As after an eviction: a put of `card:1` may just have come to its second step.
    server.command(&["DEL", NEW]);
    for _ in 0..2 {
        assert_eq!(scan_all(&store).await.len() + entries(&server), 1);
        server.command(&["DEL", NEW]);
    }
    put(&store, "card:2", "{}").await;
    assert_eq!(scan_all(&store).await, ["card:2"]);
    assert_eq!(entries(&server), 2);
    age(&server, Duration::from_secs(11 * 60));
    assert_eq!(scan_all(&store).await, ["card:2"]);
    assert_eq!(entries(&server), 1);
}

#[tokio::test]
async fn reindexing_counts_all_records_and_is_enough() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        let other: Space = "other".parse().unwrap();
        for n in 0..2_500 {
            let space = if n % 2 == 0 { Space::default() } else { other.clone() };
            let batch = Batch::atomic(vec![put_write(&format!("card:{n:04}"), "{}")]);
            store.write(&space, &batch).await.unwrap();
        }
        for name in ["pstate:/spaces", INDEX, NEW, "pstate:/types:{default}"] {
            server.command(&["DEL", name]);
        }
        for name in ["{pstate:default}:/keys:card", "{pstate:default}:/types"] {
            server.command(&["DEL", name]);
        }
        assert_eq!(store.reindex().await.unwrap(), 2_500);
        server.command(&["CONFIG", "RESETSTAT"]);
        assert_eq!(scan_all(&store).await.len(), 1_250);
        assert_eq!(store.spaces().await.unwrap().len(), 2);
        let stats = server.command(&["INFO", "commandstats"]);
        assert!(!stats.text().contains("cmdstat_scan:"), "{stats:?}");
    }
}
