//! What other implementations get wrong, each with a test named after what it protects.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures_util::StreamExt;
use pstate::schema::{Entity, any, boolean, float, has_many, integer, patterns, string};
use pstate::{
    Adapter, Batch, Error, ErrorKind, Key, MigrationWriter, PState, Schema, Space, Write,
};
use pstate_testkit::{Call, CountingLayer};
use serde_json::json;

use crate::stores::{Store, deck_of, on_each_store};

/// Stores a card of version 1 whose rank is text.
async fn old_card(store: &Store, space: &str, rank: &str) {
    let plain = store.plain().space(space).unwrap();
    let card = json!({"front": "hola", "rank": rank});
    plain.put_at(1, "base_card:1", &card).await.unwrap();
}

async fn stored(store: &Store, space: &str) -> Option<String> {
    let plain = store.plain().space(space).unwrap();
    plain.get("base_card:1").await.unwrap().map(|card| card.as_str().to_owned())
}

/// Puts bytes under a key without asking what they are.
async fn put_raw(store: &Store, key: &str, bytes: &[u8]) {
    let write = Write::put(key.parse().unwrap(), bytes);
    store.adapter().write(&Space::default(), &Batch::each(vec![write])).await.unwrap();
}

on_each_store! {
    async fn a_write_back_never_undoes_a_newer_put(store: Store) {
        old_card(&store, "default", "1").await;
        let pstate = store.with_schema();
        pstate.get("base_card:1").await.unwrap();
        pstate.put("base_card:1", &json!({"front": "adiós"})).await.unwrap();
        let report = pstate.flush().await.unwrap();
        assert_eq!((report.stored, report.conflicts), (0, 1));
        assert_eq!(stored(&store, "default").await.unwrap(), r#"{"$v":2,"front":"adiós"}"#);
    }

    async fn a_write_back_never_undoes_a_put_by_another_handle(store: Store) {
        old_card(&store, "default", "1").await;
        let (reader, writer) = (store.with_schema(), store.with_schema());
        reader.get("base_card:1").await.unwrap();
        writer.put("base_card:1", &json!({"front": "adiós"})).await.unwrap();
        assert_eq!(reader.flush().await.unwrap().conflicts, 1);
        assert_eq!(stored(&store, "default").await.unwrap(), r#"{"$v":2,"front":"adiós"}"#);
        // The reader's cache does not go on showing what lost.
        let front = reader.get("base_card:1").await.unwrap().unwrap();
        assert_eq!(front.get("front").unwrap(), Some(&json!("adiós")));
    }

    async fn a_write_back_never_brings_a_deleted_document_back(store: Store) {
        old_card(&store, "default", "1").await;
        let pstate = store.with_schema();
        pstate.get("base_card:1").await.unwrap();
        pstate.delete("base_card:1").await.unwrap();
        pstate.flush().await.unwrap();
        assert_eq!(stored(&store, "default").await, None);
        assert!(pstate.get("base_card:1").await.unwrap().is_none());
    }

    async fn a_migrating_read_in_one_space_leaves_the_same_key_in_another_alone(store: Store) {
        old_card(&store, "default", "1").await;
        old_card(&store, "other", "2").await;
        let pstate = store.with_schema();
        pstate.space("other").unwrap().get("base_card:1").await.unwrap();
        pstate.flush().await.unwrap();
        let now = |rank| format!(r#"{{"$v":{rank},"front":"hola","rank":"#);
        assert!(stored(&store, "default").await.unwrap().starts_with(&now(1)));
        assert_eq!(stored(&store, "other").await.unwrap(), r#"{"$v":2,"front":"hola","rank":2}"#);
    }

    async fn a_preload_of_forty_thousand_documents_takes_a_read_for_each_level(store: Store) {
        let counting = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        let keys: Vec<String> = (0..40_000).map(|id| format!("card:{id}")).collect();
        pstate.multi_put(keys.iter().map(|key| (key, json!({})))).await.unwrap();
        let refs: Vec<_> = keys.iter().map(|key| json!({ "$ref": key })).collect();
        pstate.put("deck:1", &json!({ "cards": refs })).await.unwrap();

        let pstate = PState::builder(counting.clone()).cache_bytes(0).build().unwrap();
        counting.take();
        let loaded = pstate.preload("deck:1", "cards").await.unwrap().unwrap();
        assert_eq!((loaded.len(), loaded.dangling().len()), (40_001, 0));
        // More only where an adapter takes no more in one.
        let most = store.adapter().capabilities().max_batch.map_or(usize::MAX, NonZeroUsize::get);
        assert_eq!(counting.take().reads, 1 + 40_000_usize.div_ceil(most));
        assert_eq!(pstate.multi_get(&keys[..32_766]).await.unwrap().len(), 32_766);
        assert_eq!(counting.take().reads, 32_766_usize.div_ceil(most));
    }

    async fn prefixes_and_keys_are_bytes_without_wildcards_or_case_folding(store: Store) {
        let pstate = store.plain();
        let keys = ["base_card:a", "base_card:A", "basexcard:a", "base_card:50%", "base_card:50x",
                    "base_card:á", "base_card:a\u{301}", "base_card:a b ", "card:z"];
        for key in keys {
            pstate.put(key, &json!({ "key": key })).await.unwrap();
        }
        let scan = async |prefix: &str| -> Vec<String> {
            let found = pstate.scan(prefix).stream();
            found.map(|document| document.unwrap().key().to_string()).collect().await
        };
        let mut expected: Vec<_> = keys.into_iter().filter(|key| key.starts_with("base_card:")).collect();
        expected.sort_unstable();
        assert_eq!(scan("base_card:").await, expected);
        assert_eq!(scan("base_card:50%").await, ["base_card:50%"]);
        assert_eq!(scan("base_card:A").await, ["base_card:A"]);
        assert_eq!(scan("base_car:").await, [""; 0]);
        assert_eq!(scan("base_card:a").await.len(), 3);
        for key in keys {
            let found = pstate.get(key).await.unwrap().unwrap();
            assert_eq!(found.get("key").unwrap(), Some(&json!(key)));
        }
    }

    async fn the_queue_is_written_when_the_handle_is_closed(store: Store) {
        let deck = deck_of(10);
        let plain = store.plain();
        for card in 0..10 {
            plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
        }
        let pstate = PState::builder(Arc::new(StaysOpen(store.adapter())))
            .schema(pstate_testkit::workload::schema().unwrap())
            .build()
            .unwrap();
        pstate.multi_get((0..10).map(|card| deck.card_key(card))).await.unwrap();
        let report = pstate.close().await.unwrap();
        assert_eq!((report.stored, report.left), (10, 0));
        let fresh = store.plain();
        for card in fresh.multi_get((0..10).map(|card| deck.card_key(card))).await.unwrap() {
            assert_eq!(card.unwrap().version(), 2);
        }
    }

    async fn one_document_that_cannot_be_stored_does_not_hold_up_the_others(store: Store) {
        let plain = store.plain();
        for id in 0..10 {
            // The migration makes one of them longer than the store takes.
            let size = if id == 5 { 2_000 } else { 10 };
            plain.put_at(1, format!("base_card:{id}"), &json!({ "size": size })).await.unwrap();
        }
        let schema = Schema::new([Entity::new("base_card", 2).step(1, 2, |card| {
            let size = card["size"].as_u64().ok_or("no size")?;
            card.insert("padding".into(), json!("x".repeat(usize::try_from(size)?)));
            Ok(())
        })]).unwrap();
        let pstate = PState::builder(Arc::new(crate::typed::ByKey(store.adapter())))
            .schema(schema)
            .build()
            .unwrap();
        pstate.multi_get((0..10).map(|id| format!("base_card:{id}"))).await.unwrap();
        let report = pstate.flush().await.unwrap();
        assert_eq!((report.stored, report.failed, report.left), (9, 1, 0));
        assert_eq!(pstate.flush().await.unwrap().failed, 0);
    }

    async fn a_store_that_is_unavailable_during_a_flush_loses_nothing(store: Store) {
        old_card(&store, "default", "1").await;
        let faults = store.faults();
        let pstate = PState::builder(faults.clone())
            .schema(pstate_testkit::workload::schema().unwrap())
            .migration_writer(MigrationWriter::default())
            .build()
            .unwrap();
        pstate.get("base_card:1").await.unwrap();
        faults.fail(Call::Write, Error::new(ErrorKind::Unavailable, "locked").retryable());
        assert_eq!(pstate.flush().await.unwrap().left, 1);
        assert_eq!(pstate.flush().await.unwrap().stored, 1);
        assert_eq!(stored(&store, "default").await.unwrap(), r#"{"$v":2,"front":"hola","rank":1}"#);
    }

    async fn a_key_without_a_colon_is_refused_everywhere_and_an_unknown_type_is_not(store: Store) {
        let pstate = store.with_schema();
        let refused = "key \"orphan\": no ':' between type and id";
        for error in [
            pstate.get("orphan").await.unwrap_err(),
            pstate.put("orphan", &json!({})).await.unwrap_err(),
            pstate.delete("orphan").await.unwrap_err(),
            pstate.update("orphan", |_| Ok(())).await.unwrap_err(),
            pstate.multi_get(["orphan"]).await.unwrap_err(),
            pstate.multi_put([("orphan", json!({}))]).await.unwrap_err(),
            pstate.preload("orphan", "cards").await.unwrap_err(),
            pstate.get_resolved("orphan", 1).await.unwrap_err(),
            pstate.batch().put("orphan", &json!({})).commit().await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidInput, refused));
        }
        pstate.put("unheard_of:1", &json!({"a": 1})).await.unwrap();
        assert_eq!(pstate.get("unheard_of:1").await.unwrap().unwrap().as_str(), r#"{"a":1}"#);
    }

    async fn a_preload_migrates_and_warm_reads_queue_nothing_more(store: Store) {
        let deck = deck_of(20);
        let plain = store.plain();
        plain.put_at(1, deck.key(), &deck.old_deck()).await.unwrap();
        for card in 0..20 {
            plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
        }
        let pstate = store.with_schema();
        let loaded = pstate.preload(deck.key(), "cards").await.unwrap().unwrap();
        assert_eq!((loaded.len(), loaded.round_trips()), (21, 2));
        for card in loaded.follow(loaded.root(), "cards").unwrap() {
            assert_eq!(card.version(), 2);
        }
        assert_eq!(pstate.flush().await.unwrap().stored, 21);
        pstate.preload(deck.key(), "cards").await.unwrap();
        let stats = pstate.stats();
        assert_eq!((stats.migrations, stats.write_back.queued), (21, 0));
    }

    async fn a_failed_read_is_never_a_missing_document(store: Store) {
        let faults = store.faults();
        let pstate = PState::builder(faults.clone()).build().unwrap();
        pstate.put("deck:1", &json!({"cards": [{"$ref": "card:1"}]})).await.unwrap();
        let gone = || Error::new(ErrorKind::Unavailable, "connection closed");
        for _ in 0..3 {
            faults.fail(Call::Read, gone());
        }
        for error in [
            pstate.get("card:1").await.unwrap_err(),
            pstate.multi_get(["card:1"]).await.unwrap_err(),
            pstate.preload("deck:1", "cards").await.unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "connection closed"));
        }
    }

    async fn one_corrupt_document_leaves_the_rest_readable_and_scannable(store: Store) {
        let pstate = store.plain();
        for id in 0..5 {
            pstate.put(format!("card:{id}"), &json!({})).await.unwrap();
        }
        put_raw(&store, "card:2", b"{\"front\":").await;
        put_raw(&store, "card:3", b"\xff\xfe").await;
        let fresh = store.plain();
        let read = fresh.multi_get_each((0..5).map(|id| format!("card:{id}"))).await.unwrap();
        let readable: Vec<bool> = read.iter().map(Result::is_ok).collect();
        assert_eq!(readable, [true, true, false, false, true]);
        assert_eq!(
            read[3].as_ref().unwrap_err().to_string(),
            "multi_get_each: card:3: not UTF-8 after byte 0"
        );
        let scanned: Vec<_> = StreamExt::collect(fresh.scan("card:").page_size(2).stream()).await;
        assert_eq!(scanned.iter().filter(|document| document.is_ok()).count(), 3);
        let error = scanned.into_iter().find_map(Result::err).unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert_eq!(error.key().unwrap().as_str(), "card:2");
        // Writing over it mends it.
        fresh.put("card:2", &json!({"front": "new"})).await.unwrap();
        assert!(fresh.get("card:2").await.unwrap().is_some());
    }

    async fn a_stored_null_reads_the_same_warm_and_cold(store: Store) {
        put_raw(&store, "card:1", b"null").await;
        let pstate = store.plain();
        for _ in 0..2 {
            assert_eq!(pstate.get("card:1").await.unwrap_err().kind(), ErrorKind::Corrupt);
        }
        pstate.put("card:1", &json!({"front": null})).await.unwrap();
        let warm = pstate.get("card:1").await.unwrap().unwrap();
        let cold = store.plain().get("card:1").await.unwrap().unwrap();
        assert_eq!(warm, cold);
        assert_eq!(cold.get("front").unwrap(), Some(&json!(null)));
    }

    async fn each_type_matches_its_values_and_missing_fields_are_migrated(store: Store) {
        let schema = Schema::new([Entity::new("card", 2)
            .field(boolean("known"))
            .field(float("ease"))
            .field(integer("rank").required().migrate(|_| Ok(Some(json!(7)))))
            .field(string("due"))
            .field(any("anything"))
            .field(has_many("notes", "note").migrate(patterns::ids_to_refs))]).unwrap();
        let pstate = store.builder().schema(schema).build().unwrap();
        let card = json!({"known": false, "ease": 2.5, "rank": 1, "due": "2026-11-23T21:00:00Z",
            "anything": ["2026-11-23", {"at": "2026-11-23"}], "notes": [{"$ref": "note:1"}]});
        pstate.put("card:1", &card).await.unwrap();
        pstate.put("card:2", &json!({"ease": 2, "rank": 1})).await.unwrap();
        for (wrong, why) in [
            (json!({"rank": 1, "known": "false"}), "field `known`: expected a boolean, found a string"),
            (json!({"rank": 1.5}), "field `rank`: expected an integer, found a number with a fraction"),
            (json!({"rank": 1e3}), "field `rank`: expected an integer, found a whole number that is written with a fraction"),
            (json!({"rank": 2.0_f64.powi(70)}), "field `rank`: expected an integer, found a number beyond the 64-bit integers"),
            (json!({"rank": true}), "field `rank`: expected an integer, found a boolean"),
            (json!({"rank": null}), "field `rank`: expected an integer, found null"),
            (json!({"rank": 1, "notes": ["1"]}), "field `notes`, item 0: expected a collection of references to note, found a string"),
            (json!({"rank": 1, "notes": {"1": {"$ref": "card:1"}}}), "field `notes`, entry 0: expected a collection of references to note, found a reference to another type"),
        ] {
            let error = pstate.put("card:3", &wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Schema);
            assert!(error.message().starts_with(why), "{error}");
        }
        store.plain().put_at(1, "card:4", &json!({"notes": ["a", "b"]})).await.unwrap();
        assert_eq!(
            pstate.get("card:4").await.unwrap().unwrap().as_str(),
            r#"{"$v":2,"notes":{"a":{"$ref":"note:a"},"b":{"$ref":"note:b"}},"rank":7}"#
        );
    }

    async fn concurrent_batches_and_write_backs_are_all_stored(store: Store) {
        let deck = deck_of(1_000);
        let plain = store.plain();
        let old = (0..1_000).map(|card| {
            let mut old = deck.old_card(card);
            old["$v"] = json!(1);
            (deck.card_key(card), old)
        });
        plain.multi_put(old).await.unwrap();
        let pstate = store.with_schema();
        let reads = tokio::spawn({
            let pstate = pstate.clone();
            async move {
                for card in 0..1_000 {
                    pstate.get(deck.card_key(card)).await.unwrap();
                }
                pstate.flush().await.unwrap();
            }
        });
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let pstate = pstate.clone();
                tokio::spawn(async move {
                    for batch in 0..300 {
                        let keys = (0..3).map(|at| format!("note:{writer}-{batch}-{at}"));
                        pstate.multi_put(keys.map(|key| (key, json!({})))).await.unwrap();
                    }
                })
            })
            .collect();
        for task in writers.into_iter().chain([reads]) {
            task.await.unwrap();
        }
        let fresh = store.plain();
        assert_eq!(fresh.scan("note:").stream().count().await, 1_800);
        let cards: Vec<_> = StreamExt::collect(fresh.scan("base_card:").stream()).await;
        assert_eq!(cards.len(), 1_000);
        assert!(cards.iter().all(|card| card.as_ref().unwrap().version() == 2));
    }

    async fn a_put_beside_batches_that_fail_stays_stored(store: Store) {
        let pstate = store.plain();
        pstate.put("card:taken", &json!({})).await.unwrap();
        let failing = tokio::spawn({
            let pstate = pstate.clone();
            async move {
                for _ in 0..100 {
                    let batch = pstate.batch().put("card:never", &json!({}));
                    let batch = batch.put_expecting("card:taken", pstate::Expect::Absent, &json!({}));
                    assert_eq!(batch.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
                }
            }
        });
        for id in 0..100 {
            pstate.put(format!("card:{id}"), &json!({})).await.unwrap();
        }
        failing.await.unwrap();
        let stored: Vec<_> = StreamExt::collect(store.plain().scan("card:").stream()).await;
        assert_eq!(stored.len(), 101);
    }

    async fn every_clone_and_sibling_sees_a_write_at_once(store: Store) {
        let pstate = store.plain();
        let (clone, sibling) = (pstate.clone(), pstate.space("default").unwrap());
        pstate.put("card:1", &json!({"n": 1})).await.unwrap();
        for handle in [&clone, &sibling] {
            handle.get("card:1").await.unwrap();
        }
        sibling.put("card:1", &json!({"n": 2})).await.unwrap();
        for handle in [&pstate, &clone, &sibling] {
            assert_eq!(handle.get("card:1").await.unwrap().unwrap().as_str(), r#"{"n":2}"#);
        }
        assert!(pstate.space("other").unwrap().get("card:1").await.unwrap().is_none());
    }

    async fn twenty_thousand_queued_documents_stay_within_the_queues_limit(store: Store) {
        let schema = Schema::new([Entity::new("card", 2)]).unwrap();
        let plain = store.plain();
        let old = (0..20_000).map(|id| (format!("card:{id:05}"), json!({"$v": 1})));
        plain.multi_put(old).await.unwrap();
        let faults = store.faults();
        let held = faults.hold(Call::Write, pstate_testkit::Moment::Before);
        let pstate = PState::builder(faults)
            .schema(schema)
            .migration_writer(MigrationWriter::default().queue_limit(1_000).batch_size(100))
            .build()
            .unwrap();
        let read = pstate.scan("card:").stream().count().await;
        let queue = pstate.stats().write_back;
        assert_eq!((read, queue.queued), (20_000, 1_000));
        held.release();
        let rest = pstate.flush().await.unwrap();
        let queue = pstate.stats().write_back;
        assert_eq!((queue.queued, rest.left), (0, 0));
        assert_eq!(queue.stored + queue.dropped, 20_000);
    }

    async fn a_prefix_scan_reads_on_past_its_last_page_only(store: Store) {
        let plain = store.plain();
        let cards = (0..5_000).map(|id| (format!("card:{id:05}"), json!({})));
        plain.multi_put(cards).await.unwrap();
        let counting: Arc<CountingLayer> = store.counting();
        let pstate = PState::builder(counting.clone()).build().unwrap();
        let found = pstate.scan("card:0123").page_size(4).stream().count().await;
        assert_eq!((found, counting.take().scans), (10, 3));
    }
}

/// On SQLite the plan says it: a search in the index, no scan of the table.
#[tokio::test]
async fn sqlite_finds_a_prefix_by_its_index() {
    let store = Store::sqlite();
    store.plain().put("card:1", &json!({})).await.unwrap();
    let file = rusqlite::Connection::open(store.path().unwrap()).unwrap();
    let plan: String = file
        .query_row(
            "EXPLAIN QUERY PLAN SELECT key, value FROM pstate \
             WHERE space = 'default' AND key >= 'card:' ORDER BY key",
            [],
            |row| row.get("detail"),
        )
        .unwrap();
    assert!(plain_search(&plan), "{plan}");
}

fn plain_search(plan: &str) -> bool {
    plan.starts_with("SEARCH pstate USING INDEX") && plan.ends_with("(space=? AND key>?)")
}

/// A put waits for a lock that another process holds, and then says that it may be tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_an_error_that_may_be_retried_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.db");
    let config =
        pstate::sqlite::SqliteConfig::default().busy_timeout(std::time::Duration::from_millis(20));
    let adapter = pstate::sqlite::SqliteAdapter::open_with(&path, config).unwrap();
    let pstate = PState::builder(Arc::new(adapter))
        .schema(pstate_testkit::workload::schema().unwrap())
        .build()
        .unwrap();
    pstate.put_at(1, "base_card:1", &json!({"front": "x", "rank": "1"})).await.unwrap();
    pstate.get("base_card:1").await.unwrap();

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = pstate.put("base_card:2", &json!({"front": "y"})).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert_eq!(pstate.flush().await.unwrap().left, 1);
    other.execute_batch("COMMIT").unwrap();

    assert_eq!(pstate.flush().await.unwrap().stored, 1);
    pstate.put("base_card:2", &json!({"front": "y"})).await.unwrap();
}

/// Closing the handle leaves the store open for the test to look into.
#[derive(Debug)]
struct StaysOpen(Arc<dyn Adapter>);

#[async_trait::async_trait]
impl Adapter for StaysOpen {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> pstate::Capabilities {
        self.0.capabilities()
    }

    fn extensions(&self) -> pstate::Extensions<'_> {
        self.0.extensions()
    }

    async fn multi_get(
        &self,
        space: &Space,
        keys: &[Key],
    ) -> pstate::Result<Vec<Option<pstate::Record>>> {
        self.0.multi_get(space, keys).await
    }

    async fn write(&self, space: &Space, batch: &Batch) -> pstate::Result<Vec<pstate::Outcome>> {
        self.0.write(space, batch).await
    }

    async fn scan(&self, space: &Space, scan: &pstate::Scan) -> pstate::Result<pstate::Page> {
        self.0.scan(space, scan).await
    }

    async fn spaces(&self) -> pstate::Result<Vec<Space>> {
        self.0.spaces().await
    }

    async fn flush(&self) -> pstate::Result<()> {
        self.0.flush().await
    }

    async fn close(&self) -> pstate::Result<()> {
        self.0.flush().await
    }
}
