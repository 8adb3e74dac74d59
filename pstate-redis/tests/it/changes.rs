//! What the change feed reports: writes of this adapter, of others, of other programs.

use std::sync::Arc;
use std::time::Duration;

use pstate_core::{
    Adapter, ChangeSubscription, ChangedRecord, ChangedTo, Changes, ErrorKind, PState, Space,
    Staleness, Write,
};
use pstate_redis::{Placement, RedisAdapter};
use pstate_testkit::CountingLayer;
use pstate_testkit::redis::{Proxy, Reply, Server, ServerOptions};

use crate::fixture::{SHORT, config, connect, key, many, open, page, pass, put, put_write, write};

type Subscription = Box<dyn ChangeSubscription>;

async fn subscribe(store: &RedisAdapter) -> Subscription {
    store.extensions().change_feed.unwrap().subscribe().await.unwrap()
}

async fn changes(subscription: &mut Subscription) -> Vec<ChangedRecord> {
    match subscription.changes().await.unwrap() {
        Changes::Records(records) => records,
        other => panic!("records, not {other:?}"),
    }
}

fn changed(text: &str, now: ChangedTo) -> ChangedRecord {
    ChangedRecord::new(Space::default(), key(text), now)
}

#[tokio::test]
async fn our_own_writes_are_told_with_what_they_have_left() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        let mut subscription = subscribe(&store).await;
        assert_eq!(changes(&mut subscription).await, []);
        put(&store, "card:1", "{}").await;
        let revision = page(&store, "card:1", 1).await.records[0].1.revision;
        let told = [changed("card:1", ChangedTo::Revision(revision))];
        assert_eq!(changes(&mut subscription).await, told, "{placement:?}");
        write(&store, vec![Write::delete(key("card:1"))]).await.unwrap();
        assert_eq!(changes(&mut subscription).await, [changed("card:1", ChangedTo::Absent)]);
        assert_eq!(changes(&mut subscription).await, []);
    }
}

#[tokio::test]
async fn what_others_write_is_told_by_key() {
    let server = Server::start();
    let (store, other) = (open(&server).await, open(&server).await);
    let mut subscription = subscribe(&store).await;
    put(&other, "card:1", "{}").await;
    assert_eq!(changes(&mut subscription).await, [changed("card:1", ChangedTo::Unknown)]);
    // As `redis-cli` does.
    server.command(&["SET", "{pstate:default}:card:2", "{}"]);
    server.command(&["SET", "{pstat:default}:card:3", "another store's"]);
    assert_eq!(changes(&mut subscription).await, [changed("card:2", ChangedTo::Unknown)]);
    server.command(&["DEL", "{pstate:default}:card:2"]);
    assert_eq!(changes(&mut subscription).await, [changed("card:2", ChangedTo::Unknown)]);
    server.command(&["PEXPIRE", "{pstate:default}:card:1", "1"]);
    server.wait_for(&["EXISTS", "{pstate:default}:card:1"], |reply| *reply == Reply::Number(0));
    let told = changes(&mut subscription).await;
    assert!(told.contains(&changed("card:1", ChangedTo::Unknown)), "{told:?}");
}

#[tokio::test]
async fn whoever_waits_is_woken_by_a_write() {
    let server = Server::start();
    let (store, other) = (open(&server).await, open(&server).await);
    let mut subscription = subscribe(&store).await;
    let ((), ()) = tokio::join!(subscription.wait(), put(&other, "card:1", "{}"));
    assert_eq!(changes(&mut subscription).await, [changed("card:1", ChangedTo::Unknown)]);
}

#[tokio::test]
async fn emptying_the_server_is_told_as_everything() {
    let server = Server::start();
    let store = open(&server).await;
    put(&store, "card:1", "{}").await;
    let mut subscription = subscribe(&store).await;
    server.command(&["FLUSHALL"]);
    assert_eq!(subscription.changes().await.unwrap(), Changes::Everything);
    assert_eq!(changes(&mut subscription).await, []);
}

