//! Many calls at once, while connections are cut and lists are deleted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pstate_core::{Adapter, PState, Staleness};
use pstate_redis::{Placement, RedisAdapter};
use pstate_testkit::redis::Server;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::fixture::{config, connect, get, scan_all, try_put};

const WRITERS: usize = 4;
/// How many acknowledged writes each writer makes.
const WRITES: usize = 150;
/// Far longer than any call takes that is not stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Puts a new record and overwrites one of its own, until it has acknowledged all. Returns the last
/// acknowledged value and the new records.
async fn write_all(
    store: Arc<RedisAdapter>,
    writer: usize,
    acknowledged: Arc<AtomicUsize>,
) -> (usize, BTreeSet<String>) {
    let (mut last, mut new) = (0, BTreeSet::new());
    let mut attempt = 0;
    while new.len() < WRITES {
        attempt += 1;
        let own = format!("count:{writer}");
        if timeout(STUCK, try_put(&store, &own, &attempt.to_string())).await.unwrap().is_ok() {
            last = attempt;
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        let name = format!("card:{writer}-{attempt}");
        if timeout(STUCK, try_put(&store, &name, "{}")).await.unwrap().is_ok() {
            new.insert(name);
        }
    }
    (last, new)
}

/// Reads through a cache and scans until the writers have ended.
async fn read_all(store: Arc<RedisAdapter>, ended: Arc<AtomicBool>) {
    let pstate = PState::builder(store.clone()).staleness(Staleness::None).build().unwrap();
    while !ended.load(Ordering::Relaxed) {
        // What fails is asked for again.
        let _ = timeout(STUCK, pstate.get("deck:1")).await.expect("a read that ends");
        let _ = timeout(STUCK, store.spaces()).await.expect("a listing that ends");
    }
}

async fn disturbed(placement: Placement, disturb: impl Fn(&Server, usize)) {
    let server = Server::start();
    let store = Arc::new(connect(config(&server).placement(placement)).await.unwrap());
    PState::builder(store.clone()).build().unwrap().put("deck:1", &json!({})).await.unwrap();
    let store = Arc::new(connect(config(&server).placement(placement)).await.unwrap());
    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> =
        (0..2).map(|_| tokio::spawn(read_all(store.clone(), ended.clone()))).collect();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let write = |writer| write_all(store.clone(), writer, acknowledged.clone());
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(writer))).collect();
    let mut round = 0;
    let have_ended = || writers.iter().all(JoinHandle::is_finished);
    while !have_ended() {
        tokio::task::block_in_place(|| disturb(&server, round));
        round += 1;
        // A few writes get through before the next round.
        let enough = acknowledged.load(Ordering::Relaxed) + WRITERS;
        while acknowledged.load(Ordering::Relaxed) < enough && !have_ended() {
            tokio::task::yield_now().await;
        }
    }
    ended.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    // The connection of the last round may be met once more.
    while store.spaces().await.is_err() {}
    let mut new_keys = BTreeSet::new();
    for (writer, handle) in writers.into_iter().enumerate() {
        let (last, new) = handle.await.unwrap();
        let stored: usize = get(&store, &format!("count:{writer}")).await.unwrap().parse().unwrap();
        assert!(stored >= last, "{placement:?}: {stored} < {last}");
        new_keys.extend(new);
    }
    let found: BTreeSet<String> = scan_all(&store).await.into_iter().collect();
    let lost: Vec<&String> = new_keys.difference(&found).collect();
    assert!(lost.is_empty(), "{placement:?}: {lost:?}");
    assert_eq!(store.spaces().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_connections_lose_no_acknowledged_write_and_stop_no_read() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        disturbed(placement, |server, _| {
            for kind in ["normal", "pubsub"] {
                server.command(&["CLIENT", "KILL", "TYPE", kind]);
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_lists_lose_no_acknowledged_write_and_stop_no_read() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let names: &[&str] = match placement {
            Placement::PerSpace => &[
                "pstate:/format",
                "pstate:/spaces",
                "{pstate:default}:/types",
                "{pstate:default}:/keys:card",
                "{pstate:default}:/keys:count",
            ],
            Placement::PerKey => &[
                "pstate:/format",
                "pstate:/spaces",
                "pstate:/types:{default}",
                "pstate:/keys:{default:card}",
                "pstate:/new:{default:card}",
            ],
        };
        disturbed(placement, |server, round| {
            server.command(&["DEL", names[round % names.len()]]);
        })
        .await;
    }
}
