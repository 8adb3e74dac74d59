//! What opening a store refuses, and how it says so.

#[cfg(feature = "cluster")]
use std::time::Duration;

use pstate_core::{Adapter, Durability, ErrorKind};
use pstate_redis::{Placement, RedisAdapter, RedisConfig};
use pstate_testkit::redis::{Reply, Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fixture::{SHORT, config, connect, no_secret, open, put, try_put};

/// Answers as Redis 5 does, which cannot be installed beside the other.
async fn old_server(secret: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 4096];
                while let Ok(read) = stream.read(&mut buffer).await {
                    if read == 0 {
                        return;
                    }
                    let request = String::from_utf8_lossy(&buffer[..read]).to_uppercase();
                    let answer = |word| match word {
                        "HELLO" => format!(
                            "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, \
                             `user`, `{secret}`, \r\n"
                        ),
                        "CLIENT" => "-ERR Unknown subcommand or wrong number\r\n".to_owned(),
                        "AUTH" if !request.contains("HELLO") => "+OK\r\n".to_owned(),
                        "INFO" => {
                            let info = "# Server\r\nredis_version:5.0.14\r\nredis_mode:x\r\n";
                            format!("${}\r\n{info}\r\n", info.len())
                        }
                        _ => String::new(),
                    };
                    let answer: String = request.split("\r\n").map(answer).collect();
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused_with_the_version_that_is_needed() {
    let secret = "correct-horse";
    let port = old_server(secret).await;
    let config = RedisConfig::default().host("127.0.0.1", port).connect_timeout(SHORT);
    for config in [config.clone(), config.username("user").password(secret)] {
        let error = connect(config).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.message().contains("5.0.14"), "{error}");
        assert!(error.message().contains("6.2"), "{error}");
        no_secret(&error, secret);
    }
}

#[tokio::test]
async fn where_nobody_listens_connecting_may_be_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = RedisAdapter::connect(&format!("redis://127.0.0.1:{port}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable(), "{error}");
    assert!(error.message().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn where_nobody_answers_connecting_takes_no_longer_than_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = RedisConfig::default().host("127.0.0.1", port).connect_timeout(SHORT);
    let error = connect(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.is_retryable(), "{error}");
    drop(listener);
}

#[tokio::test]
async fn a_database_that_there_is_not_is_told_as_such() {
    let server = Server::start();
    let error = connect(config(&server).database(99)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(
        error
            .message()
            .ends_with("database 99: index out of range (the server's `databases` setting)"),
        "{error}"
    );
}

#[tokio::test]
async fn another_placement_than_the_store_has_is_refused() {
    let server = Server::start();
    put(&open(&server).await, "card:1", "{}").await;
    let error = connect(config(&server).placement(Placement::PerKey)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("per_space"), "{error}");
    // Another prefix is another store.
    let other = config(&server).placement(Placement::PerKey).prefix("other");
    connect(other).await.unwrap();
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let server = Server::start();
    server.command(&["SET", "pstate:/format", r#"{"format":2,"placement":"per_space"}"#]);
    let error = connect(config(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("another format"), "{error}");
}

#[tokio::test]
async fn durability_is_what_the_server_is_set_up_for() {
    let every_second = ServerOptions::new().set("appendonly", "yes");
    for (options, durability) in [
        (ServerOptions::new(), Durability::None),
        (every_second.clone(), Durability::Process),
        (ServerOptions::new().durable(), Durability::Power),
    ] {
        let server = Server::start_with(&options);
        assert_eq!(open(&server).await.capabilities().durability, durability);
    }
    let server = Server::start_with(&every_second);
    let declared = |durability| connect(config(&server).durability(durability));
    let error = declared(Durability::Power).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("appendfsync"), "{error}");
    let store = declared(Durability::None).await.unwrap();
    assert_eq!(store.capabilities().durability, Durability::None);
}

#[tokio::test]
async fn durability_may_be_declared_where_the_server_does_not_say() {
    let server = Server::start();
    let rules = ["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-config", "-info"];
    server.command(&rules);
    let user = config(&server).username("app").password("secret");
    let silent = connect(user.clone()).await.unwrap();
    assert_eq!(silent.capabilities().durability, Durability::None);
    let declared = connect(user.durability(Durability::Power)).await.unwrap();
    assert_eq!(declared.capabilities().durability, Durability::Power);
}

#[tokio::test]
async fn a_prefix_that_would_be_ambiguous_is_refused() {
    for prefix in ["", "a:b", "{a}", "a b", "a/b", &"a".repeat(65)] {
        let error = connect(RedisConfig::default().prefix(prefix)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("prefix"), "{error}");
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn an_encrypted_address_says_which_feature_it_takes() {
    let error = RedisAdapter::connect("rediss://localhost").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("feature `tls`"), "{error}");
}

#[cfg(not(feature = "cluster"))]
#[tokio::test]
async fn the_address_of_a_cluster_says_which_feature_it_takes() {
    let error = RedisAdapter::connect("redis+cluster://localhost").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("feature `cluster`"), "{error}");
}

/// Answers every request with the same bytes.
async fn other_server(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(answer).await;
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_does_not_speak_redis_is_refused_in_one_line() {
    let answers: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"ERROR\r\n",
        // An alert of TLS.
        b"\x15\x03\x01\x00\x02\x02\x46",
    ];
    for answer in answers {
        let port = other_server(answer).await;
        let error = RedisAdapter::connect(&format!("redis://127.0.0.1:{port}")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(!error.is_retryable(), "{error}");
        assert!(error.message().contains("check host and port"), "{error}");
        assert!(!error.message().contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn a_server_of_a_cluster_is_refused_with_the_address_that_it_takes() {
    let server = Server::start_with(&ServerOptions::new().set("cluster-enabled", "yes"));
    server.command(&["ACL", "SETUSER", "silent", "on", ">x", "~*", "&*", "+@all", "-info"]);
    let silent = config(&server).username("silent").password("x");
    let without_slots = [config(&server), config(&server).database(3), silent.clone()];
    for config in without_slots {
        let error = connect(config).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(!error.is_retryable(), "{error}");
        assert!(error.message().contains("use redis+cluster://"), "{error}");
        assert!(!error.message().contains('\n'), "{error}");
    }
    // One that has only the slots of the store's own keys.
    let own = ["pstate:/format", "pstate:/spaces"];
    for name in own {
        let Reply::Number(slot) = server.command(&["CLUSTER", "KEYSLOT", name]) else { panic!() };
        server.command(&["CLUSTER", "ADDSLOTS", &slot.to_string()]);
    }
    server.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    server.wait_for(&["CLUSTER", "INFO"], |info| info.text().contains("cluster_state:ok"));
    let store = connect(silent).await.unwrap();
    let error = try_put(&store, "card:1", "{}").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert!(error.message().contains("use redis+cluster://"), "{error}");
}

#[cfg(feature = "cluster")]
#[tokio::test]
async fn a_server_by_itself_is_no_cluster() {
    let server = Server::start();
    let url = format!("redis+cluster://127.0.0.1:{}", server.port());
    let error = RedisAdapter::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert!(error.message().contains("use redis://"), "{error}");
}

#[cfg(feature = "cluster")]
#[tokio::test]
async fn a_cluster_of_which_no_server_can_be_reached_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("redis+cluster://127.0.0.1:{port}");
    // Calls are sent again for this long, where the Cluster is known.
    let config = RedisConfig::from_url(&url).unwrap().response_timeout(Duration::from_secs(3600));
    let error = connect(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_retryable(), "{error}");
    assert!(error.message().contains(&port.to_string()), "{error}");
}