#[tokio::test]
async fn what_is_too_much_to_be_listed_is_told_as_everything() {
    let server = Server::start();
    let (store, other) = (open(&server).await, open(&server).await);
    let mut subscription = subscribe(&store).await;
    for round in 0..8 {
        let writes = (0..10_000).map(|n| put_write(&format!("card:{round}-{n}"), "{}"));
        write(&other, writes.collect()).await.unwrap();
    }
    assert_eq!(subscription.changes().await.unwrap(), Changes::Everything);
    assert_eq!(changes(&mut subscription).await, []);
}

#[tokio::test]
async fn a_lost_connection_ends_the_subscription() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let through = config(&server).host("127.0.0.1", proxy.port());
    let (store, other) = (connect(through).await.unwrap(), open(&server).await);
    let mut subscription = subscribe(&store).await;
    proxy.cut();
    put(&other, "card:1", "{}").await;
    let error = subscription.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = subscription.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // A waiting call is woken.
    subscription.wait().await;
    let mut again = subscribe(&store).await;
    put(&other, "card:2", "{}").await;
    assert_eq!(changes(&mut again).await, [changed("card:2", ChangedTo::Unknown)]);
}

#[tokio::test]
async fn a_server_that_hangs_ends_the_subscription() {
    let server = Server::start();
    let store = connect(config(&server).response_timeout(SHORT)).await.unwrap();
    let mut subscription = subscribe(&store).await;
    server.pause();
    let error = subscription.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    server.go_on();
}

