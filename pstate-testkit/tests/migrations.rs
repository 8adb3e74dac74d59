//! `MigrationTest` passes correct migrations, and names the broken promise of wrong ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pstate_core::schema::{Entity, Schema, integer, patterns, string};
use pstate_testkit::migrations::{Failure, MigrationTest, Promise};
use pstate_testkit::workload::{self, Deck};
use serde_json::json;

fn of(entity: Entity) -> Schema {
    Schema::new([entity]).unwrap()
}

fn renaming() -> Schema {
    of(Entity::new("deck", 2).field(string("name").required()).step(
        1,
        2,
        patterns::rename("title", "name"),
    ))
}

fn failures(test: MigrationTest) -> Vec<Failure> {
    test.try_check().unwrap_err()
}

/// The only broken promise, and the failure.
fn broken(test: MigrationTest) -> (Promise, String) {
    let failures = failures(test);
    assert_eq!(failures.len(), 1, "{failures:?}");
    (failures[0].promise, failures[0].to_string())
}

#[test]
fn the_workload_migrates() {
    let deck = Deck { id: "es", cards: 3, translations: 2 };
    MigrationTest::new(workload::schema().unwrap())
        .document("base_deck", 1, deck.old_deck())
        .document("base_card", 1, deck.old_card(1))
        .check();
}

#[test]
fn a_step_that_fails_on_a_document_is_not_total() {
    let test = MigrationTest::new(of(
        Entity::new("card", 2).field(integer("rank").migrate(patterns::parse_integer))
    ))
    .document("card", 1, json!({ "rank": "7" }))
    .document("card", 1, json!({ "rank": "seven" }));
    let (promise, message) = broken(test);
    assert_eq!(promise, Promise::Total);
    assert!(
        message.contains("card version 1 (document 2)") && message.contains("rank"),
        "{message}"
    );
}

#[test]
fn a_result_that_contradicts_the_declaration_is_not_total() {
    let schema = of(Entity::new("card", 2).field(integer("rank")).step(1, 2, |document| {
        document.insert("rank".to_owned(), json!("high"));
        Ok(())
    }));
    let (promise, _) = broken(MigrationTest::new(schema).document("card", 1, json!({})));
    assert_eq!(promise, Promise::Total);
}

#[test]
fn a_version_without_a_document_is_reported() {
    let schema = of(Entity::new("deck", 3).step(1, 2, patterns::rename("a", "b")).step(
        2,
        3,
        patterns::rename("b", "c"),
    ));
    let test = MigrationTest::new(schema).document("deck", 1, json!({ "a": 1 }));
    let (promise, message) = broken(test);
    assert_eq!(promise, Promise::Covered);
    assert!(message.contains("deck version 2"), "{message}");
}

#[test]
fn another_result_each_time_is_not_deterministic() {
    let calls = AtomicU32::new(0);
    let schema = of(Entity::new("deck", 2).step(1, 2, move |document| {
        let number = calls.fetch_add(1, Relaxed);
        document.entry("number").or_insert(json!(number));
        Ok(())
    }));
    let (promise, _) = broken(MigrationTest::new(schema).document("deck", 1, json!({})));
    assert_eq!(promise, Promise::Deterministic);
}

#[test]
fn a_field_migration_that_changes_its_own_result_is_not_idempotent() {
    let test = || {
        let rank = integer("rank").migrate(|old| Ok(old.value.is_none().then(|| json!(7))));
        let schema = of(Entity::new("card", 2).field(rank));
        MigrationTest::new(schema).document("card", 1, json!({ "rank": "none" }))
    };
    let (promise, message) = broken(test());
    assert_eq!(promise, Promise::Idempotent);
    assert!(message.contains(".rank: expected nothing, got 7"), "{message}");
    test().except("card", Promise::Idempotent, "a missing rank is the lowest").check();
}

#[test]
fn a_step_runs_once_and_need_not_be_idempotent() {
    let times_ten = |document: &mut pstate_core::Object| {
        let rank = document.get("rank").and_then(serde_json::Value::as_i64).unwrap_or(0);
        document.insert("rank".to_owned(), json!(rank * 10));
        Ok(())
    };
    let schema = of(Entity::new("card", 2).field(integer("rank")).step(1, 2, times_ten));
    MigrationTest::new(schema).document("card", 1, json!({ "rank": 7 })).check();
}

#[test]
fn a_step_that_drops_what_it_does_not_know_is_not_lossless() {
    let schema = of(Entity::new("card", 2).step(1, 2, |document| {
        document.retain(|name, _| name == "rank");
        Ok(())
    }));
    let test = MigrationTest::new(schema).document("card", 1, json!({ "rank": 7 }));
    assert_eq!(broken(test).0, Promise::Lossless);
}

#[test]
fn down_after_up_gives_back_the_original() {
    let older = |back: &'static str| {
        of(Entity::new("deck", 1).field(string("title")).down(2, 1, patterns::rename("name", back)))
    };
    let test = |older| {
        MigrationTest::new(renaming()).rolled_back_to(older).document(
            "deck",
            1,
            json!({ "title": "Spanish" }),
        )
    };
    test(older("title")).check();
    let (promise, message) = broken(test(older("titel")));
    assert_eq!(promise, Promise::Reversible);
    assert!(message.contains(".title: expected \"Spanish\", got nothing"), "{message}");
}

#[test]
fn golden_files_say_what_is_expected() {
    let directory = tempfile::tempdir().unwrap();
    let version = directory.path().join("deck/v1");
    fs::create_dir_all(&version).unwrap();
    fs::write(version.join("a.json"), r#"{"title":"Spanish"}"#).unwrap();
    let test = || MigrationTest::new(renaming()).golden(directory.path());

    let (promise, message) = broken(test());
    assert_eq!(promise, Promise::Expected);
    assert!(message.contains("a.expected.json") && message.contains("UPDATE_GOLDEN"), "{message}");

    test().update(true).check();
    test().check();
    let expected = fs::read_to_string(version.join("a.expected.json")).unwrap();
    assert!(expected.contains("\"name\": \"Spanish\""), "{expected}");

    fs::write(version.join("a.expected.json"), r#"{"$v":2,"name":"French"}"#).unwrap();
    let (promise, message) = broken(test());
    assert_eq!(promise, Promise::Expected);
    assert!(message.contains(".name: expected \"French\", got \"Spanish\""), "{message}");
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let failures = failures(MigrationTest::new(renaming()).golden("no/such/directory"));
    assert!(failures[0].to_string().contains("no/such/directory"), "{failures:?}");
}
