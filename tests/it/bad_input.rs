//! Bad input gets an error that says what is wrong, and where.

use std::sync::Arc;

use futures_util::StreamExt;
use pstate::schema::{Entity, UndeclaredTypes, has_one, string};
use pstate::sqlite::{SqliteAdapter, SqliteConfig};
use pstate::{
    Adapter, Batch, Collection, Error, ErrorKind, MemoryAdapter, PState, Path, Preload, Schema,
    Warm, Write,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::stores::{Store, on_each_store};

#[derive(Debug, Serialize, Deserialize)]
struct Card {
    n: u32,
}

on_each_store! {
    async fn malformed_keys_and_references(store: Store) {
        let pstate = store.plain();
        let message = async |key: &str| pstate.get(key).await.unwrap_err().to_string();
        assert_eq!(message("").await, "get: key \"\": no ':' between type and id");
        assert_eq!(message("base card:1").await, "get: key \"base card:1\": ' ' at byte 4; a type matches [a-z][a-z0-9_]*");
        assert_eq!(message("card:a\u{7}").await, "get: key \"card:a\\u{7}\": control character '\\u{7}' at byte 6");
        assert_eq!(
            pstate.space("ACME").unwrap_err().to_string(),
            "space \"ACME\": 'A' at byte 0; a name matches [a-z0-9][a-z0-9_-]*"
        );

        pstate.put("deck:1", &json!({"owner": {"$ref": "nobody"}, "cards": ["card:1"]})).await.unwrap();
        let message = async |spec: &str| pstate.preload("deck:1", spec).await.unwrap_err().to_string();
        assert_eq!(
            message("owner").await,
            "preload: deck:1: field `owner`: expected a reference, \
             found a `$ref` that is no key, `type:id`"
        );
        assert_eq!(
            message("cards").await,
            "preload: deck:1: field `cards`: expected a reference or a collection of references, \
             found an array without references"
        );
    }

    async fn a_prefix_that_no_key_begins_with_is_an_error_as_the_key_is(store: Store) {
        let pstate = store.plain();
        let (scanned, warmed) = (pstate.clone(), pstate.clone());
        let scan = async move |prefix: &str| scanned.scan(prefix).page().await.map(|_| ());
        let warm = async move |prefix: &str| {
            warmed.warm(Warm::new().prefix("card:").prefix(prefix))?.wait().await.map(|_| ())
        };
        for prefix in ["", "c", "card:", "card:%"] {
            scan(prefix).await.unwrap();
            warm(prefix).await.unwrap();
        }
        for (prefix, reason) in [
            ("Card:", "'C' at byte 0; a type matches [a-z][a-z0-9_]*"),
            ("card*", "'*' at byte 4; a type matches [a-z][a-z0-9_]*"),
            (":1", "no type before the ':'"),
            ("card:a\u{7}", "control character '\\u{7}' at byte 6"),
        ] {
            let (scan, warm) = (scan(prefix).await.unwrap_err(), warm(prefix).await.unwrap_err());
            assert_eq!(scan.kind(), ErrorKind::InvalidInput);
            assert_eq!(scan.to_string(), format!("scan: prefix {prefix:?}: {reason}"));
            assert_eq!(warm.to_string(), format!("warm: prefix {prefix:?}: {reason}"));
            let mut stream = pstate.scan(prefix).stream();
            let streamed = stream.next().await.unwrap().unwrap_err();
            assert_eq!(streamed.to_string(), scan.to_string());
            assert!(stream.next().await.is_none());
        }
    }

    async fn errors_name_the_method_that_the_program_called(store: Store) {
        const CARDS: Collection<Card> = Collection::new("card");
        let pstate = store.plain();
        let named = |error: Error| error.operation().unwrap();
        assert_eq!(named(pstate.get_resolved("card", 1).await.unwrap_err()), "get_resolved");
        assert_eq!(named(pstate.preload("card:1", "a(").await.unwrap_err()), "preload");
        assert_eq!(named(pstate.explain("card", "a").unwrap_err()), "explain");
        assert_eq!(named(pstate.explain("card:1", "a(").unwrap_err()), "explain");
        assert_eq!(named(pstate.multi_get(["card"]).await.unwrap_err()), "multi_get");
        assert_eq!(named(pstate.multi_get_each(["card"]).await.unwrap_err()), "multi_get_each");
        assert_eq!(named(CARDS.get(&pstate, "").await.unwrap_err()), "get");
        assert_eq!(named(CARDS.multi_get(&pstate, [""]).await.unwrap_err()), "multi_get");
        assert_eq!(named(CARDS.delete(&pstate, "").await.unwrap_err()), "delete");
        assert_eq!(named(CARDS.put(&pstate, "", &Card { n: 1 }).await.unwrap_err()), "put");

        pstate.put("card:1", &json!({"n": "one"})).await.unwrap();
        let not_decoded = [
            ("get", CARDS.get(&pstate, "1").await.unwrap_err()),
            ("multi_get", CARDS.multi_get(&pstate, ["1"]).await.unwrap_err()),
            ("scan", CARDS.scan(&pstate).next().await.unwrap().unwrap_err()),
        ];
        for (name, error) in not_decoded {
            assert_eq!(error.key().unwrap().as_str(), "card:1");
            assert_eq!(error.space(), Some(pstate.current_space()));
            assert_eq!(named(error), name);
        }
    }

    async fn failures_within_a_preload_or_a_job_name_the_call(store: Store) {
        let pstate = store.plain();
        pstate.put("deck:1", &json!({"card": {"$ref": "card:1"}})).await.unwrap();
        let damaged = Batch::each(vec![Write::put("card:1".parse().unwrap(), *b"[1]")]);
        store.adapter().write(pstate.current_space(), &damaged).await.unwrap();
        let preload = Preload::new().path(Path::new("card")).keep_going();
        let loaded = store.plain().preload("deck:1", preload).await.unwrap().unwrap();
        let warm = Warm::new().prefix("card:");
        let warmed = store.plain().warm(warm).unwrap().wait().await.unwrap();
        for (name, failures) in [("preload", loaded.failures()), ("warm", &warmed.failures[..])] {
            let [failure] = failures else { panic!("{failures:?}") };
            assert_eq!(failure.operation(), Some(name));
            assert_eq!(failure.key().unwrap().as_str(), "card:1");
            assert_eq!(failure.space(), Some(pstate.current_space()));
        }
        assert_eq!(
            loaded.failures()[0].to_string(),
            "preload: card:1: a document is a JSON object, this is an array (path `card` from deck:1)"
        );
    }

    async fn errors_within_a_preload_name_the_call_the_root_and_the_path(store: Store) {
        let pstate = store.plain();
        let reference = |key: &str| json!({ "$ref": key });
        pstate.put("shelf:1", &json!({"name": "x", "decks": [reference("deck:1")]})).await.unwrap();
        pstate.put("deck:1", &json!({"a b": reference("card:1"), "n": [reference("hunter2")]})).await.unwrap();
        let damaged = Batch::each(vec![
            Write::put("card:1".parse().unwrap(), *b"[1]"),
            Write::put("card:2".parse().unwrap(), *br#"{"n":1e999}"#),
            Write::put("deck:2".parse().unwrap(), *br#"{"card":{"$ref":"card:2"}}"#),
        ]);
        store.adapter().write(pstate.current_space(), &damaged).await.unwrap();
        let message = async |key: &str, preload: &str| {
            store.plain().preload(key, preload).await.unwrap_err().to_string()
        };
        assert_eq!(
            message("shelf:1", "decks*2.\"a b\"").await,
            "preload: card:1: a document is a JSON object, this is an array (path `decks.\"a b\"` from shelf:1)"
        );
        assert_eq!(
            message("shelf:1", "decks.n").await,
            "preload: deck:1: field `n`, entry 0: expected a reference, found a `$ref` that is no key, `type:id` (path `decks.n` from shelf:1)"
        );
        let out_of_range = message("deck:2", "card(filter: n = 1)").await;
        assert!(out_of_range.starts_with("preload: card:2: number out of range"), "{out_of_range}");
        assert!(out_of_range.ends_with("(path `card` from deck:2)"), "{out_of_range}");
        assert_eq!(message("card:1", "a").await, "preload: card:1: a document is a JSON object, this is an array");

        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        pstate.get("shelf:1").await.unwrap();
        faults.fail(pstate_testkit::Call::Read, Error::new(ErrorKind::Unavailable, "gone"));
        let error = pstate.preload("shelf:1", "decks").await.unwrap_err();
        assert_eq!(error.to_string(), "preload: shelf:1: gone (path `decks` from shelf:1)");
    }

    async fn malformed_preloads(store: Store) {
        let pstate = store.with_schema();
        pstate.put("base_deck:1", &json!({"name": "x"})).await.unwrap();
        let message = async |preload: &str| {
            pstate.preload("base_deck:1", preload).await.unwrap_err().to_string()
        };
        assert_eq!(
            message("cards.").await,
            "preload: base_deck:1: preload text \"cards.\" at byte 6: expected a field, found the end"
        );
        assert_eq!(
            message("cards(limit: many)").await,
            "preload: base_deck:1: preload text \"cards(limit: many)\" at byte 13: expected a number, found 'm'"
        );
        assert_eq!(
            message("cards, cards(limit: 1)").await,
            "preload: base_deck:1: `cards` is asked for twice with different options"
        );
        assert_eq!(
            message("crads").await,
            "preload: base_deck:1: base_deck has no field `crads`; fields that hold references: cards"
        );
        // The schema says so, whether this document has the field or not.
        pstate.put("base_card:1", &json!({"front": "x"})).await.unwrap();
        assert_eq!(
            pstate.preload("base_card:1", "rank").await.unwrap_err().to_string(),
            "preload: base_card:1: field `rank` of base_card is an integer; fields that hold references: \
             translations"
        );
        assert_eq!(
            message("cards*1001").await,
            "preload: base_deck:1: `cards` leads 1001 levels deep, at most 1000 are allowed"
        );
        assert_eq!(
            pstate.explain("base_deck", "cards").unwrap_err().to_string(),
            "explain: key \"base_deck\": no ':' between type and id"
        );
        assert_eq!(
            pstate.explain("base_deck:1", "cards.").unwrap_err().to_string(),
            "explain: base_deck:1: preload text \"cards.\" at byte 6: expected a field, found the end"
        );
        assert_eq!(
            Warm::new().preload("base_deck:1", "cards.").unwrap_err().to_string(),
            "warm: base_deck:1: preload text \"cards.\" at byte 6: expected a field, found the end"
        );
        let loaded = pstate.preload("base_deck:1", "cards").await.unwrap().unwrap();
        assert_eq!(
            loaded.follow(loaded.root(), "tags").err().unwrap().to_string(),
            "follow: base_deck:1: `tags` was not preloaded"
        );
        for path in ["tags", "cards.tags"] {
            let error = loaded.follow_path(loaded.root(), path).err().unwrap();
            assert_eq!(error.to_string(), format!("follow_path: base_deck:1: `{path}` was not preloaded"));
        }
        let error = loaded.follow_path(loaded.root(), "cards(limit: 1)").err().unwrap();
        assert_eq!(
            error.to_string(),
            "follow_path: base_deck:1: preload text \"cards(limit: 1)\" at byte 5: expected '.' or the end, \
             found '('"
        );
    }

    async fn preloads_beyond_the_limits(store: Store) {
        let pstate = store.plain();
        pstate.put("deck:1", &json!({})).await.unwrap();
        let text = ["a*1000"; 10].join(".");
        let fields = (0..20_000).fold(Preload::new(), |preload, at| preload.path(format!("f{at}")));
        let deep = (0..10_000).fold(Path::new("a"), |path, _| Path::new("a").path(path));
        for (preload, limit) in [
            (Preload::try_from(text), "`a.a` leads 2000 levels deep, at most 1000 are allowed"),
            (Preload::try_from("a,".repeat(500_000)), "a preload text of 1000000 bytes, at most 16384 are allowed"),
            (Ok(fields), "more than 1000 fields, the most that a preload may have"),
            (Ok(Preload::new().path(deep)), "fields are nested at most 64 deep"),
        ] {
            let read = match preload.clone() {
                Ok(preload) => pstate.preload("deck:1", preload).await.map(|_| ()),
                Err(error) => Err(error),
            };
            let explained = preload.and_then(|preload| pstate.explain("deck:1", &preload).map(|_| ()));
            for error in [read.unwrap_err(), explained.unwrap_err()] {
                let message = error.to_string();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                assert!(message.ends_with(limit) && message.len() < 500, "{message}");
            }
        }
    }

    async fn documents_that_are_no_objects(store: Store) {
        let pstate = store.plain();
        for (value, found) in [
            (json!([1]), "an array"), (json!("text"), "a string"), (json!(1), "a number"),
            (json!(true), "a boolean"), (Value::Null, "null"),
        ] {
            let error = pstate.put("card:1", &value).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let expected = format!("put: card:1: a document is a JSON object, this is {found}");
            assert_eq!(error.to_string(), expected);
        }
        let error = pstate.put("card:1", &json!({"$v": "two"})).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = pstate.put("card:1", &std::collections::HashMap::from([(vec![1], 1)])).await.unwrap_err();
        assert_eq!(error.to_string(), "put: card:1: cannot be written as JSON: key must be a string");
        let error = pstate.put_at(1, "card:1", &json!({"$v": 2})).await.unwrap_err();
        assert_eq!(error.to_string(), "put_at: card:1: says it is version 2, not 1");
        assert!(pstate.get("card:1").await.unwrap().is_none());
    }

    async fn a_reference_that_is_no_key_is_refused_where_one_is_declared(store: Store) {
        let schema = Schema::new([Entity::new("card", 1).field(has_one("deck", "deck"))]).unwrap();
        let pstate = store.builder().schema(schema).build().unwrap();
        let message = async |deck: Value| {
            pstate.put("card:1", &json!({ "deck": deck })).await.unwrap_err().message().to_owned()
        };
        let expected = "field `deck`: expected a reference to a deck, found ";
        for (deck, found) in [
            (json!({"$ref": "es"}), "a `$ref` that is no key, `type:id`"),
            (json!({"$ref": "user:1"}), "a reference to another type"),
            (json!({"ref": "deck:1"}), "an object without `$ref`"),
            (json!("deck:1"), "a string"),
            (json!([{"$ref": "deck:1"}]), "an array"),
        ] {
            let message = message(deck).await;
            assert_eq!(message, format!("{expected}{found}"));
        }
    }

    async fn a_version_that_is_no_number_and_an_id_that_would_look_like_a_reference(store: Store) {
        let pstate = store.with_schema();
        let error = pstate.put("base_card:1", &json!({"$v": "two", "front": "x"})).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidInput, Some("put")));
        assert!(!error.to_string().contains("two"), "{error}");
        pstate.put("deck:1", &json!({})).await.unwrap();
        let error = pstate.create_linked("deck:1", "cards", "card:$ref", &json!({})).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "create_linked: card:$ref: the id `$ref` cannot stand in a collection"
        );
    }

    async fn a_key_that_is_twice_in_one_batch(store: Store) {
        let pstate = store.plain();
        let error = pstate.multi_put([("card:1", json!({})), ("card:1", json!({}))]).await.unwrap_err();
        assert_eq!(error.to_string(), "multi_put: card:1: duplicate key in batch");
        let batch = pstate.batch().put("card:1", &json!({})).delete("card:1");
        assert_eq!(batch.commit().await.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(pstate.get("card:1").await.unwrap().is_none());
    }
}

#[test]
fn schemas_that_contradict_themselves() {
    let refused = |entities: Vec<Entity>| Schema::new(entities).unwrap_err().to_string();
    let deck = |version| Entity::new("deck", version);
    let nothing = |_: &mut pstate::Object| Ok(());
    assert_eq!(
        refused(vec![deck(1), Entity::new("card", 1), deck(2)]),
        "entity type `deck` is declared twice"
    );
    assert_eq!(
        refused(vec![Entity::new("Deck", 1)]),
        "a schema's entity type: \"Deck\" is no entity type; \
         a type matches [a-z][a-z0-9_]* and has at most 64 bytes"
    );
    assert_eq!(
        refused(vec![deck(1).field(string("name")).field(string("name"))]),
        "entity type `deck`, field `name` is declared twice"
    );
    assert_eq!(
        refused(vec![deck(1).field(has_one("owner", "the user"))]),
        "entity type `deck`, field `owner`: \"the user\" is no entity type; \
         a type matches [a-z][a-z0-9_]* and has at most 64 bytes"
    );
    assert_eq!(
        refused(vec![deck(1).field(string("$v"))]),
        "entity type `deck`, field `$v`: the name is reserved for the version"
    );
    assert_eq!(
        refused(vec![deck(1).field(string("$ref"))]),
        "entity type `deck`, field `$ref`: the name is reserved: a document with it reads as a reference"
    );
    assert_eq!(
        refused(vec![deck(1).field(string(""))]),
        "entity type `deck`, field ``: a field needs a name"
    );
    assert_eq!(
        refused(vec![Entity::new("card", 1), deck(1).field(has_one("first", "crad"))]),
        "entity type `deck`, field `first`: the target `crad` is not declared; did you mean `card`? \
         If `crad` is another type, declare it"
    );
    assert_eq!(
        refused(vec![deck(0)]),
        "entity type `deck`: versions count from 1; 0 is a document without $v"
    );
    assert_eq!(
        refused(vec![deck(3).step(1, 2, nothing).step(2, 1, nothing)]),
        "entity type `deck`: step 2 -> 1 goes back, which makes a cycle; \
         steps go from n to n + 1, the way back is `down`"
    );
    assert_eq!(
        refused(vec![deck(4).step(1, 2, nothing).step(3, 4, nothing)]),
        "entity type `deck`: no step from version 2 to 3"
    );
    assert_eq!(
        refused(vec![deck(4).step(1, 2, nothing)]),
        "entity type `deck`: no step from version 2 to 3 (the current one is 4)"
    );
    assert_eq!(
        refused(vec![deck(2).step(1, 2, nothing).step(1, 2, nothing)]),
        "entity type `deck`: two steps from version 1"
    );
    assert_eq!(
        refused(vec![deck(3).step(1, 3, nothing)]),
        "entity type `deck`: step 1 -> 3 skips versions; steps go from n to n + 1"
    );
    assert_eq!(
        refused(vec![deck(2).step(2, 3, nothing)]),
        "entity type `deck`: step 2 -> 3 lies beyond the current version 2"
    );
    assert_eq!(
        refused(vec![deck(1).down(3, 2, nothing)]),
        "entity type `deck`: no down-step from version 2 to 1"
    );
}

#[tokio::test]
async fn references_to_undeclared_types_pass_only_where_such_types_do() {
    let schema = || {
        let deck = Entity::new("deck", 1).field(has_one("owner", "user"));
        Schema::new([deck.field(has_one("next", "deck"))]).unwrap()
    };
    let build = |schema| PState::builder(Arc::new(MemoryAdapter::new())).schema(schema).build();
    let pstate = build(schema()).unwrap();
    pstate.put("deck:1", &json!({ "owner": { "$ref": "user:1" } })).await.unwrap();
    let error = build(schema().undeclared_types(UndeclaredTypes::Refuse)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert_eq!(
        error.to_string(),
        "entity type `deck`, field `owner`: the target `user` is not declared, and undeclared types \
         are refused"
    );
}

#[tokio::test]
async fn urls_of_no_store() {
    let message = async |url: &str| pstate::connect(url).await.unwrap_err().to_string();
    assert_eq!(
        message("app.db").await,
        "connect: the URL of a store begins with its scheme, as in sqlite:app.db"
    );
    assert_eq!(
        message("postgres://user:hunter2@host/db").await,
        "connect: no store has the scheme \"postgres\"; there are sqlite:, sled:, redis:, rediss:, redis+cluster:, rediss+cluster: and memory:"
    );
    assert_eq!(message("memory:x").await, "connect: nothing follows memory: in a URL");
    assert_eq!(
        message("sqlite:").await,
        "open: no path after `sqlite:`: write `sqlite:app` for a store in files, or `memory:` for \
         one in memory"
    );
    assert_eq!(
        message("sqlite::memory:").await,
        "open: :memory: names no file; write `memory:` as the whole URL for a store in memory"
    );
}

#[tokio::test]
async fn options_of_a_url_are_settings_and_what_is_none_creates_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let url = |rest: &str| format!("SQLite:{}/{rest}", dir.path().display());
    for (rest, why) in [
        ("app.db?mode=ro", "`mode=ro`"),
        ("app.db?mode=rw", "app.db does not exist"),
        ("app.db?cash_size=1", "unknown option `cash_size`"),
        ("app.db?pragma.page_size=1000", "PRAGMA page_size"),
        ("app#1.db", "%23"),
        ("really?.db", "%3F"),
        ("100%.db", "%25"),
    ] {
        let error = pstate::connect(&url(rest)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(why), "{error}");
    }
    let files = || -> Vec<_> {
        let entries = dir.path().read_dir().unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert!(files().iter().all(|file| file.starts_with("app.db")), "{:?}", files());
    let pstate = pstate::connect(&url("a%3F%23%25.db?synchronous=normal&mode=rwc")).await.unwrap();
    pstate.build().unwrap().put("card:1", &json!({})).await.unwrap();
    assert!(files().iter().any(|file| file == "a?#%.db"), "{:?}", files());
}

#[tokio::test]
async fn a_scheme_may_be_written_in_any_case() {
    drop(pstate::connect("MEMORY:").await.unwrap());
    let error = pstate::connect("SLED:").await.unwrap_err();
    assert!(error.to_string().contains("sled"), "{error}");
    let error = pstate::connect("Redis://:hunter#2@host").await.unwrap_err();
    assert!(!error.to_string().contains("hunter"), "{error}");
}

#[tokio::test]
async fn a_database_of_somebody_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.db");
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs.execute_batch("CREATE TABLE users (id); INSERT INTO users VALUES (1)").unwrap();
    let url = format!("sqlite:{}", path.display());
    let error = pstate::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(text.contains("theirs.db") && text.contains("users"), "{text}");

    let text_file = dir.path().join("notes.txt");
    std::fs::write(&text_file, "this is no database, but it is long enough to look like one")
        .unwrap();
    let error = pstate::connect(&format!("sqlite:{}", text_file.display())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("is not an SQLite database"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_row_fails_alone() {
    let store = Store::sqlite();
    let pstate = store.plain();
    for id in 0..4 {
        pstate.put(format!("card:{id}"), &json!({})).await.unwrap();
    }
    let file = rusqlite::Connection::open(store.path().unwrap()).unwrap();
    file.execute_batch(
        "UPDATE pstate SET value = '{\"front\": \"ho' WHERE key = 'card:1';
         INSERT INTO pstate (space, key, value) VALUES ('default', 'no key at all', '{}')",
    )
    .unwrap();
    let fresh = store.plain();
    let error = fresh.get("card:1").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "get: card:1: not valid JSON: EOF while parsing a string at byte 13"
    );
    let scanned: Vec<_> = StreamExt::collect(fresh.scan("").stream()).await;
    let errors: Vec<String> =
        scanned.iter().filter_map(|found| Some(found.as_ref().err()?.to_string())).collect();
    assert_eq!((scanned.len(), errors.len()), (5, 2));
    assert_eq!(
        errors[1],
        "scan: a row that is no record: key \"no key at all\": no ':' between type and id"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    // As if the disk had room for 40 pages of 4 KiB.
    let config = SqliteConfig::default().pragma("max_page_count", "40");
    let adapter = SqliteAdapter::open_with(dir.path().join("app.db"), config).unwrap();
    let pstate = PState::builder(Arc::new(adapter)).build().unwrap();
    pstate.put("card:kept", &json!({"front": "hola"})).await.unwrap();
    let long = json!({ "text": "x".repeat(1 << 20) });
    let error = pstate.put("card:long", &long).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert!(pstate.get("card:kept").await.unwrap().is_some());
    assert!(pstate.get("card:long").await.unwrap().is_none());
    pstate.put("card:short", &json!({})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let adapter = SqliteAdapter::open(&path).unwrap();
    let pstate = PState::builder(Arc::new(adapter)).build().unwrap();
    pstate.put("card:1", &json!({})).await.unwrap();
    pstate.close().await.unwrap();
    // A connection that may not write: a read-only file stops everybody but root, who runs tests.
    let config = SqliteConfig::default().pragma("query_only", "1");
    let adapter = SqliteAdapter::open_with(&path, config).unwrap();
    let pstate = PState::builder(Arc::new(adapter)).build().unwrap();
    let error = pstate.put("card:1", &json!({"front": "x"})).await.unwrap_err();
    assert!(error.to_string().contains("app.db is read-only"), "{error}");
    assert_eq!(pstate.get("card:1").await.unwrap().unwrap().as_str(), "{}");
}

#[test]
fn a_handle_without_a_runtime() {
    let adapter: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    let error = PState::builder(adapter).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().starts_with("building a PState needs a Tokio runtime"));
}
