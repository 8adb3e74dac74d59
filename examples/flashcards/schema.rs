//! The shape of the documents: today's, and yesterday's.

use pstate::schema::{
    Entity, OldField, StepError, has_many, has_one, integer, list, map, patterns, string,
};
use pstate::{Object, Result, Schema};
use serde_json::{Value, json};

/// Today's shape, and how yesterday's becomes it.
pub(crate) fn today() -> Result<Schema> {
    Schema::new([
        Entity::new("base_deck", 2)
            .field(string("name").required())
            .field(string("description"))
            .field(has_many("cards", "base_card").required().migrate(patterns::ids_to_refs))
            .field(list("tags").migrate(patterns::split_text(",")))
            .field(map("metadata").migrate(patterns::wrap_text("origin")))
            .step(1, 2, patterns::rename("title", "name")),
        Entity::new("base_card", 2)
            .field(string("front").required())
            .field(string("hint"))
            .field(integer("rank").required().migrate(patterns::parse_integer))
            .field(list("tags").required().migrate(patterns::split_text(",")))
            .field(has_one("deck", "base_deck").required().migrate(deck_of_card))
            .field(has_many("translations", "translation").migrate(patterns::ids_to_refs)),
        Entity::new("translation", 1)
            .field(string("lang").required())
            .field(string("text").required()),
    ])
}

/// A card's deck is the first part of its text id.
fn deck_of_card(old: &OldField<'_>) -> Result<Option<Value>, StepError> {
    let id = old.document.get("id").and_then(Value::as_str).ok_or("no id")?;
    let deck = id.split('-').next().unwrap_or(id);
    Ok(Some(json!({ "$ref": format!("base_deck:{deck}") })))
}

/// Yesterday's shape, as the program had it that was rolled out with today's in sight: its
/// down-steps let it read what today's program writes, should that be rolled back.
pub(crate) fn yesterday() -> Result<Schema> {
    Schema::new([
        Entity::new("base_deck", 1)
            .field(string("title").required())
            .field(list("cards").required())
            .field(string("tags"))
            .field(string("metadata"))
            .down(2, 1, |deck| {
                patterns::rename("name", "title")(deck)?;
                refs_to_ids(deck, "cards");
                join_text(deck, "tags");
                unwrap_text(deck, "metadata", "origin");
                Ok(())
            }),
        Entity::new("base_card", 1)
            .field(string("front").required())
            .field(string("rank").required())
            .field(string("tags").required())
            .field(list("translations"))
            .down(2, 1, |card| {
                if let Some(rank) = card.get("rank").and_then(Value::as_i64) {
                    card.insert("rank".into(), json!(rank.to_string()));
                }
                join_text(card, "tags");
                refs_to_ids(card, "translations");
                Ok(())
            }),
        Entity::new("translation", 1)
            .field(string("lang").required())
            .field(string("text").required()),
    ])
}

/// `{"a": {"$ref": "card:a"}}` becomes `["a"]`.
fn refs_to_ids(document: &mut Object, field: &str) {
    if let Some(Value::Object(refs)) = document.get(field) {
        let id = |reference: &Value| {
            let key = reference.get("$ref").and_then(Value::as_str)?;
            Some(json!(key.split_once(':')?.1))
        };
        let ids: Vec<Value> = refs.values().filter_map(id).collect();
        document.insert(field.to_owned(), ids.into());
    }
}

/// `["x", "y"]` becomes `"x, y"`.
fn join_text(document: &mut Object, field: &str) {
    if let Some(Value::Array(parts)) = document.get(field) {
        let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
        let text = parts.join(", ");
        document.insert(field.to_owned(), text.into());
    }
}

/// `{"origin": "x"}` becomes `"x"`.
fn unwrap_text(document: &mut Object, field: &str, member: &str) {
    if let Some(text) = document.get(field).and_then(|map| map.get(member)).cloned() {
        document.insert(field.to_owned(), text);
    }
}
