//! Connections that hang, and connections that are cut.

use std::sync::Arc;
use std::time::Duration;

use pstate_core::{Adapter, Batch, ErrorKind, Space};
use pstate_redis::Placement;
use pstate_testkit::redis::{Proxy, Server};

use tokio::task::block_in_place;

use crate::fixture::{
    SHORT, config, connect, get, key, many, page, put, put_write, scan_all, try_get, try_put, write,
};

/// Longer than any test runs: what waits for this has failed.
const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_server_that_hangs_is_waited_for_no_longer_than_allowed_and_used_again_when_it_goes_on() {
    let server = Server::start();
    let config = config(&server).response_timeout(SHORT).connect_timeout(SHORT);
    let store = connect(config).await.unwrap();
    put(&store, "card:1", "before").await;
    server.pause();
    // In flight, with an unknown effect.
    let error = try_put(&store, "card:1", "perhaps").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!error.is_retryable(), "{error}");
    // There is no new connection either, so nothing is sent.
    let error = try_put(&store, "card:1", "never").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_retryable(), "{error}");
    let error = try_get(&store, "card:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_retryable(), "{error}");
    server.go_on();
    while try_get(&store, "card:1").await.is_err() {}
    let value = get(&store, "card:1").await.unwrap();
    assert!(value == "before" || value == "perhaps", "{value}");
    put(&store, "card:1", "after").await;
    assert_eq!(get(&store, "card:1").await.as_deref(), Some("after"));
}

#[tokio::test]
async fn of_an_atomic_batch_that_is_cut_off_on_its_way_nothing_is_done() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let store = connect(config(&server).host("127.0.0.1", proxy.port())).await.unwrap();
    write(&store, many(100, "old")).await.unwrap();
    for bytes in [1, 100, 1_000, 2_500, 5_000] {
        // The first write of a new connection looks at the lists before it sends the batch.
        put(&store, "card:0", "old").await;
        proxy.cut_after_requests(bytes);
        let error = write(&store, many(100, "new")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.is_retryable(), "its effect is unknown: {error}");
        let keys: Vec<_> = (0..100).map(|n| key(&format!("card:{n}"))).collect();
        let records = store.multi_get(&Space::default(), &keys).await.unwrap();
        assert!(records.iter().flatten().all(|record| &*record.bytes == b"old"), "{bytes}");
    }
}

#[tokio::test]
async fn an_atomic_batch_whose_answer_is_cut_off_is_done_as_a_whole() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let store = connect(config(&server).host("127.0.0.1", proxy.port())).await.unwrap();
    for bytes in [0, 1, 20, 40] {
        write(&store, many(100, "old")).await.unwrap();
        proxy.cut_after_answers(bytes);
        let error = write(&store, many(100, "new")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.is_retryable(), "it was done: {error}");
        let keys: Vec<_> = (0..100).map(|n| key(&format!("card:{n}"))).collect();
        let records = store.multi_get(&Space::default(), &keys).await.unwrap();
        assert!(records.iter().flatten().all(|record| &*record.bytes == b"new"), "{bytes}");
    }
}

#[tokio::test]
async fn of_writes_that_stand_for_themselves_each_is_done_or_not_when_they_are_cut_off() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let proxy = Proxy::start(server.port());
        let config = config(&server).host("127.0.0.1", proxy.port()).placement(placement);
        let store = connect(config).await.unwrap();
        store.write(&Space::default(), &Batch::each(many(100, "old"))).await.unwrap();
        for bytes in [500, 2_000, 4_000] {
            // The first write of a new connection looks at the lists before it sends the batch.
            put(&store, "card:0", "old").await;
            proxy.cut_after_requests(bytes);
            let batch = Batch::each(many(100, "new"));
            let error = store.write(&Space::default(), &batch).await.unwrap_err();
            assert!(!error.is_retryable(), "{error}");
            let keys: Vec<_> = (0..100).map(|n| key(&format!("card:{n}"))).collect();
            let records = store.multi_get(&Space::default(), &keys).await.unwrap();
            let values: Vec<_> = records.iter().flatten().map(|record| &*record.bytes).collect();
            assert_eq!(values.len(), 100);
            assert!(values.iter().all(|value| *value == b"old" || *value == b"new"));
            assert!(values.contains(&&b"old"[..]), "{placement:?}, {bytes}");
        }
    }
}

