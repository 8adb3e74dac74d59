//! Users, passwords, permissions, databases and prefixes.

use std::sync::Arc;
use std::time::Duration;

use pstate_core::{Adapter, Changes, ErrorKind, Expect, PState, Staleness};
use pstate_redis::{Placement, RedisAdapter, RedisConfig};
use pstate_testkit::CountingLayer;
use pstate_testkit::redis::{Server, ServerOptions};

use crate::fixture::{
    config, connect, get, no_secret, open, put, put_write, scan_all, try_get, try_put, write,
};

const SECRET: &str = "correct-horse";

#[tokio::test]
async fn a_wrong_password_is_told_as_such_and_not_shown() {
    let server = Server::start_with(&ServerOptions::new().password("right"));
    for config in [
        config(&server).password(SECRET),
        config(&server).username(SECRET).password(SECRET),
        config(&server),
    ] {
        let error = connect(config).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(!error.is_retryable(), "{error}");
        no_secret(&error, SECRET);
    }
}

#[tokio::test]
async fn a_missing_password_is_asked_for() {
    let server = Server::start_with(&ServerOptions::new().password("right"));
    let error = connect(config(&server)).await.unwrap_err();
    assert!(
        error
            .message()
            .ends_with("the server asks for a password; give one: redis://:PASSWORD@host"),
        "{error}"
    );
}

#[tokio::test]
async fn a_password_where_none_is_needed_is_told_as_such() {
    let server = Server::start();
    let error = connect(config(&server).username("stranger").password(SECRET)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    no_secret(&error, SECRET);
}

#[tokio::test]
async fn user_password_database_and_prefix_come_from_the_address() {
    let server = Server::start();
    let rules = ["ACL", "SETUSER", "us@er", "on", ">p:a/ss", "~*", "&*", "+@all"];
    server.command(&rules);
    let port = server.port();
    let url = format!("redis://us%40er:p%3Aa%2Fss@127.0.0.1:{port}/3?prefix=shop");
    let store = RedisAdapter::connect(&url).await.unwrap();
    put(&store, "card:1", "{}").await;
    no_secret_in(&store, "p:a/ss");
    let keyspace = server.command(&["INFO", "keyspace"]);
    assert!(keyspace.text().contains("db3:"), "{keyspace:?}");
    assert!(!keyspace.text().contains("db0:"), "{keyspace:?}");
    let others = RedisConfig::from_url(&url).unwrap().prefix("other");
    assert_eq!(get(&connect(others).await.unwrap(), "card:1").await, None);
}

fn no_secret_in(store: &RedisAdapter, secret: &str) {
    let shown = format!("{store:?}");
    assert!(!shown.contains(secret), "{shown}");
}

#[tokio::test]
async fn stores_with_other_prefixes_and_databases_are_apart() {
    let server = Server::start();
    let stores = [
        config(&server),
        config(&server).prefix("pstate2"),
        config(&server).prefix("pstat"),
        config(&server).database(1),
    ];
    for (n, config) in stores.iter().enumerate() {
        put(&connect(config.clone()).await.unwrap(), "card:1", n.to_string()).await;
    }
    for (n, config) in stores.into_iter().enumerate() {
        let store = connect(config).await.unwrap();
        assert_eq!(get(&store, "card:1").await, Some(n.to_string()));
        assert_eq!(scan_all(&store).await, ["card:1"]);
        assert_eq!(store.spaces().await.unwrap().len(), 1);
    }
}

/// What the README says that a user needs, for this prefix.
fn permissions() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let rules = readme.lines().find_map(|line| line.strip_prefix("    ACL SETUSER app "));
    rules.unwrap().split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_user_with_the_permissions_that_the_readme_names_can_do_everything() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let rules = permissions();
        let mut command = vec!["ACL", "SETUSER", "app"];
        command.extend(rules.iter().map(String::as_str));
        server.command(&command);
        let user = config(&server).username("app").password("secret");
        let store = connect(user.clone().placement(placement)).await.unwrap();
        put(&store, "card:1", "{}").await;
        put(&store, "card:1", "[]").await;
        let new = put_write("card:2", "{}").expecting(Expect::Absent);
        write(&store, vec![new]).await.unwrap();
        assert_eq!(scan_all(&store).await, ["card:1", "card:2"]);
        // An entry without a record, to be tidied up.
        let name = match placement {
            Placement::PerSpace => "{pstate:default}:card:1",
            Placement::PerKey => "pstate:default:card:1",
        };
        server.command(&["DEL", name]);
        assert_eq!(scan_all(&store).await, ["card:2"]);
        assert_eq!(store.spaces().await.unwrap().len(), 1);
        let feed = store.extensions().change_feed.unwrap();
        let mut subscription = feed.subscribe().await.unwrap();
        put(&store, "card:2", "[]").await;
        subscription.changes().await.unwrap();
        let denied = server.command(&["ACL", "LOG"]);
        assert_eq!(denied.list(), [], "{placement:?}");
        // And no more than that.
        let other = connect(user.prefix("other").placement(placement)).await.unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Config, "{other}");
    }
}

