//! Puts of many tasks at once, which are sent together.

use futures_util::future::join_all;
use pstate_core::{ErrorKind, Result};
use pstate_redis::{RedisAdapter, RedisConfig};
use pstate_testkit::redis::Server;

use crate::fixture::{config, connect, get, key, open, page, put, scan_all, try_put};

const PUTS: usize = 64;

/// Puts all of these at once.
async fn put_all(store: &RedisAdapter, names: &[String]) -> Vec<Result<()>> {
    join_all(names.iter().map(|name| try_put(store, name, name))).await
}

fn names(entity_type: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{entity_type}:{n:02}")).collect()
}

/// How often the server has executed a command.
fn calls(server: &Server, command: &str) -> usize {
    let info = server.command(&["INFO", "commandstats"]);
    let line = format!("cmdstat_{command}:calls=");
    let count = info.text().lines().find_map(|text| text.strip_prefix(&line)?.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn they_are_few_transactions_and_each_is_stored_and_in_the_index() {
    let server = Server::start();
    let store = open(&server).await;
    put(&store, "card:00", "first").await;
    let before = calls(&server, "exec");
    let names = names("card", PUTS);
    for stored in put_all(&store, &names).await {
        stored.unwrap();
    }
    let transactions = calls(&server, "exec") - before;
    assert!(transactions < PUTS / 8, "{transactions} transactions");
    assert_eq!(scan_all(&store).await, names);
    for name in &names {
        assert_eq!(get(&store, name).await.as_ref(), Some(name));
    }
}

#[tokio::test]
async fn of_several_of_one_record_all_succeed_and_one_is_stored_with_its_revision() {
    let server = Server::start();
    let store = open(&server).await;
    let values: Vec<String> = (0..PUTS).map(|n| n.to_string()).collect();
    let puts = values.iter().map(|value| try_put(&store, "card:1", value));
    for stored in join_all(puts).await {
        stored.unwrap();
    }
    let record = page(&store, "card:", 1).await.records.remove(0);
    assert_eq!(record.0, key("card:1"));
    assert!(values.iter().any(|value| value.as_bytes() == &*record.1.bytes));
}

#[tokio::test]
async fn an_index_that_another_program_has_replaced_fails_only_the_records_of_its_type() {
    let server = Server::start();
    let store = open(&server).await;
    put(&store, "card:00", "first").await;
    put(&store, "deck:00", "first").await;
    server.command(&["SET", "{pstate:default}:/keys:deck", "no index"]);
    let (cards, decks) = (names("card", PUTS / 2), names("deck", PUTS / 2));
    let both: Vec<String> =
        cards.iter().zip(&decks).flat_map(|(card, deck)| [card.clone(), deck.clone()]).collect();
    for (name, stored) in both.iter().zip(put_all(&store, &both).await) {
        assert_eq!(stored.is_ok(), name.starts_with("card:"), "{name}: {stored:?}");
    }
    for card in &cards {
        assert_eq!(get(&store, card).await.as_ref(), Some(card));
    }
}

#[tokio::test]
async fn a_record_that_the_user_may_not_write_fails_alone() {
    let server = Server::start();
    put(&open(&server).await, "card:00", "first").await;
    let rules = "on >secret resetkeys ~pstate:* ~{pstate:default}:/* ~{pstate:default}:card:0* \
                 %R~{pstate:* +@all";
    let rules: Vec<&str> = ["ACL", "SETUSER", "app"].into_iter().chain(rules.split(' ')).collect();
    server.command(&rules.into_iter().filter(|rule| !rule.is_empty()).collect::<Vec<_>>());
    let config: RedisConfig = config(&server).username("app").password("secret");
    let store = connect(config.change_feed(false)).await.unwrap();
    let names = names("card", PUTS);
    for (name, stored) in names.iter().zip(put_all(&store, &names).await) {
        match stored {
            Ok(()) => assert!(name.starts_with("card:0"), "{name}"),
            Err(error) => {
                assert!(!name.starts_with("card:0"), "{name}: {error}");
                assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            }
        }
    }
    assert_eq!(scan_all(&store).await, names[..10]);
}