#[tokio::test]
async fn a_closed_store_has_no_changes_to_tell() {
    let server = Server::start();
    let store = open(&server).await;
    let mut subscription = subscribe(&store).await;
    store.close().await.unwrap();
    let error = subscription.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = store.extensions().change_feed.unwrap().subscribe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_subscription_does_not_keep_a_dropped_store() {
    let server = Server::start();
    let store = open(&server).await;
    let mut subscription = subscribe(&store).await;
    drop(store);
    let error = subscription.changes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    drop(subscription);
    tokio::task::yield_now().await;
    server.wait_for(&["CLIENT", "LIST"], |clients| clients.text().lines().count() == 1);
}

#[tokio::test]
async fn caches_follow_the_clock_where_that_is_asked_for() {
    let server = Server::start();
    let store = connect(config(&server).change_feed(false)).await.unwrap();
    assert!(store.extensions().change_feed.is_none());
}

/// Two handles, as two processes have them: with caches and connections of their own.
async fn handles(server: &Server, staleness: Staleness) -> (PState, PState, Arc<CountingLayer>) {
    let counting = Arc::new(CountingLayer::new(Arc::new(open(server).await)));
    let one = PState::builder(counting.clone()).staleness(staleness).build().unwrap();
    let two = PState::builder(Arc::new(open(server).await)).staleness(staleness).build().unwrap();
    (one, two, counting)
}

fn object(n: usize) -> serde_json::Value {
    serde_json::json!({ "n": n })
}

async fn number(pstate: &PState) -> u64 {
    let document = pstate.get("card:1").await.unwrap().unwrap();
    document.get("n").unwrap().unwrap().as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_staleness_a_read_sees_what_another_handle_has_written() {
    let server = Server::start();
    let (one, two, _) = handles(&server, Staleness::None).await;
    for n in 0..50 {
        let (writer, reader) = if n % 2 == 0 { (&one, &two) } else { (&two, &one) };
        writer.put("card:1", &object(n)).await.unwrap();
        assert_eq!(number(reader).await, n as u64);
        assert_eq!(number(writer).await, n as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_bound_a_handle_comes_to_see_what_another_has_written() {
    let server = Server::start();
    let bound = Duration::from_millis(50);
    let (one, two, _) = handles(&server, Staleness::AtMost(bound)).await;
    for n in 0..20 {
        one.put("card:1", &object(n)).await.unwrap();
        while number(&two).await != n as u64 {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_writes_stay_cached() {
    let server = Server::start();
    let (one, _two, counting) = handles(&server, Staleness::None).await;
    one.put("card:1", &object(0)).await.unwrap();
    number(&one).await;
    counting.take();
    for n in 1..50 {
        one.put("card:1", &object(n)).await.unwrap();
        assert_eq!(number(&one).await, n as u64);
    }
    assert_eq!(counting.take().reads, 0, "all of them came from the cache");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stale_is_served_after_a_connection_was_lost() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let through = connect(config(&server).host("127.0.0.1", proxy.port())).await.unwrap();
    let one = PState::builder(Arc::new(through)).staleness(Staleness::None).build().unwrap();
    let other = open(&server).await;
    for n in 0..3 {
        put(&other, "card:1", object(n).to_string()).await;
        // The first reads may meet the connection that was cut.
        let mut read = one.get("card:1").await;
        while read.is_err() {
            read = one.get("card:1").await;
        }
        let document = read.unwrap().unwrap();
        assert_eq!(document.get("n").unwrap().unwrap(), n);
        proxy.cut();
        write(&other, many(5, "{}")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_is_served_until_the_server_removes_it() {
    let server = Server::start_with(&ServerOptions::new().set("enable-debug-command", "yes"));
    let (one, _two, _) = handles(&server, Staleness::None).await;
    one.put("card:1", &object(1)).await.unwrap();
    assert_eq!(number(&one).await, 1);
    server.command(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    let name = "{pstate:default}:card:1";
    // Long enough for the read that caches the document.
    server.command(&["PEXPIRE", name, "1000"]);
    assert_eq!(number(&one).await, 1);
    pass(&server, Duration::from_millis(1100));
    assert_eq!(number(&one).await, 1, "the server has not removed it");
    // A client that comes across it makes the server remove it.
    assert_eq!(server.command(&["EXISTS", name]), Reply::Number(0));
    assert!(one.get("card:1").await.unwrap().is_none());
}

/// Which cached reads succeed while the server is down: what the README says.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_down_cached_reads_succeed_within_their_bound() {
    let mut server = Server::start();
    let handle = |staleness, feed| {
        let config = config(&server).change_feed(feed);
        async move {
            let store = Arc::new(connect(config).await.unwrap());
            let pstate = PState::builder(store).staleness(staleness).build().unwrap();
            pstate.put("card:1", &object(1)).await.unwrap();
            // The feed begins with the first read.
            number(&pstate).await;
            number(&pstate).await;
            pstate
        }
    };
    let long = Staleness::AtMost(Duration::from_secs(3600));
    let short = Staleness::AtMost(Duration::from_millis(200));
    let readable = [
        handle(Staleness::Unbounded, true).await,
        handle(Staleness::Unbounded, false).await,
        handle(long, true).await,
        handle(long, false).await,
    ];
    let refused = [
        handle(Staleness::None, true).await,
        handle(Staleness::None, false).await,
        handle(short, true).await,
        handle(short, false).await,
    ];
    for pstate in readable.iter().chain(&refused) {
        number(pstate).await;
    }
    tokio::task::block_in_place(|| server.kill());
    for pstate in &refused {
        let mut read = pstate.get("card:1").await;
        while read.is_ok() {
            read = pstate.get("card:1").await;
        }
        let error = read.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
        assert!(error.is_retryable(), "{error}");
    }
    for (n, pstate) in readable.iter().enumerate() {
        let read = pstate.get("card:1").await;
        assert!(read.is_ok_and(|found| found.is_some()), "{n}");
    }
    tokio::task::block_in_place(|| server.restart_empty());
    for pstate in &refused {
        // A read may meet the connection that is gone.
        while pstate.get("card:1").await.is_err() {}
        assert!(pstate.get("card:1").await.unwrap().is_none());
    }
}
