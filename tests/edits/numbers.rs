//! Migrations keep the digits of numbers and the order of lists.

use pstate::schema::{Entity, Field, Schema, any, has_many, list, patterns, string};
use serde_json::json;

/// What a field migration makes of a document.
fn field(field: Field, text: &str) -> String {
    Schema::new([Entity::new("deck", 2).field(field)]).unwrap().migrate_text("deck", text).unwrap()
}

#[test]
fn a_renamed_member_keeps_its_digits() {
    let rename = Entity::new("deck", 2).step(1, 2, patterns::rename("a", "b"));
    let schema = Schema::new([rename]).unwrap();
    for number in ["12.50", "1e3", "12345678901234567890123", "0.30000000000000000001", "-0.0"] {
        let migrated = schema.migrate_text("deck", &format!(r#"{{"a":{number},"z":1.0e0}}"#));
        assert_eq!(migrated.unwrap(), format!(r#"{{"$v":2,"z":1.0e0,"b":{number}}}"#));
        let nested = format!(r#"{{"a":{{"list":[{number},{{"x":{number}}}]}}}}"#);
        let expected = nested.replace(r#"{"a""#, r#"{"$v":2,"b""#);
        assert_eq!(schema.migrate_text("deck", &nested).unwrap(), expected);
    }
}

#[test]
fn a_flattened_member_keeps_its_digits() {
    let flatten = Entity::new("deck", 2).step(1, 2, patterns::flatten("meta"));
    let schema = Schema::new([flatten]).unwrap();
    assert_eq!(
        schema
            .migrate_text("deck", r#"{"meta":{"id":12345678901234567890123,"rate":1e3},"x":1.50}"#)
            .unwrap(),
        r#"{"$v":2,"x":1.50,"id":12345678901234567890123,"rate":1e3}"#
    );
}

#[test]
fn a_copied_member_keeps_the_digits_that_a_double_does_not_have() {
    for (pattern, text) in [
        (any("new").migrate(patterns::renamed_from("old")), r#"{"old":12345678901234567890123}"#),
        (
            any("new").migrate(patterns::from_path("meta.id")),
            r#"{"meta":{"id":12345678901234567890123}}"#,
        ),
    ] {
        let migrated = field(pattern, text);
        assert!(migrated.ends_with(r#","new":12345678901234567890123}"#), "{migrated}");
    }
}

#[test]
fn a_number_that_becomes_text_keeps_its_digits() {
    for number in ["12.50", "1e3", "12345678901234567890123", "0.30000000000000000001", "7"] {
        let text = format!(r#"{{"code":{number}}}"#);
        assert_eq!(
            field(string("code").migrate(patterns::to_text), &text),
            format!(r#"{{"$v":2,"code":"{number}"}}"#)
        );
        // After a step has moved it.
        let entity = Entity::new("deck", 2).field(string("code").migrate(patterns::to_text)).step(
            1,
            2,
            patterns::rename("number", "code"),
        );
        assert_eq!(
            Schema::new([entity])
                .unwrap()
                .migrate_text("deck", &format!(r#"{{"number":{number}}}"#))
                .unwrap(),
            format!(r#"{{"$v":2,"code":"{number}"}}"#)
        );
    }
}

#[test]
fn ids_become_references_with_all_digits_and_in_order() {
    let cards = || has_many("cards", "card");
    let text = r#"{"cards":["z",12345678901234567890123,"card:b",7,"m"]}"#;
    assert_eq!(
        field(cards().migrate(patterns::ids_to_refs), text),
        r#"{"$v":2,"cards":{"z":{"$ref":"card:z"},"12345678901234567890123":{"$ref":"card:12345678901234567890123"},"b":{"$ref":"card:b"},"7":{"$ref":"card:7"},"m":{"$ref":"card:m"}}}"#
    );
    assert_eq!(
        field(cards().migrate(patterns::ids_to_ref_list), text),
        r#"{"$v":2,"cards":[{"$ref":"card:z"},{"$ref":"card:12345678901234567890123"},{"$ref":"card:b"},{"$ref":"card:7"},{"$ref":"card:m"}]}"#
    );
}

#[test]
fn a_list_that_a_step_has_moved_keeps_its_order_as_references() {
    let entity = Entity::new("deck", 2)
        .field(has_many("cards", "card").migrate(patterns::ids_to_refs))
        .step(1, 2, patterns::rename("card_ids", "cards"));
    assert_eq!(
        Schema::new([entity])
            .unwrap()
            .migrate_text("deck", r#"{"card_ids":["z","b","m"]}"#)
            .unwrap(),
        r#"{"$v":2,"cards":{"z":{"$ref":"card:z"},"b":{"$ref":"card:b"},"m":{"$ref":"card:m"}}}"#
    );
}

#[test]
fn a_copied_value_is_declared_by_any_field_and_fits() {
    // Whatever a crate of the program makes of numbers, they fit the declared types.
    let entity = || {
        Entity::new("deck", 2)
            .field(pstate::schema::float("ease"))
            .field(pstate::schema::integer("rank"))
            .field(any("anything"))
            .field(list("numbers"))
    };
    let schema = Schema::new([entity()]).unwrap();
    let text = r#"{"ease":2.50,"rank":7,"anything":1e3,"numbers":[1.0,2]}"#;
    assert_eq!(schema.migrate_text("deck", text).unwrap(), text.replacen('{', r#"{"$v":2,"#, 1));
    let misfit = |document: serde_json::Value| {
        let error = schema.migrate_text("deck", &document.to_string()).unwrap_err();
        error.message().to_owned()
    };
    assert!(misfit(json!({"rank": 1.5})).contains("field `rank`: expected an integer"));
    assert!(misfit(json!({"ease": "2.5"})).contains("field `ease`: expected a number"));
    assert!(misfit(json!({"numbers": 7})).contains("field `numbers`: expected an array"));
}
