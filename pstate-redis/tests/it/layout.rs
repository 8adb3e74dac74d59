//! What is stored, as other programs see it: a change of this is a new format.

use pstate_core::{Adapter, Batch, Expect, Outcome, Revision, Space};
use pstate_redis::Placement;
use pstate_testkit::redis::{Reply, Server};

use crate::fixture::{config, connect, get, open, page, put, put_write, scan_all, write};

fn keys(server: &Server) -> Vec<String> {
    let reply = server.command(&["KEYS", "*"]);
    let mut keys: Vec<String> = reply.list().iter().map(|key| key.text().to_owned()).collect();
    keys.sort();
    keys
}

fn members(server: &Server, set: &str) -> Vec<String> {
    let reply = match server.command(&["TYPE", set]).text() {
        "zset" => server.command(&["ZRANGE", set, "0", "-1", "WITHSCORES"]),
        _ => server.command(&["SMEMBERS", set]),
    };
    reply.list().iter().map(|member| member.text().to_owned()).collect()
}

#[tokio::test]
async fn records_that_lie_with_their_space() {
    let server = Server::start();
    let store = connect(config(&server).prefix("shop")).await.unwrap();
    let space: Space = "acme".parse().unwrap();
    let writes = vec![put_write("card:1", r#"{"front":"hola"}"#), put_write("deck:a:{b}", "{}")];
    store.write(&space, &Batch::atomic(writes)).await.unwrap();
    assert_eq!(
        keys(&server),
        [
            "shop:/format",
            "shop:/spaces",
            "{shop:acme}:/keys:card",
            "{shop:acme}:/keys:deck",
            "{shop:acme}:/types",
            "{shop:acme}:card:1",
            "{shop:acme}:deck:a:{b}",
        ]
    );
    assert_eq!(server.command(&["GET", "{shop:acme}:card:1"]).text(), r#"{"front":"hola"}"#);
    let format = server.command(&["GET", "shop:/format"]);
    assert_eq!(format.text(), r#"{"format":1,"placement":"per_space"}"#);
    assert_eq!(members(&server, "shop:/spaces"), ["acme"]);
    assert_eq!(members(&server, "{shop:acme}:/keys:card"), ["1", "0"]);
    assert_eq!(members(&server, "{shop:acme}:/keys:deck"), ["a:{b}", "0"]);
}

#[tokio::test]
async fn records_that_lie_by_themselves() {
    let server = Server::start();
    let config = config(&server).prefix("shop").placement(Placement::PerKey);
    let store = connect(config).await.unwrap();
    put(&store, "card:1", r#"{"front":"hola"}"#).await;
    assert_eq!(
        keys(&server),
        [
            "shop:/format",
            "shop:/keys:{default:card}",
            "shop:/new:{default:card}",
            "shop:/spaces",
            "shop:/types:{default}",
            "shop:default:card:1",
        ]
    );
    assert_eq!(server.command(&["GET", "shop:default:card:1"]).text(), r#"{"front":"hola"}"#);
    assert_eq!(members(&server, "shop:/keys:{default:card}"), ["1", "0"]);
    assert_eq!(members(&server, "shop:/types:{default}"), ["card"]);
}

#[tokio::test]
async fn what_other_programs_change_is_noticed_by_compare_and_swap() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        let name = match placement {
            Placement::PerSpace => "{pstate:default}:card:1",
            Placement::PerKey => "pstate:default:card:1",
        };
        put(&store, "card:1", "ours").await;
        let record = page(&store, "card:", 1).await.records.remove(0).1;
        server.command(&["SET", name, "theirs"]);
        let swap = |revision| put_write("card:1", "swapped").expecting(Expect::Revision(revision));
        let outcomes = write(&store, vec![swap(record.revision)]).await.unwrap();
        assert!(matches!(outcomes[..], [Outcome::Conflict]), "{outcomes:?}");
        let digest = server.command(&[
            "EVAL",
            "return redis.sha1hex(redis.call('get', KEYS[1]))",
            "1",
            name,
        ]);
        let revision = u128::from_str_radix(&digest.text()[..32], 16).unwrap();
        let outcomes = write(&store, vec![swap(Revision::from_number(revision))]).await.unwrap();
        assert!(matches!(outcomes[..], [Outcome::Stored(_)]), "{outcomes:?}");
    }
}

#[tokio::test]
async fn what_another_program_has_put_in_a_records_place_is_reported_and_not_overwritten_unseen() {
    let server = Server::start();
    let store = open(&server).await;
    for n in 0..5 {
        put(&store, &format!("card:{n}"), "{}").await;
    }
    server.command(&["DEL", "{pstate:default}:card:2"]);
    server.command(&["LPUSH", "{pstate:default}:card:2", "x"]);
    let page = page(&store, "", 10).await;
    assert_eq!(page.records.len(), 4);
    assert_eq!(page.unreadable.len(), 1);
    assert!(page.unreadable[0].to_string().contains("card:2"), "{}", page.unreadable[0]);
    for expect in [Expect::Absent, Expect::Revision(Revision::from_number(7))] {
        let others = [put_write("card:3", "[]"), put_write("card:2", "{}").expecting(expect)];
        let batch = Batch::each(others.to_vec());
        let outcomes = store.write(&Space::default(), &batch).await.unwrap();
        assert!(matches!(outcomes[..], [Outcome::Stored(_), Outcome::Conflict]), "{outcomes:?}");
    }
    assert_eq!(server.command(&["LLEN", "{pstate:default}:card:2"]), Reply::Number(1));
}

#[tokio::test]
async fn records_that_other_programs_delete_are_gone_and_the_index_is_tidied_up() {
    let server = Server::start();
    let store = open(&server).await;
    for n in 0..5 {
        put(&store, &format!("card:{n}"), "{}").await;
    }
    server.command(&["DEL", "{pstate:default}:card:2"]);
    assert_eq!(get(&store, "card:2").await, None);
    assert_eq!(scan_all(&store).await, ["card:0", "card:1", "card:3", "card:4"]);
    assert_eq!(server.command(&["ZCARD", "{pstate:default}:/keys:card"]), Reply::Number(4));
}
