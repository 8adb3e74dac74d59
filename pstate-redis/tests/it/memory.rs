//! A server whose memory is full.

use pstate_core::{Adapter, Batch, ErrorKind, Expect, Space};
use pstate_redis::Placement;
use pstate_testkit::redis::Server;

use crate::fixture::{config, connect, get, many, put, put_write, scan_all};

#[tokio::test]
async fn a_full_server_refuses_writes_as_a_whole_and_goes_on_reading() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        put(&store, "card:0", "before").await;
        server.command(&["CONFIG", "SET", "maxmemory", "1"]);
        let new = put_write("card:new", "new").expecting(Expect::Absent);
        for writes in [many(1, "new"), many(50, "new"), vec![new]] {
            let error = store.write(&Space::default(), &Batch::each(writes)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{placement:?}: {error}");
            assert!(error.is_retryable(), "nothing was done: {error}");
            assert!(error.message().contains("maxmemory"), "{error}");
        }
        assert_eq!(get(&store, "card:0").await.as_deref(), Some("before"));
        assert_eq!(scan_all(&store).await, ["card:0"]);
        server.command(&["CONFIG", "SET", "maxmemory", "0"]);
        put(&store, "card:0", "after").await;
        assert_eq!(get(&store, "card:0").await.as_deref(), Some("after"));
    }
}

#[tokio::test]
async fn in_a_full_server_there_is_room_for_deletes() {
    let server = Server::start();
    let store = connect(config(&server)).await.unwrap();
    put(&store, "card:0", "before").await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let delete = pstate_core::Write::delete(crate::fixture::key("card:0"));
    let outcomes = store.write(&Space::default(), &Batch::atomic(vec![delete])).await.unwrap();
    assert!(outcomes[0].is_done(), "{outcomes:?}");
    assert_eq!(get(&store, "card:0").await, None);
}
