//! Documents of older versions become current ones while they are read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use pstate::schema::{Entity, FailedMigrations, NewerDocuments, UndeclaredTypes, patterns, string};
use pstate::{CachePolicy, ErrorKind, PState, Schema};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::stores::{Store, deck_of, on_each_store};

async fn old_deck(store: &Store) {
    let deck = deck_of(3);
    let plain = store.plain();
    plain.put_at(1, deck.key(), &deck.old_deck()).await.unwrap();
    for card in 0..3 {
        plain.put_at(1, deck.card_key(card), &deck.old_card(card)).await.unwrap();
    }
}

async fn stored(store: &Store, key: &str) -> String {
    store.plain().get(key).await.unwrap().unwrap().as_str().to_owned()
}

/// A step that gives another result each time, as one that makes up an id does.
fn made_up() -> Schema {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Schema::new([Entity::new("base_card", 2).step(1, 2, |card| {
        card.insert("made_up".into(), json!(NEXT.fetch_add(1, Relaxed)));
        Ok(())
    })])
    .unwrap()
}

fn failing() -> Schema {
    Schema::new([Entity::new("base_card", 2).step(1, 2, |card| match card.get("front") {
        Some(_) => Ok(()),
        None => Err("no front".into()),
    })])
    .unwrap()
}

/// A schema whose step waits for a call of the handle that reads another deck.
fn reading_each_other(
    handle: Arc<OnceLock<PState>>,
    read: impl AsyncFn(&PState, &str) -> pstate::Result<()> + Send + Sync + 'static,
) -> Schema {
    Schema::new([Entity::new("deck", 2).step(1, 2, move |deck| {
        let other = deck.get("other").and_then(Value::as_str).ok_or("no other deck")?;
        let pstate = handle.get().ok_or("no handle")?;
        block_in_place(|| Handle::current().block_on(read(pstate, other)))?;
        Ok(())
    })])
    .unwrap()
}

