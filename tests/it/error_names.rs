//! Errors name the call that the program made, and its key.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use pstate::schema::Entity;
use pstate::{
    Adapter, Batch, Capabilities, Collection, Error, ErrorKind, Extensions, Key, MemoryAdapter,
    Outcome, PState, Page, Record, Result, Scan, Schema, Space, Warm, copy,
};
use pstate_testkit::Call;
use serde::{Deserialize, Serialize};
use serde_json::json;

const KINDS: [ErrorKind; 9] = [
    ErrorKind::Conflict,
    ErrorKind::InvalidInput,
    ErrorKind::Unsupported,
    ErrorKind::Corrupt,
    ErrorKind::Schema,
    ErrorKind::Config,
    ErrorKind::Timeout,
    ErrorKind::Unavailable,
    ErrorKind::Other,
];

/// A store of which all calls of one kind fail, as a client of a server would.
#[derive(Debug)]
struct Failing {
    inner: MemoryAdapter,
    call: Call,
    kind: ErrorKind,
    /// Whether writes fail one by one, and not as a whole.
    each: bool,
}

impl Failing {
    fn check(&self, call: Call, operation: &'static str) -> Result<()> {
        if self.call == call && !(self.each && call == Call::Write) {
            return Err(self.error().in_operation(operation));
        }
        Ok(())
    }

    fn error(&self) -> Error {
        Error::new(self.kind, "no connection").caused_by("Connection refused")
    }
}

