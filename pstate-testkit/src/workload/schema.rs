use pstate_core::Result;
use pstate_core::schema::{Entity, Schema, has_many, integer, list, map, patterns, string};

/// The schema of the documents of a [`Deck`](super::Deck): decks and cards at version 2, with
/// migrations from version 1; translations at version 1.
pub fn schema() -> Result<Schema> {
    Schema::new([
        Entity::new("base_deck", 2)
            .field(string("name").required())
            .field(has_many("cards", "base_card").migrate(patterns::ids_to_refs))
            .field(list("tags").migrate(patterns::split_text(",")))
            .field(map("metadata").migrate(patterns::wrap_text("note")))
            .step(1, 2, patterns::rename("title", "name")),
        Entity::new("base_card", 2)
            .field(string("front").required())
            .field(string("back"))
            .field(integer("rank").migrate(patterns::parse_integer))
            .field(has_many("translations", "translation")),
        Entity::new("translation", 1)
            .field(string("lang").required())
            .field(string("text").required()),
    ])
}
