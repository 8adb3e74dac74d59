use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::model::{Error, ErrorKind, Key, Object, Result};

/// The text after an edit of the tree.
fn edited(text: &str, edit: impl FnOnce(&mut Object)) -> String {
    let mut editor = DocumentEditor::open(text).unwrap();
    edit(editor.object_mut());
    editor.finish().unwrap()
}

fn set(object: &mut Object, name: &str, value: Value) {
    object.insert(name.to_owned(), value);
}

/// The text after an edit of a typed value.
fn typed<T: Serialize + for<'de> Deserialize<'de>>(
    text: &str,
    edit: impl FnOnce(&mut T),
) -> Result<String> {
    let mut item: T = serde_json::from_str(text).unwrap();
    let before = serde_json::to_string(&item).unwrap();
    edit(&mut item);
    let after = serde_json::to_string(&item).unwrap();
    edit_typed(text, &before, &after, &|text| {
        let item =
            serde_json::from_str::<T>(text).map_err(|error| Error::schema(error.to_string()));
        Ok(serde_json::to_string(&item?).unwrap())
    })
}

#[test]
fn what_an_edit_leaves_alone_keeps_its_bytes_at_every_depth() {
    let text = r#"{"z":1e3, "m":{ "x":0.30000000000000000001 ,"big":123456789012345678901,"y":1 },"l":[1.50,{"b":2.0e0,"a":"A"}],"a":-0.0}"#;
    assert_eq!(edited(text, |_| {}), text);
    assert_eq!(
        edited(text, |object| object["m"]["y"] = json!(2)),
        text.replace("\"y\":1", "\"y\":2")
    );
    assert_eq!(
        edited(text, |object| object["l"][1]["a"] = json!("B")),
        text.replace("\"a\":\"A\"", "\"a\":\"B\"")
    );
    assert_eq!(
        edited(text, |object| object["l"][1]["c"] = json!([1])),
        text.replace(r#""a":"A""#, r#""a":"A","c":[1]"#)
    );
    assert_eq!(
        edited(text, |object| _ = object.remove("m")),
        r#"{"z":1e3,"l":[1.50,{"b":2.0e0,"a":"A"}],"a":-0.0}"#
    );
}

#[test]
fn members_are_removed_and_added_with_their_commas() {
    let without = |text: &str, names: &[&str]| {
        edited(text, |object| object.retain(|name, _| !names.contains(&name.as_str())))
    };
    let text = r#"{ "a":1 , "b":2 , "c":3 }"#;
    assert_eq!(without(text, &["a"]), r#"{ "b":2 , "c":3 }"#);
    assert_eq!(without(text, &["b"]), r#"{ "a":1 , "c":3 }"#);
    assert_eq!(without(text, &["c"]), r#"{ "a":1 , "b":2 }"#);
    assert_eq!(without(text, &["a", "b"]), r#"{ "c":3 }"#);
    assert_eq!(without(text, &["b", "c"]), r#"{ "a":1 }"#);
    assert_eq!(without(text, &["a", "c"]), r#"{ "b":2 }"#);
    assert_eq!(without(text, &["a", "b", "c"]), "{  }");
    assert_eq!(edited("{}", |object| set(object, "a", json!(1))), r#"{"a":1}"#);
    assert_eq!(
        edited(text, |object| {
            object.clear();
            set(object, "d", json!(4));
        }),
        r#"{"d":4  }"#
    );
    assert_eq!(
        edited(text, |object| {
            object.remove("c");
            set(object, "d", json!({"x": 1}));
            set(object, "e", json!([]));
        }),
        r#"{ "a":1 , "b":2,"d":{"x":1},"e":[] }"#
    );
}

#[test]
fn of_a_member_that_is_written_twice_the_last_one_is_edited_and_the_others_go() {
    let text = r#"{"a":1,"b":0.10,"a":2,"b":0.20}"#;
    assert_eq!(edited(text, |object| object["a"] = json!(3)), r#"{"b":0.10,"a":3,"b":0.20}"#);
    assert_eq!(edited(text, |object| _ = object.remove("a")), r#"{"b":0.10,"b":0.20}"#);
}

#[test]
fn a_value_that_moves_keeps_its_text() {
    let text = r#"{"price":12.50,"meta":{"id":12345678901234567890123,"rate":1e3},"n":[0.10]}"#;
    let moved = edited(text, |object| {
        let price = object.remove("price").unwrap();
        set(object, "cost", price);
        let Some(Value::Object(meta)) = object.remove("meta") else { panic!() };
        object.extend(meta);
    });
    assert_eq!(moved, r#"{"n":[0.10],"cost":12.50,"id":12345678901234567890123,"rate":1e3}"#);
    let wrapped = edited(text, |object| {
        let all: Value = Value::Object(std::mem::take(object));
        set(object, "was", all);
    });
    assert_eq!(
        wrapped,
        r#"{"was":{"price":12.50,"meta":{"id":12345678901234567890123,"rate":1e3},"n":[0.10]}}"#
    );
}

#[test]
fn a_long_number_that_is_copied_keeps_its_digits() {
    let text = r#"{"id":12345678901234567890123,"m":{"x":0.30000000000000000001},"price":12.50}"#;
    let copied = edited(text, |object| {
        let (id, m, price) = (object["id"].clone(), object["m"].clone(), object["price"].clone());
        set(object, "ids", json!([id, 7]));
        set(object, "n", m);
        set(object, "cost", price);
    });
    assert!(copied.contains(r#""ids":[12345678901234567890123,7]"#), "{copied}");
    assert!(copied.contains(r#""n":{"x":0.30000000000000000001}"#), "{copied}");
    // As a double it is the same.
    assert!(copied.contains(r#""cost":12.5"#), "{copied}");
}

#[test]
fn items_of_a_list_keep_their_text_wherever_they_go() {
    let text = r#"{"l":[ {"id":"a","n":1.0e0} , {"id":"b","n":2.50}, {"id":"c","n":3.0e0} ]}"#;
    let list = |edit: fn(&mut Vec<Value>)| {
        edited(text, |object| edit(object["l"].as_array_mut().unwrap()))
    };
    assert_eq!(list(|list| list.push(json!(7))), text.replace("3.0e0}", "3.0e0},7"));
    assert_eq!(
        list(|list| list.insert(1, json!({"id": "d"}))),
        text.replace("1.0e0}", r#"1.0e0},{"id":"d"}"#)
    );
    assert_eq!(
        list(|list| _ = list.remove(1)),
        r#"{"l":[ {"id":"a","n":1.0e0}, {"id":"c","n":3.0e0} ]}"#
    );
    assert_eq!(
        list(|list| {
            list.reverse();
            list[0]["x"] = json!(1);
        }),
        r#"{"l":[{"id":"c","n":3.0e0,"x":1},{"id":"b","n":2.50},{"id":"a","n":1.0e0}]}"#
    );
    assert_eq!(list(Vec::clear), r#"{"l":[  ]}"#);
}

#[test]
fn an_object_that_replaces_a_list_is_written_in_the_lists_order() {
    let refs = |names: [&str; 3]| -> Value {
        names
            .map(|name| (name.to_owned(), json!({"$ref": format!("card:{name}")})))
            .into_iter()
            .collect()
    };
    for list in [
        r#"["z","b","m"]"#,
        r#"["card:z","card:b","card:m"]"#,
        r#"[{"$ref":"card:z"},{"$ref":"card:b"},{"$ref":"card:m"}]"#,
        r#"[{"id":"z"},{"id":"b"},{"id":"m"}]"#,
    ] {
        let text = edited(&format!(r#"{{"cards":{list}}}"#), |object| {
            set(object, "cards", refs(["z", "b", "m"]));
        });
        assert_eq!(
            text,
            r#"{"cards":{"z":{"$ref":"card:z"},"b":{"$ref":"card:b"},"m":{"$ref":"card:m"}}}"#
        );
    }
}

#[test]
fn the_version_stands_first() {
    let at = |text: &str, version| {
        let mut editor = DocumentEditor::open_without_version(text).unwrap();
        assert!(!editor.object_mut().contains_key("$v"));
        editor.finish_at(version).unwrap()
    };
    assert_eq!(at(r#"{"$v":1, "a":1.0}"#, 2), r#"{"$v":2, "a":1.0}"#);
    assert_eq!(at(r#"{"a":1.0,"$v":1}"#, 2), r#"{"$v":2,"a":1.0}"#);
    assert_eq!(at(r#"{"$v":1,"a":1.0,"$v":1}"#, 2), r#"{"$v":2,"a":1.0}"#);
    assert_eq!(at(r#"{"a":1.0}"#, 2), r#"{"$v":2,"a":1.0}"#);
    assert_eq!(at("{}", 2), r#"{"$v":2}"#);
    assert_eq!(at("\n {\"a\":1} \n", 2), "\n {\"$v\":2,\"a\":1} \n");
    assert_eq!(at(r#"{"$v":1}"#, 2), r#"{"$v":2}"#);
    assert_eq!(edited(r#"{"a":1}"#, |object| set(object, "$v", json!(3))), r#"{"$v":3,"a":1}"#);
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Item {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    done: bool,
}

fn item(id: Option<u32>, done: bool) -> Item {
    Item { id, done }
}

#[derive(Serialize, Deserialize)]
struct List {
    items: Vec<Item>,
}

#[test]
fn a_typed_edit_keeps_what_the_type_does_not_know_at_every_depth() {
    #[derive(Serialize, Deserialize)]
    struct Deck {
        meta: Meta,
    }
    #[derive(Serialize, Deserialize)]
    struct Meta {
        a: u32,
    }
    let text = r#"{"meta":{"a":1,"theirs":"x","n":1.50},"other":1e3}"#;
    assert_eq!(
        typed::<Deck>(text, |deck| deck.meta.a = 2).unwrap(),
        text.replace("\"a\":1", "\"a\":2")
    );
}

#[test]
fn items_are_matched_by_identity() {
    let text = r#"{"items":[{"id":1,"done":false,"x":1.0e0},{"id":2,"done":false,"x":2.0e0}]}"#;
    let swapped = typed::<List>(text, |list| {
        list.items.swap(0, 1);
        list.items[1].done = true;
        list.items.insert(0, item(Some(3), false));
    });
    assert_eq!(
        swapped.unwrap(),
        r#"{"items":[{"id":3,"done":false},{"id":2,"done":false,"x":2.0e0},{"id":1,"done":true,"x":1.0e0}]}"#
    );
    let removed = typed::<List>(text, |list| _ = list.items.remove(0)).unwrap();
    assert_eq!(removed, r#"{"items":[{"id":2,"done":false,"x":2.0e0}]}"#);
}

#[test]
fn items_without_identity_are_matched_by_place_or_refused() {
    let text = r#"{"items":[{"done":false,"x":1},{"done":true,"x":2}]}"#;
    let pushed = typed::<List>(text, |list| list.items.push(item(None, true))).unwrap();
    assert_eq!(pushed, r#"{"items":[{"done":false,"x":1},{"done":true,"x":2},{"done":true}]}"#);
    let changed = typed::<List>(text, |list| list.items[1].done = false).unwrap();
    assert_eq!(changed, r#"{"items":[{"done":false,"x":1},{"done":false,"x":2}]}"#);
    // Which of two that look alike is gone?
    let alike = r#"{"items":[{"done":true,"x":1},{"done":true,"x":2}]}"#;
    let error = typed::<List>(alike, |list| _ = list.items.pop()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().starts_with("list `items`: it is not clear"), "{error}");
    // Was one of them changed, or another one put in its place?
    let error = typed::<List>(
        r#"{"items":[{"done":false,"x":1},{"done":true,"x":2},{"done":true,"y":2}]}"#,
        |list| list.items = vec![item(Some(1), false), item(Some(2), true)],
    );
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    // With nothing to lose, anything goes.
    let all_known = r#"{"items":[{"done":false},{"done":true}]}"#;
    let replaced =
        typed::<List>(all_known, |list| list.items = vec![item(Some(1), false)]).unwrap();
    assert_eq!(replaced, r#"{"items":[{"done":false,"id":1}]}"#);
}

#[test]
fn an_item_that_moves_to_another_list_keeps_its_members() {
    #[derive(Serialize, Deserialize)]
    struct Board {
        todo: Vec<Item>,
        done: Vec<Item>,
    }
    let text = r#"{"todo":[{"id":1,"done":false,"theirs":0.10}],"done":[]}"#;
    let moved = typed::<Board>(text, |board| board.done.extend(board.todo.pop()));
    assert_eq!(moved.unwrap(), r#"{"todo":[],"done":[{"id":1,"done":false,"theirs":0.10}]}"#);
}

#[test]
fn sets_are_matched_by_what_they_hold() {
    use std::collections::HashSet;

    #[derive(Serialize, Deserialize)]
    struct Tagged {
        tags: HashSet<String>,
    }
    for _ in 0..20 {
        let text = r#"{"tags":["a","\u0062","c","d"],"x":1}"#;
        let added = typed::<Tagged>(text, |tagged| _ = tagged.tags.insert("e".into())).unwrap();
        let seen: Tagged = serde_json::from_str(&added).unwrap();
        assert_eq!(seen.tags.len(), 5);
        assert!(added.contains(r#""\u0062""#), "{added}");
    }
}

#[test]
fn large_sets_lose_what_was_removed_and_nothing_else() {
    use std::collections::HashSet;

    #[derive(Serialize, Deserialize)]
    struct Tagged {
        tags: HashSet<String>,
        numbers: HashSet<u64>,
    }
    let tags: Vec<String> = (0..20_000).map(|n| format!("tag-{n}")).collect();
    let numbers: Vec<u64> = (0..20_000).collect();
    let text = json!({ "tags": tags, "numbers": numbers }).to_string();
    let edited = typed::<Tagged>(&text, |tagged| {
        tagged.tags.remove("tag-19000");
        tagged.numbers.remove(&19_000);
    });
    let expected = text.replace(",\"tag-19000\"", "").replace(",19000", "");
    assert!(edited.unwrap() == expected);
}

#[test]
fn a_long_list_that_its_type_writes_in_another_form_is_edited_in_place() {
    #[derive(Serialize, Deserialize)]
    struct Log {
        entries: Vec<Entry>,
    }
    #[derive(Serialize, Deserialize)]
    struct Entry {
        #[serde(serialize_with = "upper")]
        name: String,
        n: u32,
    }
    fn upper<S: serde::Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&name.to_uppercase())
    }
    let entries: Vec<Value> = (0..1_000)
        .map(|n| json!({ "name": format!("entry-{n}"), "n": n, "theirs": 1.5 }))
        .collect();
    let text = json!({ "entries": entries }).to_string();
    let edited = typed::<Log>(&text, |log| log.entries[500].n = 7_777).unwrap();
    assert!(edited == text.replace("\"n\":500,", "\"n\":7777,"));
}

#[test]
fn a_member_that_a_type_writes_and_does_not_read_is_stored() {
    #[derive(Serialize, Deserialize)]
    struct Deck {
        size: u32,
        #[serde(skip_deserializing)]
        double: u32,
    }
    let edited = typed::<Deck>(r#"{"size":1,"double":2}"#, |deck| {
        (deck.size, deck.double) = (2, 4);
    });
    assert_eq!(edited.unwrap(), r#"{"size":2,"double":4}"#);
}

#[test]
fn a_member_that_is_read_under_another_name_keeps_its_name() {
    #[derive(Serialize, Deserialize)]
    struct Card {
        #[serde(alias = "title")]
        name: String,
        #[serde(alias = "level", skip_serializing_if = "Option::is_none")]
        rank: Option<u32>,
        #[serde(default)]
        seen: u32,
    }
    let text = r#"{"title":"old","other":1,"level":3}"#;
    let renamed = typed::<Card>(text, |card| card.name = "new".into()).unwrap();
    assert_eq!(renamed, r#"{"title":"new","other":1,"level":3}"#);
    let unranked = typed::<Card>(text, |card| card.rank = None).unwrap();
    assert_eq!(unranked, r#"{"title":"old","other":1}"#);
    let both = typed::<Card>(text, |card| {
        card.name = "new".into();
        card.rank = Some(4);
        card.seen = 1;
    });
    assert_eq!(both.unwrap(), r#"{"title":"new","other":1,"level":4,"seen":1}"#);
}

#[test]
fn a_type_that_leaves_out_its_defaults_does_not_remove_the_members_of_others() {
    #[derive(Serialize, Deserialize)]
    struct Deck {
        #[serde(default, skip_serializing_if = "Meta::is_default")]
        meta: Meta,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Meta>,
    }
    #[derive(Serialize, Deserialize, Default, PartialEq)]
    #[serde(default)]
    struct Meta {
        a: u32,
    }
    impl Meta {
        fn is_default(&self) -> bool {
            *self == Self::default()
        }
    }
    let text = r#"{"meta":{"a":1,"theirs":"x"}}"#;
    let reset = typed::<Deck>(text, |deck| deck.meta.a = 0).unwrap();
    assert_eq!(reset, r#"{"meta":{"theirs":"x"}}"#);
    assert_eq!(
        typed::<Deck>(&reset, |deck| deck.meta.a = 2).unwrap(),
        r#"{"meta":{"theirs":"x","a":2}}"#
    );
    // What is removed as a whole is gone as a whole.
    let owned = r#"{"owner":{"a":1,"theirs":"x"}}"#;
    assert_eq!(typed::<Deck>(owned, |deck| deck.owner = None).unwrap(), "{}");
}

#[test]
fn numbers_of_a_type_are_written_as_the_type_writes_them() {
    #[derive(Serialize, Deserialize)]
    struct Numbers {
        wide: u128,
        narrow: f32,
        exact: f64,
    }
    let text = r#"{"wide":1,"narrow":1.50,"exact":2.50}"#;
    let edited = typed::<Numbers>(text, |numbers| {
        numbers.wide = u128::MAX;
        numbers.narrow = 0.3;
    });
    assert_eq!(
        edited.unwrap(),
        r#"{"wide":340282366920938463463374607431768211455,"narrow":0.3,"exact":2.50}"#
    );
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    #[derive(Serialize, Deserialize)]
    struct Odd {
        #[serde(serialize_with = "as_text")]
        number: Number,
    }
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Number {
        value: u128,
    }
    fn as_text<S: serde::Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&number.value)
    }
    let error = typed::<Odd>(r#"{"number":1}"#, |odd| odd.number.value = 2).unwrap_err();
    assert!(error.message().starts_with("the changed document could not be read again"), "{error}");
}

fn keys(names: &[&str]) -> Vec<Key> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn references_are_added_behind_those_that_are_there() {
    let add = |text: &str, names: &[&str]| add_references(text, "cards", &keys(names)).unwrap();
    assert_eq!(
        add(r#"{"a":1.0}"#, &["card:z", "card:b"]),
        r#"{"a":1.0,"cards":{"z":{"$ref":"card:z"},"b":{"$ref":"card:b"}}}"#
    );
    assert_eq!(add("{}", &["card:z"]), r#"{"cards":{"z":{"$ref":"card:z"}}}"#);
    assert_eq!(
        add(r#"{"cards": null,"a":1}"#, &["card:z"]),
        r#"{"cards": {"z":{"$ref":"card:z"}},"a":1}"#
    );
    assert_eq!(
        add(r#"{"cards":{ "z":{"$ref":"card:z", "n":1.0} },"a":1}"#, &["card:z", "card:b"]),
        r#"{"cards":{ "z":{"$ref":"card:z", "n":1.0},"b":{"$ref":"card:b"} },"a":1}"#
    );
    assert_eq!(add(r#"{"cards":{"z":null}}"#, &["card:z"]), r#"{"cards":{"z":{"$ref":"card:z"}}}"#);
    assert_eq!(
        add(r#"{"cards":[null,{"$ref":"card:z"}]}"#, &["card:b", "card:z", "card:b"]),
        r#"{"cards":[null,{"$ref":"card:z"},{"$ref":"card:b"}]}"#
    );
    assert_eq!(add(r#"{"cards":[]}"#, &["card:b"]), r#"{"cards":[{"$ref":"card:b"}]}"#);
}

#[test]
fn references_are_not_added_to_anything_else() {
    let refused = |text: &str| add_references(text, "cards", &keys(&["card:m"])).unwrap_err();
    for text in [
        r#"{"cards":1}"#,
        r#"{"cards":"card:m"}"#,
        r#"{"cards":{"$ref":"card:z"}}"#,
        r#"{"cards":{"m":{"front":"embedded"}}}"#,
        r#"{"cards":{"plain":1}}"#,
        r#"{"cards":["m"]}"#,
        r#"{"cards":[{"$ref":"no key"}]}"#,
    ] {
        let error = refused(text);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(error.message().starts_with("member `cards` is not a collection"), "{error}");
    }
    let error = refused(r#"{"cards":{"m":{"$ref":"note:m"}}}"#);
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let both = add_references("{}", "cards", &keys(&["card:m", "note:m"])).unwrap_err();
    assert_eq!(both.kind(), ErrorKind::Conflict);
}

#[test]
fn references_are_removed_by_what_they_lead_to() {
    let remove = |text: &str| remove_references(text, "cards", &keys(&["card:z"])).unwrap();
    assert_eq!(remove(r#"{"cards":{"z":{"$ref":"card:b"}}}"#), None);
    assert_eq!(remove(r#"{"a":1}"#), None);
    assert_eq!(
        remove(r#"{"cards":{"x":{"$ref":"card:z"},"b":{"$ref":"card:b"}},"a":1.0}"#),
        Some((r#"{"cards":{"b":{"$ref":"card:b"}},"a":1.0}"#.to_owned(), 1))
    );
    assert_eq!(
        remove(r#"{"cards":[{"$ref":"card:z"},null,{"$ref":"card:z"}]}"#),
        Some((r#"{"cards":[null]}"#.to_owned(), 2))
    );
}