#[async_trait]
impl Adapter for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn extensions(&self) -> Extensions<'_> {
        Extensions::none()
    }

    async fn multi_get(&self, space: &Space, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        self.check(Call::Read, "multi_get")?;
        self.inner.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> Result<Vec<Outcome>> {
        self.check(Call::Write, "write")?;
        if self.each && self.call == Call::Write {
            return Ok(batch.writes.iter().map(|_| Outcome::Failed(self.error())).collect());
        }
        self.inner.write(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<Page> {
        self.check(Call::Scan, "scan")?;
        self.inner.scan(space, scan).await
    }

    async fn spaces(&self) -> Result<Vec<Space>> {
        self.check(Call::Spaces, "spaces")?;
        self.inner.spaces().await
    }

    async fn flush(&self) -> Result<()> {
        self.check(Call::Flush, "flush")
    }

    async fn close(&self) -> Result<()> {
        self.check(Call::Close, "close")
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Card {
    n: u32,
}

const CARDS: Collection<Card> = Collection::new("card");

/// Every call of the public interface that asks the store, its name in errors, and its errors.
async fn calls(call: Call, kind: ErrorKind, each: bool) -> Vec<(&'static str, Error)> {
    let inner = MemoryAdapter::new();
    let space = Space::default();
    let stored = [("card:1", r#"{"n":1}"#), ("deck:1", r#"{"cards":[{"$ref":"card:1"}]}"#)];
    let writes =
        stored.map(|(key, text)| pstate::Write::put(key.parse().unwrap(), text.as_bytes()));
    inner.write(&space, &Batch::each(writes.into())).await.unwrap();
    let adapter: Arc<dyn Adapter> = Arc::new(Failing { inner, call, kind, each });
    let schema = || Schema::new([Entity::new("other", 1)]).unwrap();
    let builder = || PState::builder(adapter.clone()).schema(schema());
    // What is written is not cached, so that every read asks the store.
    let pstate = builder().cache_bytes(0).build().unwrap();
    let empty = Failing { inner: MemoryAdapter::new(), call, kind, each };
    let other: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    let filled: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    PState::builder(filled.clone()).build().unwrap().put("card:1", &json!({})).await.unwrap();
    let copying = || copy(adapter.clone(), other.clone()).attempts(1);
    let passes = matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable);
    let mut failed = Vec::new();
    macro_rules! call {
        ($name:literal, $call:expr) => {
            if let Err(error) = $call.await {
                failed.push(($name, error));
            }
        };
    }
    let n = json!({ "n": 2 });
    call!("get", pstate.get("card:1"));
    call!("multi_get", pstate.multi_get(["card:1"]));
    call!("multi_get_each", async {
        pstate.multi_get_each(["card:1"]).await?.into_iter().collect::<Result<Vec<_>>>()
    });
    call!("get_resolved", pstate.get_resolved("deck:1", 1));
    call!("preload", pstate.preload("deck:1", "cards"));
    call!("scan", pstate.scan("card:").page());
    call!("scan", pstate.scan("card:").stream().try_collect::<Vec<_>>());
    call!("put", pstate.put("card:1", &n));
    call!("put_at", pstate.put_at(1, "card:1", &n));
    call!("multi_put", pstate.multi_put([("card:1", &n)]));
    call!("update", pstate.update("card:1", |_| Ok(())));
    call!("batch", pstate.batch().put("card:1", &n).commit());
    call!("create_linked", pstate.create_linked("deck:1", "cards", "card:2", &n));
    call!("get", CARDS.get(&pstate, "1"));
    call!("multi_get", CARDS.multi_get(&pstate, ["1"]));
    call!("scan", CARDS.scan(&pstate).try_collect::<Vec<_>>());
    call!("put", CARDS.put(&pstate, "1", &Card { n: 1 }));
    call!("multi_put", CARDS.multi_put(&pstate, [("1", Card { n: 1 })]));
    call!(
        "update",
        CARDS.update(&pstate, "1", |card| {
            card.n += 1;
            Ok(())
        })
    );
    call!("delete", CARDS.delete(&pstate, "1"));
    call!("delete", pstate.delete("card:1"));
    call!("spaces", pstate.spaces());
    call!("migration_status", pstate.migration_status());
    call!("migrate_all", pstate.migrate_all().dry_run());
    if !passes {
        // Jobs wait for what may pass.
        call!("migrate_all", pstate.migrate_all().run());
        call!("warm", async { pstate.warm(Warm::new().prefix("card:"))?.wait().await });
    }
    call!("copy", copying().run());
    call!("copy", copying().verify());
    call!("copy", copy(filled, Arc::new(empty)).attempts(1).run());
    call!("clear_space", pstate.clear_space());
    call!("build_if_readable", builder().build_if_readable());
    call!("flush", pstate.flush());
    call!("close", pstate.close());
    failed
}

/// The errors of calls that fail with `Other`, in the order of the calls.
const TABLE: &[(Call, bool, &[&str])] = &[
    (
        Call::Read,
        false,
        &[
            "get: card:1",
            "multi_get: card:1",
            "multi_get_each: card:1",
            "get_resolved: deck:1",
            "preload: deck:1",
            "update: card:1",
            "create_linked: deck:1",
            "get: card:1",
            "multi_get: card:1",
            "update: card:1",
            "migration_status",
            "migrate_all",
            "copy",
        ],
    ),
    (Call::Write, false, WRITES),
    (Call::Write, true, WRITES),
    (
        Call::Scan,
        false,
        &[
            "scan",
            "scan",
            "scan",
            "migration_status",
            "migrate_all",
            "migrate_all",
            "warm",
            "copy",
            "copy",
            "copy",
            "clear_space",
            "build_if_readable",
        ],
    ),
    (Call::Spaces, false, &["spaces", "copy", "copy", "copy", "build_if_readable"]),
    (Call::Flush, false, &["copy", "flush"]),
    (Call::Close, false, &["close"]),
];

const WRITES: &[&str] = &[
    "put: card:1",
    "put_at: card:1",
    "multi_put: card:1",
    "update: card:1",
    "batch",
    "create_linked: card:2",
    "put: card:1",
    "multi_put: card:1",
    "update: card:1",
    "delete: card:1",
    "delete: card:1",
    "migrate_all",
    "copy",
    "clear_space: card:1",
];

#[tokio::test(start_paused = true)]
async fn whatever_fails_is_the_call_that_the_program_made() {
    for (call, each, expected) in TABLE {
        let shown = |kind| async move {
            let failed = calls(*call, kind, *each).await;
            failed.into_iter().map(move |(name, error)| {
                assert_eq!((error.operation(), error.kind()), (Some(name), kind), "{error}");
                let key = error.key().map(|key| format!(": {key}")).unwrap_or_default();
                let place = format!("{name}{key}");
                let is_own = error.kind() == ErrorKind::Conflict && name == "update";
                if !is_own {
                    let whole = format!("{place}: no connection: Connection refused");
                    assert_eq!(error.to_string(), whole);
                }
                place
            })
        };
        for kind in KINDS {
            let failed: Vec<String> = shown(kind).await.collect();
            let passes = matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable);
            if passes {
                // Jobs wait.
                assert!(failed.iter().all(|name| expected.contains(&name.as_str())), "{failed:?}");
            } else {
                assert_eq!(failed, *expected, "{call:?} {kind}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_about_versions_names_them() {
    let adapter: Arc<dyn Adapter> = Arc::new(MemoryAdapter::new());
    let plain = PState::builder(adapter.clone()).build().unwrap();
    plain.put("card:old", &json!({ "$v": 1 })).await.unwrap();
    plain.put("card:new", &json!({ "$v": 7 })).await.unwrap();
    plain.put("card:next", &json!({ "$v": 4 })).await.unwrap();
    let card = Entity::new("card", 3)
        .step(1, 2, |_| Ok(()))
        .step(2, 3, |_| Err("no front".into()))
        .down(4, 3, |card| {
            card.insert("n".to_owned(), json!(1));
            Ok(())
        });
    let deck = Entity::new("deck", 2).down(3, 2, |_| Err("no name".into()));
    let schema = Schema::new([card, deck]).unwrap();
    plain.put("deck:next", &json!({ "$v": 3 })).await.unwrap();
    let pstate = PState::builder(adapter).schema(schema).build().unwrap();
    let get = async |key: &str| pstate.get(key).await.unwrap_err().to_string();
    assert_eq!(
        get("card:old").await,
        "get: card:old: from version 1 to 3: migration step 2 -> 3: no front"
    );
    assert_eq!(
        get("deck:next").await,
        "get: deck:next: from version 3 to 2: migration step 3 -> 2: no name"
    );
    let update = async |key: &str| pstate.update(key, |_| Ok(())).await.unwrap_err().to_string();
    for (key, version) in [("card:new", 7), ("card:next", 4)] {
        assert_eq!(
            update(key).await,
            format!(
                "update: {key}: is stored at version {version}, newer than the schema's 3; it is not \
                 overwritten with an older shape"
            )
        );
    }
}
