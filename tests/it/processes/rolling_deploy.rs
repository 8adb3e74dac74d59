//! A rolling deploy: yesterday's program and today's, two processes on one SQLite file, both
//! reading and writing for a while; then today's is rolled back.
//!
//! Whatever the older program makes of newer documents, none is damaged: in the end each is what
//! its last writer has put, or that migrated.

#[path = "../../../examples/flashcards/schema.rs"]
mod flashcards;

use std::path::Path;

use pstate::schema::{Entity, NewerDocuments};
use pstate::{Document, ErrorKind, PState, Schema};
use serde_json::{Value, json};

use super::child::{self, Child, open, say};

/// How many decks each program has, and how often it writes each.
const DECKS: usize = 4;
const EDITIONS: usize = 25;

/// What yesterday's program was told about newer documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yesterday {
    HasDownSteps,
    PassesNewer,
    RefusesNewer,
}

impl Yesterday {
    const ALL: [Self; 3] = [Self::HasDownSteps, Self::PassesNewer, Self::RefusesNewer];

    fn name(self) -> &'static str {
        match self {
            Self::HasDownSteps => "down-steps",
            Self::PassesNewer => "pass",
            Self::RefusesNewer => "refuse",
        }
    }

    fn schema(self) -> Schema {
        let schema = flashcards::yesterday().unwrap();
        if self == Self::HasDownSteps {
            return schema;
        }
        // The same versions and fields, without the steps.
        let entities = schema.entities().map(|entity| {
            let fields = entity.fields().iter().cloned();
            fields.fold(Entity::new(entity.name(), entity.version()), Entity::field)
        });
        let newer = match self {
            Self::RefusesNewer => NewerDocuments::Refuse,
            _ => NewerDocuments::Pass,
        };
        Schema::new(entities).unwrap().newer_documents(newer)
    }
}

fn handle(file: &Path, schema: Schema) -> PState {
    PState::builder(open(file)).schema(schema).cache_bytes(0).build().unwrap()
}

fn key(program: &str, deck: usize) -> String {
    format!("base_deck:{program}-{deck}")
}

fn old_deck(name: &str) -> Value {
    json!({ "title": name, "cards": ["b", "a"], "tags": "x, y", "metadata": "by hand", "kept": [1.5] })
}

fn new_deck(name: &str) -> Value {
    json!({
        "name": name,
        "cards": { "a": { "$ref": "base_card:a" }, "b": { "$ref": "base_card:b" } },
        "tags": ["x", "y"],
        "metadata": { "origin": "by hand" },
        "kept": [1.5],
    })
}

/// A deck's members, without its version.
fn members(document: &Document) -> Value {
    let mut members = document.value().unwrap().clone();
    members.as_object_mut().unwrap().remove("$v");
    members
}

/// The same deck after a program has ended with it: the order of its cards' ids is not kept.
fn sorted(mut deck: Value) -> Value {
    if let Some(Value::Array(cards)) = deck.get_mut("cards") {
        cards.sort_by_key(ToString::to_string);
    }
    deck
}

fn name(program: &str, deck: usize, edition: usize) -> String {
    format!("{program} {deck} {edition}")
}

/// What a program has read is a deck of some edition, in one of these shapes.
fn check(document: &Document, shapes: &[fn(&str) -> Value]) {
    let found = members(document);
    let name = found.get("name").or_else(|| found.get("title")).and_then(Value::as_str).unwrap();
    let shown = sorted(found.clone());
    let known = shapes.iter().any(|shape| sorted(shape(name)) == shown);
    assert!(known, "{}: {found}", document.key());
}

/// Yesterday's program: writes its own decks, and reads everybody's.
async fn run_yesterday(pstate: &PState, yesterday: Yesterday) {
    for edition in 0..EDITIONS {
        for deck in 0..DECKS {
            pstate.put(key("old", deck), &old_deck(&name("old", deck, edition))).await.unwrap();
            for program in ["old", "new"] {
                read_yesterday(pstate, &key(program, deck), yesterday).await;
            }
        }
        say("edition");
    }
    // Whatever it had to write back would be written now.
    pstate.close().await.unwrap();
}

