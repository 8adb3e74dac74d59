//! A Cluster whose slots move and whose servers take over from each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pstate_core::{
    Adapter, Atomicity, Batch, ChangeFeed, ChangeSubscription, ChangedTo, Changes, ErrorKind,
    Expect, Key, Outcome, Result, Scan, Space, Write,
};
use pstate_redis::{Placement, RedisAdapter, RedisConfig};
use pstate_testkit::history::History;
use pstate_testkit::redis::{Cluster, Server, ServerOptions};
use pstate_testkit::{OperationLog, RecordingLayer};
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};
use tokio::time::timeout;

use crate::fixture::{
    SHORT, get, key, many, no_secret, put, put_write, scan_all, try_get, try_put,
};

fn config(cluster: &Cluster) -> RedisConfig {
    RedisConfig::from_url(&format!("redis+cluster://{}", cluster.hosts())).unwrap()
}

async fn connect(config: RedisConfig) -> RedisAdapter {
    RedisAdapter::connect_with(config).await.unwrap()
}

/// Tasks that read and write the same few keys until the test ends them.
struct Load {
    log: Arc<OperationLog>,
    atomicity: Atomicity,
    ended: Arc<AtomicBool>,
    clients: Vec<JoinHandle<usize>>,
}

impl Load {
    fn start(store: RedisAdapter) -> Self {
        let recording = RecordingLayer::new(Arc::new(store));
        let (log, atomicity) = (recording.log().clone(), recording.capabilities().atomicity);
        let store: Arc<dyn Adapter> = Arc::new(recording);
        let ended = Arc::new(AtomicBool::new(false));
        let clients = (0..4).map(|name| {
            let (store, ended) = (store.clone(), ended.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while !ended.load(Ordering::Relaxed) {
                    calls += 1;
                    // What fails is in the log.
                    let _ = call(&*store, name, calls).await;
                    // The check of a history takes time by its length.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                calls
            })
        });
        let clients = clients.collect();
        Self { log, atomicity, ended, clients }
    }

    /// Ends it; gives the errors that came, after checking that an order explains all answers.
    async fn end(self) -> Vec<pstate_core::Error> {
        self.ended.store(true, Ordering::Relaxed);
        for client in self.clients {
            assert!(client.await.unwrap() > 0);
        }
        if let Err(why) = History::recorded(&self.log, self.atomicity).check() {
            panic!("{why}");
        }
        let operations = self.log.operations();
        operations.iter().filter_map(|operation| operation.response.clone()?.err()).collect()
    }
}

async fn call(store: &dyn Adapter, name: usize, calls: usize) -> Result<()> {
    let space = Space::default();
    let keys = keys();
    let value = format!("{calls} by {name}");
    let key = keys[calls % keys.len()].clone();
    match (calls + name) % 5 {
        4 => {
            let limit = std::num::NonZeroUsize::MAX;
            let scan = Scan { prefix: "card:".to_owned(), after: None, limit };
            store.scan(&space, &scan).await?;
        }
        0 => drop(store.multi_get(&space, &keys).await?),
        1 => {
            let mut writes = vec![Write::put(key, value.clone().into_bytes())];
            let other = keys[(calls + 1) % keys.len()].clone();
            writes.push(Write::put(other, value.into_bytes()));
            let batch = match store.capabilities().atomicity {
                Atomicity::Batch => Batch::atomic(writes),
                Atomicity::Key => Batch::each(writes),
            };
            store.write(&space, &batch).await?;
        }
        2 => {
            let record = store.multi_get(&space, std::slice::from_ref(&key)).await?.remove(0);
            let expect = record.map_or(Expect::Absent, |record| Expect::Revision(record.revision));
            let write = Write::put(key, value.into_bytes()).expecting(expect);
            store.write(&space, &Batch::atomic(vec![write])).await?;
        }
        _ => {
            let write = Write::delete(key);
            store.write(&space, &Batch::atomic(vec![write])).await?;
        }
    }
    Ok(())
}

fn keys() -> Vec<Key> {
    (0..4).map(|n| key(&format!("card:{n}"))).collect()
}

