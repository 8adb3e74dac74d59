//! Migrations: any text may be stored under a schema with steps and fields. Nothing panics, members
//! that no step and no field names are kept as they are written, and what a read migrates is what
//! is written back.

use std::sync::LazyLock;

use pstate::schema::{
    Entity, any, boolean, float, has_many, has_one, integer, list, map, patterns, string,
};
use pstate::{PState, Schema};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::bytes::Bytes;
use crate::members::assert_kept;
use crate::store;

/// What the steps and fields of the schema name.
const NAMED: [&str; 17] = [
    "$v", "title", "name", "gone", "meta", "author", "cards", "owner", "size", "ease", "on",
    "note", "tags", "extra", "front", "kept", "label",
];

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let steps = Entity::new("steps", 4)
        .step(1, 2, patterns::rename("title", "name"))
        .step(2, 3, patterns::remove("gone"))
        .step(3, 4, |document| {
            let size = document.get("size").and_then(Value::as_u64).unwrap_or(0);
            document.insert("size".to_owned(), json!(size));
            Ok(())
        })
        .down(5, 4, patterns::rename("label", "name"))
        .field(integer("size").required());
    let fields = Entity::new("fields", 2)
        .field(has_many("cards", "card").migrate(patterns::ids_to_refs))
        .field(has_one("owner", "user"))
        .field(string("author").migrate(patterns::from_path("meta.author")))
        .field(string("name").migrate(patterns::renamed_from("title")))
        .field(integer("size").migrate(patterns::parse_integer))
        .field(float("ease").migrate(patterns::parse_float))
        .field(boolean("on").migrate(patterns::parse_boolean))
        .field(list("tags").migrate(patterns::split_text(",")))
        .field(map("front").migrate(patterns::wrap_text("es")))
        .field(string("note").migrate(patterns::to_text))
        .field(any("extra").required().migrate(patterns::constant(json!([]))))
        .field(any("kept"));
    Schema::new([steps, fields]).unwrap()
});

pub(crate) fn run(data: &[u8]) {
    let (mut choices, text) = Bytes::and_text(data);
    let entity = choices.choose(&["steps", "fields"]);
    let Ok(stored) = std::str::from_utf8(text) else { return };
    let migrated = SCHEMA.migrate_text(entity, stored);
    if let Ok(migrated) = &migrated {
        let kept = |name: &str| !NAMED.contains(&name);
        assert_kept(stored, migrated, kept);
        assert_eq!(SCHEMA.migrate_text(entity, migrated).unwrap(), *migrated);
        if let Ok(tree) = serde_json::from_str(stored) {
            _ = SCHEMA.migrate(entity, &tree);
        }
    }
    store::block_on(async {
        let adapter = store::empty();
        let key = format!("{entity}:1");
        store::store(&adapter, &key, text).await.unwrap();
        let open = || PState::builder(adapter.clone()).schema(SCHEMA.clone()).build().unwrap();
        let pstate = open();
        let read = pstate.get(&key).await;
        assert_eq!(read.is_ok(), migrated.is_ok());
        if let (Ok(read), Ok(migrated)) = (read, &migrated) {
            assert_eq!(read.unwrap().as_str(), migrated);
            assert_eq!(pstate.flush().await.unwrap().left, 0);
            assert_eq!(open().get(&key).await.unwrap().unwrap().as_str(), migrated);
        }
        if let Ok(raw) = serde_json::from_str::<&RawValue>(stored)
            && pstate.put(&key, raw).await.is_ok()
        {
            pstate.get(&key).await.unwrap().unwrap();
        }
    });
}