/// Yesterday's program reads a deck. One of its own may be today's by now: that was written back.
async fn read_yesterday(pstate: &PState, key: &str, yesterday: Yesterday) {
    let found = pstate.get(key).await;
    match yesterday {
        Yesterday::HasDownSteps => check(&found.unwrap().unwrap(), &[old_deck]),
        Yesterday::PassesNewer => {
            let document = found.unwrap().unwrap();
            check(&document, if document.version() == 2 { &[new_deck] } else { &[old_deck] });
        }
        Yesterday::RefusesNewer => match found {
            Ok(document) => check(&document.unwrap(), &[old_deck]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Schema);
                assert!(
                    error.message().contains("version 2 is newer than the schema's 1"),
                    "{error}"
                );
            }
        },
    }
    // Only what is shown as it is stored may be changed.
    let updated = pstate.update(key, |deck| {
        deck.insert("kept".into(), json!([1.5]));
        Ok(())
    });
    if let Err(error) = updated.await {
        assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
        assert!(error.message().contains("newer than the schema's"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by `both_run_for_a_while_and_nothing_is_damaged`, in a process of its own"]
async fn yesterdays_program() {
    let task = child::task();
    let yesterday = Yesterday::ALL.into_iter().find(|it| it.name() == task).unwrap();
    run_yesterday(&handle(&child::file(), yesterday.schema()), yesterday).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_run_for_a_while_and_nothing_is_damaged() {
    for yesterday in Yesterday::ALL {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.db");
        let today = handle(&file, flashcards::today().unwrap());
        let plain = PState::builder(open(&file)).cache_bytes(0).build().unwrap();
        for deck in 0..DECKS {
            today.put(key("new", deck), &new_deck(&name("new", deck, 0))).await.unwrap();
        }
        let mut child =
            Child::start("processes::rolling_deploy::yesterdays_program", &file, yesterday.name());
        assert_eq!(child.hear().as_deref(), Some("edition"));
        let child = tokio::task::spawn_blocking(move || child.finish());
        let mut edition = 0;
        while !child.is_finished() || edition < EDITIONS {
            edition += 1;
            for deck in 0..DECKS {
                today.put(key("new", deck), &new_deck(&name("new", deck, edition))).await.unwrap();
                for program in ["old", "new"] {
                    let found = today.get(key(program, deck)).await.unwrap().unwrap();
                    check(&found, &[new_deck]);
                    assert_eq!(found.version(), 2);
                }
            }
            today.flush().await.unwrap();
        }
        assert_eq!(child.await.unwrap().len(), EDITIONS - 1);

        // Each is what its last writer has put, or that migrated.
        let status = today.migration_status().await.unwrap();
        assert_eq!(status.types["base_deck"].total(), 2 * DECKS as u64);
        for deck in 0..DECKS {
            let new = plain.get(key("new", deck)).await.unwrap().unwrap();
            assert_eq!(members(&new), new_deck(&name("new", deck, edition)));
            let old = plain.get(key("old", deck)).await.unwrap().unwrap();
            let last = name("old", deck, EDITIONS - 1);
            let expected = if old.version() == 1 { old_deck(&last) } else { new_deck(&last) };
            assert_eq!(members(&old), expected);
        }
        today.migrate_all().run().await.unwrap();
        assert_eq!(today.migration_status().await.unwrap().older(), 0);
        today.close().await.unwrap();

        // Today's program is rolled back: yesterday's reads all that it has left, and goes on.
        let rolled_back = handle(&file, yesterday.schema());
        for deck in 0..DECKS {
            for program in ["old", "new"] {
                read_yesterday(&rolled_back, &key(program, deck), yesterday).await;
            }
        }
        rolled_back.put(key("old", 0), &old_deck("afterwards")).await.unwrap();
        assert_eq!(rolled_back.close().await.unwrap().stored, 0);
        for deck in 1..DECKS {
            let left = plain.get(key("old", deck)).await.unwrap().unwrap();
            assert_eq!(left.version(), 2);
            check(&left, &[new_deck]);
        }
    }
}