on_each_store! {
    async fn steps_that_call_the_handle_get_an_error_and_do_not_wait_for_themselves(store: Store) {
        for (other_of_1, other_of_2) in [("deck:2", "deck:1"), ("deck:1", "deck:2")] {
            let plain = store.plain();
            plain.put_at(1, "deck:1", &json!({ "other": other_of_1 })).await.unwrap();
            plain.put_at(1, "deck:2", &json!({ "other": other_of_2 })).await.unwrap();
            let shared = Arc::new(OnceLock::new());
            let schema = reading_each_other(shared.clone(), async |pstate, other| {
                pstate.get(other).await.map(|_| ())
            });
            let pstate = store.builder().schema(schema).build().unwrap();
            shared.set(pstate.clone()).unwrap();
            let expected = format!(
                "get: deck:1: from version 1 to 2: migration step 1 -> 2: get: {other_of_1}: a migration step works on \
                 its document alone"
            );
            let (one, two) = tokio::join!(pstate.get("deck:1"), pstate.get("deck:2"));
            let error = one.unwrap_err();
            assert!(error.to_string().starts_with(&expected), "{error}");
            assert_eq!((error.kind(), two.unwrap_err().kind()), (ErrorKind::Schema, ErrorKind::Schema));
            // In one batch, and by the calls that read pages.
            let both = pstate.multi_get_each(["deck:1", "deck:2"]).await.unwrap();
            assert!(both.iter().all(Result::is_err));
            let page = pstate.scan("deck:").page().await.unwrap();
            assert!(page.documents.iter().all(Result::is_err));
            assert_eq!(pstate.migrate_all().run().await.unwrap().failed, 2);
        }
    }

    async fn a_step_may_not_call_the_handle_in_any_other_way_either(store: Store) {
        store.plain().put_at(1, "deck:1", &json!({ "other": "deck:1" })).await.unwrap();
        let shared = Arc::new(OnceLock::new());
        let schema = reading_each_other(shared.clone(), async |pstate, other| {
            let refused = [
                pstate.put(other, &json!({})).await.map(|_| ()),
                pstate.delete(other).await,
                pstate.multi_get(["card:1"]).await.map(|_| ()),
                pstate.update("card:1", |_| Ok(())).await.map(|_| ()),
                pstate.preload(other, "other").await.map(|_| ()),
                pstate.get_resolved(other, 1).await.map(|_| ()),
                pstate.scan("deck:").page().await.map(|_| ()),
                pstate.batch().delete(other).commit().await,
                pstate.create_linked(other, "cards", "card:1", &json!({})).await,
                pstate.migration_status().await.map(|_| ()),
                pstate.migrate_all().start().await.map(|_| ()),
                pstate.clear_space().await.map(|_| ()),
                pstate.flush().await.map(|_| ()),
                pstate.close().await.map(|_| ()),
            ];
            let works_alone = |error: &pstate::Error| error.message().contains("its document alone");
            let refused = refused.iter().all(|called| called.as_ref().is_err_and(works_alone));
            let why = if refused { "all refused" } else { "a call was made" };
            Err(pstate::Error::new(ErrorKind::Other, why))
        });
        let pstate = store.builder().schema(schema).build().unwrap();
        shared.set(pstate.clone()).unwrap();
        let error = pstate.get("deck:1").await.unwrap_err();
        assert!(error.message().ends_with("all refused"), "{error}");
        // The thread that ran it is as it was before.
        assert!(pstate.get("card:1").await.unwrap().is_none());
        assert_eq!(stored(&store, "deck:1").await, r#"{"$v":1,"other":"deck:1"}"#);
    }

    async fn a_read_shows_the_new_shape_and_the_store_gets_it_in_the_background(store: Store) {
        old_deck(&store).await;
        let pstate = store.with_schema();
        let deck = pstate.get("base_deck:spanish").await.unwrap().unwrap();
        let now = r#"{"$v":2,"cards":{"spanish-000000":{"$ref":"base_card:spanish-000000"},"#;
        assert!(deck.as_str().starts_with(now), "{}", deck.as_str());
        assert!(deck.as_str().ends_with(
            r#""metadata":{"note":"by hand"},"tags":["base","old"],"name":"spanish"}"#
        ));
        assert!(stored(&store, "base_deck:spanish").await.starts_with(r#"{"$v":1,"#));

        assert_eq!(pstate.flush().await.unwrap().stored, 1);
        assert_eq!(stored(&store, "base_deck:spanish").await, deck.as_str());
    }

    async fn the_second_read_migrates_nothing_warm_or_cold(store: Store) {
        old_deck(&store).await;
        let pstate = store.with_schema();
        pstate.get("base_deck:spanish").await.unwrap();
        pstate.get("base_deck:spanish").await.unwrap();
        assert_eq!(pstate.stats().migrations, 1);
        pstate.flush().await.unwrap();
        let fresh = store.with_schema();
        fresh.get("base_deck:spanish").await.unwrap();
        assert_eq!(fresh.stats().migrations, 0);
    }

    async fn a_document_migrated_by_a_read_can_be_updated_before_it_is_written_back(store: Store) {
        old_deck(&store).await;
        let pstate = store.with_schema();
        let updated = pstate.update("base_card:spanish-000002", |card| {
            assert_eq!(card["rank"], json!(2));
            card["rank"] = json!(20);
            Ok(())
        }).await.unwrap().unwrap();
        assert_eq!(updated.get("rank").unwrap(), Some(&json!(20)));
        let report = pstate.flush().await.unwrap();
        assert_eq!((report.stored, report.conflicts), (0, 1));
        assert!(stored(&store, "base_card:spanish-000002").await.contains("\"rank\":20"));
    }

    async fn scans_and_batches_of_reads_migrate_too(store: Store) {
        old_deck(&store).await;
        let pstate = store.with_schema();
        let page = pstate.scan("base_card:").page().await.unwrap();
        for card in page.documents {
            assert_eq!(card.unwrap().version(), 2);
        }
        assert_eq!(pstate.stats().migrations, 3);
    }

    async fn a_failing_step_is_a_typed_error_and_nothing_is_written(store: Store) {
        store.plain().put("base_card:1", &json!({"$v": 1, "back": "x"})).await.unwrap();
        let pstate = store.builder().schema(failing()).build().unwrap();
        let error = pstate.get("base_card:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert_eq!(error.to_string(), "get: base_card:1: from version 1 to 2: migration step 1 -> 2: no front");
        assert_eq!(pstate.stats().failed_migrations, 1);
        pstate.flush().await.unwrap();
        assert_eq!(stored(&store, "base_card:1").await, r#"{"$v":1,"back":"x"}"#);
    }

    async fn by_option_the_original_is_served_when_a_step_fails(store: Store) {
        store.plain().put("base_card:1", &json!({"$v": 1, "back": "x"})).await.unwrap();
        let lenient = failing().failed_migrations(FailedMigrations::ServeOriginal);
        let pstate = store.builder().schema(lenient).build().unwrap();
        let card = pstate.get("base_card:1").await.unwrap().unwrap();
        assert_eq!(card.as_str(), r#"{"$v":1,"back":"x"}"#);
        let error = pstate.update("base_card:1", |_| Ok(())).await.unwrap_err();
        assert_eq!(
            error.message(),
            "is stored at version 1 and could not be migrated; it is not stamped as version 2"
        );
        assert_eq!(stored(&store, "base_card:1").await, r#"{"$v":1,"back":"x"}"#);
    }

    async fn newer_documents_pass_and_are_neither_restamped_nor_overwritten(store: Store) {
        let newer = r#"{"$v":9,"label":"from the future"}"#;
        store.plain().put("base_deck:1", &json!({"$v": 9, "label": "from the future"})).await.unwrap();
        let pstate = store.with_schema();
        assert_eq!(pstate.get("base_deck:1").await.unwrap().unwrap().as_str(), newer);
        let error = pstate.update("base_deck:1", |_| Ok(())).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "update: base_deck:1: is stored at version 9, newer than the schema's 2; \
             it is not overwritten with an older shape"
        );
        pstate.flush().await.unwrap();
        assert_eq!(stored(&store, "base_deck:1").await, newer);
    }

    async fn newer_documents_are_refused_by_option_or_shown_by_down_steps(store: Store) {
        store.plain().put("deck:1", &json!({"$v": 2, "name": "x"})).await.unwrap();
        let refusing = Schema::new([Entity::new("deck", 1)]).unwrap()
            .newer_documents(NewerDocuments::Refuse);
        let error = store.builder().schema(refusing).build().unwrap().get("deck:1").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "get: deck:1: version 2 is newer than the schema's 1, and newer documents are refused"
        );
        let down = Schema::new([Entity::new("deck", 1)
            .field(string("title").required())
            .down(2, 1, patterns::rename("name", "title"))]).unwrap();
        let pstate = store.builder().schema(down).build().unwrap();
        let deck = pstate.get("deck:1").await.unwrap().unwrap();
        assert_eq!(deck.as_str(), r#"{"$v":1,"title":"x"}"#);
        let error = pstate.update("deck:1", |_| Ok(())).await.unwrap_err();
        assert!(error.message().ends_with("not overwritten with an older shape"), "{error}");
        let error = pstate.create_linked("deck:1", "cards", "card:1", &json!({})).await.unwrap_err();
        assert!(error.message().ends_with("not overwritten with an older shape"), "{error}");
        assert_eq!(pstate.flush().await.unwrap().stored, 0);
        assert_eq!(stored(&store, "deck:1").await, r#"{"$v":2,"name":"x"}"#);
    }

    async fn an_update_keeps_the_very_text_of_what_it_does_not_touch(store: Store) {
        let text = r#"{"$v":2,"front":"x","id":123456789012345678901234567890,"rank":1}"#;
        let write = pstate::Write::put("base_card:1".parse().unwrap(), text.as_bytes());
        let batch = pstate::Batch::each(vec![write]);
        store.adapter().write(&pstate::Space::default(), &batch).await.unwrap();
        let pstate = store.with_schema();
        pstate.update("base_card:1", |card| {
            card["rank"] = json!(2);
            Ok(())
        }).await.unwrap();
        assert_eq!(stored(&store, "base_card:1").await, text.replace("\"rank\":1", "\"rank\":2"));
    }

    async fn all_reads_agree_on_what_is_stored_in_the_end_whatever_a_step_makes_up(store: Store) {
        for key in ["base_card:1", "base_card:2", "base_card:3"] {
            store.plain().put_at(1, key, &json!({"front": "x"})).await.unwrap();
        }
        let pstate = store.builder().schema(made_up()).build().unwrap();
        let text = |document: &pstate::Document| document.as_str().to_owned();
        let first = text(&pstate.get("base_card:1").await.unwrap().unwrap());
        let scanned = async || -> Vec<String> {
            let cards = pstate.scan("base_card:").stream().collect().await.unwrap();
            cards.iter().map(text).collect()
        };
        let seen = scanned().await;
        assert_eq!(seen[0], first);
        assert_eq!(scanned().await, seen);
        let refreshing = pstate.cache_policy(CachePolicy::Refresh);
        assert_eq!(text(&refreshing.get("base_card:2").await.unwrap().unwrap()), seen[1]);
        let read = pstate.multi_get(["base_card:1", "base_card:2", "base_card:3"]).await.unwrap();
        assert_eq!(read.iter().flatten().map(text).collect::<Vec<_>>(), seen);
        pstate.flush().await.unwrap();
        assert_eq!(scanned().await, seen);
        for (key, text) in ["base_card:1", "base_card:2", "base_card:3"].iter().zip(&seen) {
            assert_eq!(&stored(&store, key).await, text);
        }
    }

    async fn a_sweep_stores_what_reads_have_served_whatever_a_step_makes_up(store: Store) {
        store.plain().put_at(1, "base_card:1", &json!({"front": "x"})).await.unwrap();
        let pstate = store.builder().schema(made_up()).build().unwrap();
        let served = pstate.get("base_card:1").await.unwrap().unwrap();
        pstate.migrate_all().run().await.unwrap();
        assert_eq!(stored(&store, "base_card:1").await, served.as_str());
        assert_eq!(pstate.get("base_card:1").await.unwrap().unwrap().as_str(), served.as_str());
    }

    async fn what_is_put_is_stamped_and_what_has_no_schema_is_not(store: Store) {
        let pstate = store.with_schema();
        pstate.put("translation:1", &json!({"lang": "fr", "text": "l’été"})).await.unwrap();
        pstate.put("note:1", &json!({"text": "free"})).await.unwrap();
        assert_eq!(stored(&store, "translation:1").await, r#"{"$v":1,"lang":"fr","text":"l’été"}"#);
        assert_eq!(stored(&store, "note:1").await, r#"{"text":"free"}"#);

        let strict = pstate_testkit::workload::schema().unwrap().undeclared_types(UndeclaredTypes::Refuse);
        let strict = PState::builder(store.adapter()).schema(strict).build().unwrap();
        for error in [
            strict.put("note:2", &json!({})).await.unwrap_err(),
            strict.get("note:1").await.unwrap_err(),
        ] {
            assert_eq!(error.message(), "entity type `note` is not declared in the schema");
        }
    }
}
