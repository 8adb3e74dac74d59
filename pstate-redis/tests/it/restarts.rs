//! Servers that are killed, forget, or are emptied.

use pstate_core::{Adapter, Durability, ErrorKind, Expect, Outcome, Revision};
use pstate_redis::Placement;
use pstate_testkit::redis::{Server, ServerOptions};

use crate::fixture::{
    config, connect, get, open, put, put_write, scan_all, try_get, try_put, write,
};

#[tokio::test]
async fn while_a_server_is_gone_calls_are_refused_and_may_be_tried_again_and_then_all_is_there() {
    let mut server = Server::start_with(&ServerOptions::new().durable());
    let store = open(&server).await;
    for n in 0..100 {
        put(&store, &format!("card:{n}"), n.to_string()).await;
    }
    server.kill();
    let error = try_get(&store, "card:0").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable(), "{error}");
    // Writes have a connection of their own, and this one may have been sent on it.
    let error = try_put(&store, "card:0", "lost").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // By now it is known that there is no connection, so nothing is sent.
    let error = try_put(&store, "card:0", "lost").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable(), "{error}");

    // A flush that nothing waits for reports it all the same.
    let error = store.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);

    server.restart();
    store.flush().await.unwrap();
    for n in 0..100 {
        assert_eq!(get(&store, &format!("card:{n}")).await, Some(n.to_string()));
    }
    put(&store, "card:0", "later").await;
    assert_eq!(get(&store, "card:0").await.as_deref(), Some("later"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_by_kills_of_a_server_that_saves_each() {
    let mut server = Server::start_with(&ServerOptions::new().durable());
    let store = open(&server).await;
    assert_eq!(store.capabilities().durability, Durability::Power);
    let mut acknowledged = 0_u64;
    for _ in 0..5 {
        let before = acknowledged;
        let writing = async {
            loop {
                if let Err(error) = try_put(&store, "card:1", &(acknowledged + 1).to_string()).await
                {
                    // The connection of the last round may have been met once more.
                    if acknowledged > before {
                        return error;
                    }
                } else {
                    acknowledged += 1;
                }
            }
        };
        let kill = async {
            // Somewhere among the writes.
            let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
            while number(try_get(&store, "card:1").await.unwrap_or_default()) < Some(before + 20) {}
            tokio::task::block_in_place(|| server.kill());
        };
        let (error, ()) = tokio::join!(writing, kill);
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}");
        tokio::task::block_in_place(|| server.restart());
        while try_get(&store, "card:1").await.is_err() {}
        let stored: u64 = get(&store, "card:1").await.unwrap().parse().unwrap();
        // The one that failed may have happened.
        assert!(stored == acknowledged || stored == acknowledged + 1, "{stored}, {acknowledged}");
        acknowledged = stored;
    }
}

#[tokio::test]
async fn a_server_that_comes_back_with_nothing_is_used_as_a_new_one() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let mut server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        assert_eq!(store.capabilities().durability, Durability::None);
        put(&store, "card:1", "old").await;
        server.kill();
        server.restart_empty();
        // The first call may still meet the connection that is gone.
        while try_get(&store, "card:1").await.is_err() {}
        assert_eq!(get(&store, "card:1").await, None);
        assert_eq!(scan_all(&store).await, Vec::<String>::new());
        // Known to this adapter from before, and not to the server.
        put(&store, "card:2", "new").await;
        assert_eq!(scan_all(&store).await, ["card:2"]);
        let spaces = store.spaces().await.unwrap();
        assert_eq!(spaces.len(), 1, "{placement:?}");
    }
}

#[tokio::test]
async fn a_store_that_somebody_has_emptied_is_used_as_a_new_one() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        put(&store, "card:1", "old").await;
        server.command(&["FLUSHALL"]);
        assert_eq!(store.spaces().await.unwrap(), []);
        put(&store, "card:2", "new").await;
        assert_eq!(scan_all(&store).await, ["card:2"]);
        assert_eq!(store.spaces().await.unwrap().len(), 1, "{placement:?}");
    }
}

#[tokio::test]
async fn scripts_that_a_server_has_forgotten_are_sent_again() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        for n in 0..3 {
            server.command(&["SCRIPT", "FLUSH"]);
            let new = put_write(&format!("card:{n}"), "{}").expecting(Expect::Absent);
            let outcomes = write(&store, vec![new]).await.unwrap();
            assert!(matches!(outcomes[..], [Outcome::Stored(_)]), "{outcomes:?}");
            server.command(&["SCRIPT", "FLUSH"]);
            let stale =
                put_write("card:0", "x").expecting(Expect::Revision(Revision::from_number(1)));
            let outcomes = write(&store, vec![stale]).await.unwrap();
            assert!(matches!(outcomes[..], [Outcome::Conflict]), "{outcomes:?}");
        }
    }
}