#[tokio::test]
async fn what_a_user_may_not_do_is_told_as_such() {
    let server = Server::start();
    put(&open(&server).await, "card:1", "there").await;
    server
        .command(&["ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@all", "-@write", "+set"]);
    let user = config(&server).username("reader").password("secret");
    let store = connect(user).await.unwrap();
    assert_eq!(try_get(&store, "card:1").await.unwrap().as_deref(), Some("there"));
    let error = try_put(&store, "card:1", "new").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(get(&store, "card:1").await.as_deref(), Some("there"));
}

/// A permission or a type that is wrong may show when a part of a write is done already.
#[tokio::test]
async fn a_write_that_was_half_done_is_told_as_one_whose_effect_is_unknown() {
    let server = Server::start();
    server.command(&["ACL", "SETUSER", "user", "on", ">secret", "~*", "&*", "+@all"]);
    let store = connect(config(&server).username("user").password("secret")).await.unwrap();
    put(&store, "card:0", "{}").await;
    server.command(&["ACL", "SETUSER", "user", "-zadd"]);
    let mut subscription = store.extensions().change_feed.unwrap().subscribe().await.unwrap();
    // In a script the server looks when it comes to it.
    let new = put_write("card:1", "{}").expecting(Expect::Absent);
    let error = write(&store, vec![new]).await.unwrap_err();
    assert_eq!(get(&store, "card:1").await.as_deref(), Some("{}"), "half done");
    assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert_ne!(subscription.changes().await.unwrap(), Changes::Records(vec![]));
    // In a transaction it looks before.
    let error = try_put(&store, "card:2", "{}").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(get(&store, "card:2").await, None);

    let store = open(&server).await;
    server.command(&["SET", "{pstate:default}:/keys:card", "no index"]);
    let error = try_put(&store, "card:3", "{}").await.unwrap_err();
    assert_eq!(get(&store, "card:3").await.as_deref(), Some("{}"), "half done");
    assert_eq!(error.kind(), ErrorKind::Other, "{error}");
    assert!(!error.is_retryable(), "{error}");
    // The script looks before it begins.
    let new = put_write("card:4", "{}").expecting(Expect::Absent);
    let error = write(&store, vec![new]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(get(&store, "card:4").await, None);
}

/// What administrators usually deny. The last is what the README allows to leave out.
const DENIED: [&[&str]; 5] = [
    &["-@dangerous"],
    &["-@admin"],
    &["-@admin", "-@dangerous", "-@keyspace", "+del", "+exists", "+type"],
    &["-role"],
    &["-info", "-config|get", "-scan"],
];

#[tokio::test(flavor = "multi_thread")]
async fn users_without_dangerous_commands_read_from_the_cache() {
    for denied in DENIED {
        for staleness in [Staleness::None, Staleness::AtMost(Duration::from_secs(60))] {
            let server = Server::start();
            let mut rules = vec!["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all"];
            rules.extend(denied);
            server.command(&rules);
            let user = config(&server).username("app").password("secret");
            let counting = Arc::new(CountingLayer::new(Arc::new(connect(user).await.unwrap())));
            let builder = PState::builder(counting.clone()).staleness(staleness);
            let pstate = builder.build().unwrap();
            pstate.put("card:1", &serde_json::json!({})).await.unwrap();
            pstate.get("card:1").await.unwrap().unwrap();
            counting.take();
            for _ in 0..20 {
                pstate.get("card:1").await.unwrap().unwrap();
            }
            assert_eq!(counting.take().reads, 0, "{denied:?}, {staleness:?}");
            pstate.flush().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_user_who_may_not_follow_changes_is_refused_with_the_missing_rule() {
    let server = Server::start();
    let denied = "-client|tracking";
    server.command(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", denied]);
    let user = config(&server).username("app").password("secret");
    let error = connect(user.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(!error.is_retryable(), "{error}");
    assert!(error.message().contains("+client|tracking"), "{error}");
    assert!(error.message().contains("change_feed(false)"), "{error}");
    put(&connect(user.change_feed(false)).await.unwrap(), "card:1", "{}").await;
}