/// The slots that the load writes to.
fn slots(cluster: &Cluster, placement: Placement) -> Vec<u16> {
    match placement {
        Placement::PerSpace => vec![cluster.slot_of("{pstate:default}")],
        Placement::PerKey => {
            let records = keys().into_iter().map(|key| format!("pstate:default:{key}"));
            let index = "pstate:/keys:{default:card}".to_owned();
            records.chain([index]).map(|name| cluster.slot_of(&name)).collect()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_move_under_load_are_followed_without_an_error_and_nothing_is_lost() {
    let cluster = Arc::new(block_in_place(Cluster::start));
    for placement in [Placement::PerSpace, Placement::PerKey] {
        for server in cluster.servers() {
            let _ = server.try_command(&["FLUSHALL"]);
        }
        let store = connect(config(&cluster).placement(placement)).await;
        let load = Load::start(store);
        let (moving, log) = (cluster.clone(), load.log.clone());
        let moves = spawn_blocking(move || {
            let mut round = 0;
            while round < 6 || log.operations().len() < 500 {
                round += 1;
                for slot in slots(&moving, placement) {
                    let to = (moving.holder(slot) + 1 + round % 2) % 3;
                    moving.begin_migration(slot, to);
                    while moving.migrate_keys(slot, to, 1) > 0 {}
                    moving.end_migration(slot, to);
                }
            }
        });
        moves.await.unwrap();
        let errors = load.end().await;
        assert!(errors.is_empty(), "{placement:?}: {errors:?}");
        let store = connect(config(&cluster).placement(placement)).await;
        let there = store.multi_get(&Space::default(), &keys()).await.unwrap();
        assert_eq!(scan_all(&store).await.len(), there.iter().flatten().count());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_replica_takes_over_in_order_nothing_acknowledged_is_lost() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let cluster = Arc::new(block_in_place(Cluster::start));
        let store = connect(config(&cluster).placement(placement)).await;
        let load = Load::start(store);
        let taking_over = cluster.clone();
        let done = spawn_blocking(move || {
            let slot = slots(&taking_over, placement)[0];
            let primary = taking_over.holder(slot);
            let replica = Cluster::replica_of(primary);
            taking_over.fail_over(replica);
            taking_over.wait_until_whole();
            // And back.
            taking_over.fail_over(primary);
            taking_over.wait_until_whole();
        });
        done.await.unwrap();
        let errors = load.end().await;
        assert!(errors.is_empty(), "{placement:?}: {errors:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_primary_dies_under_load_its_replica_goes_on_with_what_it_had() {
    let mut cluster = block_in_place(Cluster::start);
    let store = Arc::new(connect(config(&cluster)).await);
    let primary = cluster.holder(cluster.slot_of("{pstate:default}"));
    let replica = Cluster::replica_of(primary);
    put(&store, "counter:1", "0").await;
    let ended = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, ended) = (store.clone(), ended.clone());
        tokio::spawn(async move {
            let (mut attempted, mut acknowledged, mut errors) = (0_u64, 0_u64, Vec::new());
            let mut longest = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                attempted += 1;
                let begin = Instant::now();
                match try_put(&store, "counter:1", &attempted.to_string()).await {
                    Ok(()) => acknowledged = attempted,
                    Err(error) => errors.push(error),
                }
                longest = longest.max(begin.elapsed());
            }
            (attempted, acknowledged, errors, longest)
        })
    };
    let number = async || -> u64 { get(&store, "counter:1").await.unwrap().parse().unwrap() };
    while number().await < 100 {}
    // All that was acknowledged until now has reached the replica.
    let before = number().await;
    block_in_place(|| cluster.wait_until_replicated(primary, replica));
    block_in_place(|| {
        cluster.servers_mut()[primary].kill();
        cluster.wait_until_taken_over(replica);
    });
    let after = loop {
        match try_get(&store, "counter:1").await {
            Ok(value) => break value.unwrap().parse::<u64>().unwrap(),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    };
    assert!(after >= before, "{after} after {before} were safe");
    while number().await < after + 100 {}
    ended.store(true, Ordering::Relaxed);
    let (attempted, acknowledged, errors, longest) = writer.await.unwrap();
    // The write in flight when the primary died has an unknown effect. All others waited for the
    // replica, or failed with nothing done.
    let unknown: Vec<_> = errors.iter().filter(|error| !error.is_retryable()).collect();
    assert!(unknown.len() <= 1, "{unknown:?}");
    for error in &errors {
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
    }
    assert_eq!(number().await, acknowledged);
    println!("{attempted} writes, {} errors, the longest took {longest:?}", errors.len());
    // What was the primary comes back as a replica, with what the new one has.
    block_in_place(|| {
        cluster.servers_mut()[primary].restart();
        cluster.wait_until_whole();
    });
    assert_eq!(number().await, acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_server_has_a_slot_any_more_others_are_still_read_and_written() {
    let options = ServerOptions::new().set("cluster-require-full-coverage", "no");
    let mut cluster = block_in_place(|| Cluster::start_with(&options));
    let config = config(&cluster).placement(Placement::PerKey).response_timeout(SHORT);
    let store = connect(config).await;
    let space = Space::default();
    store.write(&space, &Batch::each(many(60, "old"))).await.unwrap();
    let holder = |key: &Key| cluster.holder(cluster.slot_of(&format!("pstate:default:{key}")));
    let keys: Vec<Key> = (0..60).map(|n| key(&format!("card:{n}"))).collect();
    let index = cluster.holder(cluster.slot_of("pstate:/keys:{default:card}"));
    // Not the one with the index, so that all other writes can be made.
    let gone = (index + 1) % 3;
    let lost: Vec<bool> = keys.iter().map(|key| holder(key) == gone).collect();
    assert!(lost.contains(&true) && lost.contains(&false));
    block_in_place(|| {
        cluster.servers_mut()[gone].kill();
        cluster.servers_mut()[Cluster::replica_of(gone)].kill();
    });
    let error = store.multi_get(&space, &keys).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
    assert!(error.is_retryable(), "{error}");
    let there: Vec<Key> =
        keys.iter().zip(&lost).filter(|(_, lost)| !**lost).map(|(key, _)| key.clone()).collect();
    let records = store.multi_get(&space, &there).await.unwrap();
    assert!(records.iter().all(Option::is_some));
    let outcomes = store.write(&space, &Batch::each(many(60, "new"))).await.unwrap();
    for (outcome, lost) in outcomes.iter().zip(lost) {
        match outcome {
            Outcome::Stored(_) => assert!(!lost),
            Outcome::Failed(error) => assert!(lost && error.is_retryable(), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_is_enough_to_find_the_others() {
    let cluster = block_in_place(|| Cluster::start_with(&ServerOptions::new().password("secret")));
    let port = cluster.servers()[4].port();
    let url = format!("redis+cluster://:secret@127.0.0.1:{port}?placement=per_key");
    let store = RedisAdapter::connect(&url).await.unwrap();
    store.write(&Space::default(), &Batch::each(many(100, "{}"))).await.unwrap();
    assert_eq!(scan_all(&store).await.len(), 100);
    let wrong = url.replace("secret", "wrong-horse");
    let error = RedisAdapter::connect(&wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    no_secret(&error, "wrong-horse");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_in_no_cluster_is_told_as_such() {
    let server = block_in_place(Server::start);
    let url = format!("redis+cluster://127.0.0.1:{}", server.port());
    let error = RedisAdapter::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_writes_are_seen_also_where_replicas_are_read_that_lag() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let cluster = block_in_place(Cluster::start);
        let config = config(&cluster).placement(placement);
        let primaries = connect(config.clone()).await;
        // In all shards: replicas are known when they have got something.
        for n in 0..60 {
            let space: Space = format!("space-{n}").parse().unwrap();
            primaries.write(&space, &Batch::atomic(many(1, "{}"))).await.unwrap();
        }
        put(&primaries, "card:1", "old").await;
        block_in_place(|| cluster.wait_until_replicas_serve());
        let store = connect(config.clone().read_from_replicas(true)).await;
        let other = connect(config.read_from_replicas(true)).await;
        assert!(store.extensions().change_feed.is_none());
        block_in_place(|| cluster.stop_replication());
        put(&store, "card:1", "new").await;
        for _ in 0..20 {
            assert_eq!(get(&store, "card:1").await.as_deref(), Some("new"));
        }
        // That a replica is asked is seen by what it does not know.
        assert_eq!(get(&other, "card:1").await.as_deref(), Some("old"));
        assert_eq!(get(&primaries, "card:1").await.as_deref(), Some("new"));
        // Scans never ask one.
        put(&store, "card:3", "new").await;
        assert_eq!(scan_all(&other).await, ["card:1", "card:3"]);
    }
}

/// Subscribes as soon as the servers agree on who is written to: until then it is refused.
async fn subscribe_when_they_agree(feed: &dyn ChangeFeed) -> Box<dyn ChangeSubscription> {
    let subscribed = async {
        loop {
            match feed.subscribe().await {
                Ok(subscription) => return subscription,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    };
    timeout(Duration::from_secs(30), subscribed).await.expect("that the servers agree")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_when_another_server_is_written_to_and_goes_on_while_slots_move() {
    let cluster = block_in_place(Cluster::start);
    let (store, other) = (connect(config(&cluster)).await, connect(config(&cluster)).await);
    let feed = store.extensions().change_feed.unwrap();
    let mut subscription = feed.subscribe().await.unwrap();
    put(&other, "card:1", "{}").await;
    let told = subscription.changes().await.unwrap();
    let expected =
        pstate_core::ChangedRecord::new(Space::default(), key("card:1"), ChangedTo::Unknown);
    assert_eq!(told, Changes::Records(vec![expected.clone()]));
    let slot = cluster.slot_of("{pstate:default}");
    let primary = block_in_place(|| {
        let from = cluster.holder(slot);
        let to = (from + 1) % 3;
        cluster.begin_migration(slot, to);
        while cluster.migrate_keys(slot, to, 10) > 0 {}
        cluster.end_migration(slot, to);
        to
    });
    put(&other, "card:1", "[]").await;
    let told = subscription.changes().await.unwrap();
    let Changes::Records(told) = told else { panic!("{told:?}") };
    assert!(told.contains(&expected), "{told:?}");
    block_in_place(|| {
        cluster.fail_over(Cluster::replica_of(primary));
        cluster.wait_until_whole();
    });
    let error = subscription.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let mut subscription = subscribe_when_they_agree(feed).await;
    put(&other, "card:1", "null").await;
    assert_eq!(subscription.changes().await.unwrap(), Changes::Records(vec![expected]));
    let new = put_write("card:2", "{}");
    other.write(&Space::default(), &Batch::atomic(vec![new])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_on_a_primary_that_has_no_slot_yet_is_told_or_ends_the_subscription() {
    let mut cluster = block_in_place(Cluster::start);
    let (store, other) = (connect(config(&cluster)).await, connect(config(&cluster)).await);
    put(&other, "card:1", "{}").await;
    let feed = store.extensions().change_feed.unwrap();
    let mut before = feed.subscribe().await.unwrap();
    block_in_place(|| {
        let to = cluster.add_primary();
        let slot = cluster.slot_of("{pstate:default}");
        cluster.begin_migration(slot, to);
        while cluster.migrate_keys(slot, to, 10) > 0 {}
    });
    // The old server redirects each command with `ASK`, and none for good.
    assert_eq!(get(&store, "card:1").await.as_deref(), Some("{}"));
    let error = before.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let mut subscription = subscribe_when_they_agree(feed).await;
    put(&other, "card:1", "[]").await;
    let expected =
        pstate_core::ChangedRecord::new(Space::default(), key("card:1"), ChangedTo::Unknown);
    assert_eq!(subscription.changes().await.unwrap(), Changes::Records(vec![expected]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_whose_entry_a_failover_has_lost_is_entered_again_by_the_next_write() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let mut cluster = block_in_place(Cluster::start);
        let store = connect(config(&cluster).placement(placement)).await;
        let primary = cluster.holder(cluster.slot_of("pstate:/spaces"));
        // All that such a space has lies on other servers.
        let elsewhere = |space: &Space| match placement {
            Placement::PerSpace => vec![format!("{{pstate:{space}}}")],
            Placement::PerKey => vec![
                format!("pstate:{space}:card:1"),
                format!("pstate:/keys:{{{space}:card}}"),
                format!("pstate:/types:{{{space}}}"),
            ],
        };
        let space = (0..10_000)
            .map(|n| format!("space-{n}").parse::<Space>().unwrap())
            .find(|space| {
                let names = elsewhere(space);
                names.iter().all(|name| cluster.holder(cluster.slot_of(name)) != primary)
            })
            .unwrap();
        block_in_place(|| cluster.stop_replication());
        let put = || Batch::atomic(vec![put_write("card:1", "{}")]);
        store.write(&space, &put()).await.unwrap();
        assert_eq!(store.spaces().await.unwrap(), std::slice::from_ref(&space));
        block_in_place(|| {
            cluster.servers_mut()[primary].kill();
            cluster.wait_until_taken_over(Cluster::replica_of(primary));
        });
        assert_eq!(store.spaces().await.unwrap(), [], "{placement:?}: the replica had it not");
        store.write(&space, &put()).await.unwrap();
        assert_eq!(store.spaces().await.unwrap(), [space], "{placement:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_slot_is_half_moved_each_key_is_found_where_it_is() {
    let cluster = block_in_place(Cluster::start);
    let config = config(&cluster).placement(Placement::PerKey).response_timeout(SHORT);
    let store = connect(config).await;
    let space = Space::default();
    store.write(&space, &Batch::each(many(20, "old"))).await.unwrap();
    let names = ["pstate:/keys:{default:card}", "pstate:default:card:0", "pstate:/types:{default}"];
    block_in_place(|| {
        for name in names {
            let slot = cluster.slot_of(name);
            let to = (cluster.holder(slot) + 1) % 3;
            cluster.begin_migration(slot, to);
            while cluster.migrate_keys(slot, to, 10) > 0 {}
        }
    });
    // None of it ends: all is asked for where it goes.
    assert_eq!(scan_all(&store).await.len(), 20);
    assert_eq!(get(&store, "card:0").await.as_deref(), Some("old"));
    put(&store, "card:0", "new").await;
    assert_eq!(get(&store, "card:0").await.as_deref(), Some("new"));
    put(&store, "card:new", "new").await;
    let record = store.multi_get(&space, &[key("card:0")]).await.unwrap().remove(0).unwrap();
    for (expect, stored) in [
        (Expect::Absent, false),
        (Expect::Revision(record.revision), true),
        (Expect::Revision(record.revision), false),
    ] {
        let write = put_write("card:0", "swapped").expecting(expect);
        let outcomes = store.write(&space, &Batch::atomic(vec![write])).await.unwrap();
        assert_eq!(matches!(outcomes[..], [Outcome::Stored(_)]), stored, "{outcomes:?}");
    }
    let delete = Batch::atomic(vec![Write::delete(key("card:0"))]);
    store.write(&space, &delete).await.unwrap();
    assert_eq!(get(&store, "card:0").await, None);
    assert_eq!(scan_all(&store).await.len(), 20);
    assert_eq!(store.spaces().await.unwrap(), std::slice::from_ref(&space));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_space_that_is_half_moved_waits_and_is_then_refused_without_being_done() {
    let cluster = block_in_place(Cluster::start);
    let store = connect(config(&cluster).response_timeout(SHORT)).await;
    let space = Space::default();
    store.write(&space, &Batch::atomic(many(20, "old"))).await.unwrap();
    let slot = cluster.slot_of("{pstate:default}");
    let to = (cluster.holder(slot) + 1) % 3;
    block_in_place(|| {
        cluster.begin_migration(slot, to);
        cluster.migrate_keys(slot, to, 10);
    });
    let keys: Vec<Key> = (0..20).map(|n| key(&format!("card:{n}"))).collect();
    for key in &keys {
        assert_eq!(get(&store, key.as_str()).await.as_deref(), Some("old"));
    }
    let error = store.write(&space, &Batch::atomic(many(20, "new"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable(), "nothing was done: {error}");
    let error = store.multi_get(&space, &keys).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable(), "{error}");
    block_in_place(|| {
        while cluster.migrate_keys(slot, to, 10) > 0 {}
        cluster.end_migration(slot, to);
    });
    let records = store.multi_get(&space, &keys).await.unwrap();
    assert!(records.iter().flatten().all(|record| &*record.bytes == b"old"));
    store.write(&space, &Batch::atomic(many(20, "new"))).await.unwrap();
}

/// Two servers that redirect to each other, as between the two commands that begin a migration.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_a_slot_that_is_redirected_in_a_circle_ask_for_the_topology_a_few_times() {
    let cluster = block_in_place(Cluster::start);
    let store = connect(config(&cluster).response_timeout(SHORT)).await;
    put(&store, "card:1", "{}").await;
    let slot = cluster.slot_of("{pstate:default}");
    let (from, to) = (cluster.holder(slot), (cluster.holder(slot) + 1) % 3);
    block_in_place(|| {
        let id = cluster.servers()[to].command(&["CLUSTER", "MYID"]);
        let slot = slot.to_string();
        cluster.servers()[from].command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", id.text()]);
        for server in cluster.servers() {
            server.command(&["CONFIG", "RESETSTAT"]);
        }
    });
    // It is stored nowhere, so its holder sends to the next one.
    let reads = (0..10).map(|_| try_get(&store, "card:2"));
    for read in futures_util::future::join_all(reads).await {
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.is_retryable(), "{error}");
    }
    assert_eq!(get(&store, "card:1").await.as_deref(), Some("{}"));
    let calls = |server: &Server, command: &str| {
        let stats = block_in_place(|| server.command(&["INFO", "commandstats"]));
        let line = format!("cmdstat_{command}:calls=");
        let count = stats
            .text()
            .lines()
            .find_map(|text| text.strip_prefix(&line))
            .map(|rest| rest.split(',').next().unwrap().parse::<u32>().unwrap());
        count.unwrap_or_default()
    };
    for server in cluster.servers() {
        let asked = calls(server, "cluster|slots");
        assert!(asked <= 10, "{asked} times");
        let read = calls(server, "get");
        assert!(read <= 10 * 15, "{read} times");
    }
}
