//! What is stored, as other programs see it: a change of this is a new format.

use pstate_core::{
    Adapter, Batch, Change, Error, ErrorKind, Expect, Key, Outcome, Revision, Space, Write,
};
use pstate_redis::Placement;
use pstate_testkit::redis::{Reply, Server};

use crate::fixture::{config, connect, get, key, open, page, put, put_write, scan_all, write};

fn keys(server: &Server) -> Vec<String> {
    let reply = server.command(&["KEYS", "*"]);
    let mut keys: Vec<String> = reply.list().iter().map(|key| key.text().to_owned()).collect();
    keys.sort();
    keys
}

fn members(server: &Server, set: &str) -> Vec<String> {
    let is_sorted = server.command(&["TYPE", set]).text() == "zset";
    let reply = if is_sorted {
        server.command(&["ZRANGE", set, "0", "-1", "WITHSCORES"])
    } else {
        server.command(&["SMEMBERS", set])
    };
    let mut members: Vec<String> =
        reply.list().iter().map(|member| member.text().to_owned()).collect();
    if !is_sorted {
        members.sort();
    }
    members
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
    let format: serde_json::Value = serde_json::from_str(format.text()).unwrap();
    let id = format["id"].as_str().unwrap();
    assert_eq!(format, serde_json::json!({"format": 1, "placement": "per_space", "id": id}));
    assert_eq!(id.len(), 32);
    assert_eq!(members(&server, "shop:/spaces"), ["/per_space", "acme"]);
    assert_eq!(members(&server, "{shop:acme}:/types"), ["/", "card", "deck"]);
    assert_eq!(members(&server, "{shop:acme}:/keys:card"), ["", "0", "1", "0"]);
    assert_eq!(members(&server, "{shop:acme}:/keys:deck"), ["", "0", "a:{b}", "0"]);
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
    assert_eq!(members(&server, "shop:/keys:{default:card}"), ["", "0", "1", "0"]);
    assert_eq!(members(&server, "shop:/types:{default}"), ["/", "card"]);
    assert_eq!(members(&server, "shop:/spaces"), ["/per_key", "default"]);
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

/// Keys of every type that Redis has beside strings, and the command that makes one.
const OTHERS: [(&str, &[&str]); 5] = [
    ("list", &["LPUSH", "x"]),
    ("set", &["SADD", "x"]),
    ("zset", &["ZADD", "1", "x"]),
    ("hash", &["HSET", "x", "1"]),
    ("stream", &["XADD", "*", "x", "1"]),
];

#[tokio::test]
async fn what_another_program_has_put_in_a_records_place_is_corrupt_and_not_overwritten_unseen() {
    for placement in [Placement::PerSpace, Placement::PerKey] {
        let server = Server::start();
        let store = connect(config(&server).placement(placement)).await.unwrap();
        for n in 0..5 {
            put(&store, &format!("card:{n}"), "{}").await;
        }
        let name = match placement {
            Placement::PerSpace => "{pstate:default}:card:2",
            Placement::PerKey => "pstate:default:card:2",
        };
        for (found, make) in OTHERS {
            server.command(&["DEL", name]);
            let mut command = vec![make[0], name];
            command.extend(&make[1..]);
            server.command(&command);
            let is_corrupt = |error: &Error| {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                assert!(!error.is_retryable(), "{error}");
                let text = error.to_string();
                assert!(text.contains("card:2") && text.contains(found), "{error}");
            };
            let page = page(&store, "", 10).await;
            assert_eq!(page.records.len(), 4);
            assert_eq!(page.unreadable.len(), 1);
            is_corrupt(&page.unreadable[0]);
            for keys in [vec!["card:2"], vec!["card:1", "card:2", "card:9"]] {
                let keys: Vec<Key> = keys.into_iter().map(key).collect();
                is_corrupt(&store.multi_get(&Space::default(), &keys).await.unwrap_err());
            }
            for expect in [Expect::Absent, Expect::Revision(Revision::from_number(7))] {
                let bad = put_write("card:2", "{}").expecting(expect);
                is_corrupt(&write(&store, vec![bad.clone()]).await.unwrap_err());
                let delete = Write { change: Change::Delete, ..bad.clone() };
                is_corrupt(&write(&store, vec![delete]).await.unwrap_err());
                let batch = Batch::each(vec![put_write("card:3", "[]"), bad.clone()]);
                let outcomes = store.write(&Space::default(), &batch).await.unwrap();
                let [Outcome::Stored(_), Outcome::Failed(error)] = &outcomes[..] else {
                    panic!("{outcomes:?}");
                };
                is_corrupt(error);
                if placement == Placement::PerSpace {
                    let good = put_write("card:8", "{}");
                    is_corrupt(&write(&store, vec![good, bad]).await.unwrap_err());
                    assert_eq!(get(&store, "card:8").await, None);
                }
            }
            assert_eq!(server.command(&["TYPE", name]).text(), found);
        }
        // A put without an expectation replaces whatever there is.
        put(&store, "card:2", "{}").await;
        assert_eq!(get(&store, "card:2").await.as_deref(), Some("{}"));
    }
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
    assert_eq!(server.command(&["ZCARD", "{pstate:default}:/keys:card"]), Reply::Number(5));
}

#[tokio::test]
async fn the_largest_batch_under_expectations_is_one_step_and_its_index_is_exact() {
    let server = Server::start();
    let store = open(&server).await;
    let id = |n: usize| format!("{}:{n:04}", if n.is_multiple_of(3) { "card" } else { "deck" });
    let new = |n: usize| Write {
        key: key(&id(n)),
        expect: Expect::Absent,
        change: Change::Put(n.to_string().into_bytes().into()),
    };
    let stored = write(&store, (0..10_000).map(new).collect()).await.unwrap();
    let replaced_or_deleted = |(n, outcome): (usize, &Outcome)| {
        let Outcome::Stored(revision) = outcome else { panic!("{outcome:?}") };
        let even = n.is_multiple_of(2);
        let change = if even { Change::Delete } else { Change::Put(b"{}"[..].into()) };
        Write { key: key(&id(n)), expect: Expect::Revision(*revision), change }
    };
    let mut writes: Vec<Write> = stored.iter().enumerate().map(replaced_or_deleted).collect();
    let last = writes.len() - 1;
    let expected = std::mem::replace(&mut writes[last].expect, Expect::Absent);
    let outcomes = write(&store, writes.clone()).await.unwrap();
    assert!(matches!(outcomes[last], Outcome::Conflict), "{:?}", outcomes[last]);
    assert!(outcomes[..last].iter().all(|outcome| matches!(outcome, Outcome::Aborted)));
    assert_eq!(get(&store, "card:0000").await.as_deref(), Some("0"));
    writes[last].expect = expected;
    let outcomes = write(&store, writes).await.unwrap();
    assert!(outcomes.iter().all(|o| matches!(o, Outcome::Stored(_) | Outcome::Deleted)));
    let mut left: Vec<String> = (1..10_000).step_by(2).map(id).collect();
    left.sort();
    assert_eq!(scan_all(&store).await, left);
    for entity_type in ["card", "deck"] {
        // The index has its mark as well.
        let ids =
            members(&server, &format!("{{pstate:default}}:/keys:{entity_type}")).len() / 2 - 1;
        assert_eq!(ids, left.iter().filter(|id| id.starts_with(entity_type)).count());
    }
}