#[tokio::test]
async fn a_read_that_is_cut_off_may_be_tried_again() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let store = connect(config(&server).host("127.0.0.1", proxy.port())).await.unwrap();
    put(&store, "card:1", "x".repeat(10_000)).await;
    proxy.cut_after_answers(5_000);
    let error = try_get(&store, "card:1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable(), "{error}");
    assert_eq!(get(&store, "card:1").await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_made_again() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let store = connect(config(&server).host("127.0.0.1", proxy.port())).await.unwrap();
    for n in 0..10 {
        put(&store, "card:1", n.to_string()).await;
        proxy.cut();
        // At most one call meets the connection before it is known to be gone.
        if let Err(error) = try_get(&store, "card:1").await {
            assert!(error.is_retryable(), "{error}");
        }
        assert_eq!(get(&store, "card:1").await, Some(n.to_string()));
    }
}

#[tokio::test]
async fn nothing_is_sent_where_nobody_answers() {
    let server = Server::start();
    let proxy = Proxy::start(server.port());
    let store = connect(config(&server).host("127.0.0.1", proxy.port())).await.unwrap();
    put(&store, "card:1", "before").await;
    proxy.refuse(true);
    let mut error = try_put(&store, "card:1", "never").await.unwrap_err();
    if !error.is_retryable() {
        // It has met the connection that was cut.
        error = try_put(&store, "card:1", "never").await.unwrap_err();
    }
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable(), "{error}");
    proxy.refuse(false);
    assert_eq!(get(&store, "card:1").await.as_deref(), Some("before"));
}

/// A connection delivers answers in order, so a large one must not stand before a small one.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_small_does_not_wait_for_what_is_large() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let writer = connect(config(&server).placement(placement)).await.unwrap();
        let large: Vec<_> =
            (0..8).map(|n| put_write(&format!("scan:{n}"), vec![b' '; 1 << 20])).collect();
        let keys: Vec<_> = large.iter().map(|write| write.key.clone()).collect();
        writer.write(&Space::default(), &Batch::each(large)).await.unwrap();
        put(&writer, "card:1", "{}").await;

        let proxy = Proxy::start(server.port());
        let through = config(&server).host("127.0.0.1", proxy.port()).placement(placement);
        let store = Arc::new(connect(through.response_timeout(LONG)).await.unwrap());
        proxy.hold_answers_beyond(Some(1 << 19));
        let reading = {
            let (store, keys) = (store.clone(), keys.clone());
            tokio::spawn(async move { store.multi_get(&Space::default(), &keys).await })
        };
        block_in_place(|| proxy.wait_until_held(1));
        let scanning = {
            let store = store.clone();
            tokio::spawn(async move { page(&store, "scan:", 8).await })
        };
        for n in 0..3 {
            put(&store, "card:1", n.to_string()).await;
            assert_eq!(get(&store, "card:1").await, Some(n.to_string()));
            assert_eq!(page(&store, "card:", 8).await.records.len(), 1);
            store.flush().await.unwrap();
        }
        // A large write does not wait for a large read.
        put(&store, "blob:1", vec![b' '; 2 << 20]).await;
        proxy.hold_answers_beyond(None);
        let records = reading.await.unwrap().unwrap();
        assert!(records.iter().flatten().all(|record| record.bytes.len() == 1 << 20));
        assert_eq!(records.len(), 8);
        assert_eq!(scanning.await.unwrap().records.len(), 8);
    }
}

#[tokio::test]
async fn a_page_of_large_records_ends_before_it_takes_too_much_memory() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        for n in 0..12 {
            put(&store, &format!("scan:{n:02}"), vec![b' '; 8 << 20]).await;
        }
        let store = connect(config(&server).placement(placement)).await.unwrap();
        let first = page(&store, "scan:", 100).await;
        let bytes: usize = first.records.iter().map(|(_, record)| record.bytes.len()).sum();
        assert!(bytes <= 80 << 20, "{bytes}");
        assert!(first.next.is_some());
        assert_eq!(scan_all(&store).await.len(), 12);
    }
}
