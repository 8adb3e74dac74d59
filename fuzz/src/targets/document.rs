//! Documents: any bytes may be stored, and any edit may be made. Nothing panics, and what is
//! acknowledged is read by every call that reads.

use pstate::{Document, Object, PState};
use serde_json::{Map, Value, json};

use crate::bytes::Bytes;
use crate::members::assert_kept;
use crate::store;

const KEY: &str = "card:1";

pub(crate) fn run(data: &[u8]) {
    let (edits, text) = Bytes::and_text(data);
    store::block_on(async {
        let adapter = store::empty();
        store::store(&adapter, KEY, text).await.unwrap();
        let pstate = store::open(&adapter);
        let stored = pstate.get(KEY).await;
        if let Ok(stored) = &stored {
            read(stored.as_ref().unwrap());
        }
        let mut edited = Object::new();
        let updated = pstate.update(KEY, |document| {
            edit(document, Bytes(edits.0));
            edited.clone_from(document);
            Ok(())
        });
        if let Ok(updated) = updated.await {
            let (stored, updated) = (stored.unwrap().unwrap(), updated.unwrap());
            assert_eq!(updated.value().unwrap(), &Value::Object(edited));
            // One level too deep to be a tree as a whole, it can be edited member by member.
            if let Ok(before) = stored.value() {
                let same = |name: &str| before.get(name) == updated.value().unwrap().get(name);
                assert_kept(stored.as_str(), updated.as_str(), same);
            }
            assert_readable(&pstate, &updated).await;
            assert_readable(&store::open(&adapter), &updated).await;
        }
    });
}

/// Does what reads a document; an error is an answer.
fn read(document: &Document) {
    _ = document.value().map(ToString::to_string);
    _ = document.references("a");
    _ = document.decode::<Map<String, Value>>();
}

/// Checks that every call reads this document.
async fn assert_readable(pstate: &PState, document: &Document) {
    let got = pstate.get(KEY).await.unwrap().unwrap();
    assert_eq!(got.as_str(), document.as_str());
    got.value().unwrap();
    let page = pstate.scan("").page().await.unwrap();
    assert_eq!(page.documents.len(), 1);
    assert_eq!(page.documents[0].as_ref().unwrap().as_str(), document.as_str());
    pstate.get_resolved(KEY, 0).await.unwrap().unwrap();
    let same = pstate.update(KEY, |_| Ok(())).await.unwrap().unwrap();
    assert_eq!(same.value().unwrap(), document.value().unwrap());
}

fn edit(document: &mut Object, mut edits: Bytes<'_>) {
    while !edits.is_empty() {
        let name = name(document, &mut edits);
        match edits.below(6) {
            0 => _ = document.remove(&name),
            1 => _ = document.insert(name, value(&mut edits)),
            2 => {
                let other = self::name(document, &mut edits);
                let copy = document.get(&other).cloned().unwrap_or_default();
                document.insert(name, copy);
            }
            3 => {
                let inner = document.remove(&name).unwrap_or_default();
                document.insert(name, json!({ "in": inner }));
            }
            4 => change(document.entry(name).or_insert(Value::Null), &mut edits),
            _ => {
                let inner = document.get_mut(&name).and_then(Value::as_object_mut);
                if let Some(first) = inner.and_then(|inner| inner.values_mut().next()) {
                    change(first, &mut edits);
                }
            }
        }
    }
}

/// The name of a member, there or not.
fn name(document: &Object, edits: &mut Bytes<'_>) -> String {
    let at = edits.below(16);
    match document.keys().nth(at) {
        Some(name) => name.clone(),
        None => ["a", "b", "", "$ref", "\u{e9}", "\"\\\n"][at % 6].to_owned(),
    }
}

fn value(edits: &mut Bytes<'_>) -> Value {
    match edits.below(8) {
        0 => Value::Null,
        1 => json!(edits.choose(&[0, -1, i64::MIN, i64::MAX])),
        2 => json!(edits.choose(&[0.0, -0.0, 0.1, f64::MAX, f64::MIN_POSITIVE, 1e22])),
        3 => json!(u64::MAX),
        4 => json!(["x", "", "\u{0}", "\u{2028}\"\\", "\u{1f600}"][edits.below(5)]),
        5 => json!({ "$ref": "card:2" }),
        6 => json!([1, [], {}, "x"]),
        _ => json!({ "b": 1, "a": { "deep": [true] } }),
    }
}

/// Changes a value where it stands.
fn change(value: &mut Value, edits: &mut Bytes<'_>) {
    match value {
        Value::Array(items) => match edits.below(4) {
            0 => items.push(self::value(edits)),
            1 => _ = items.pop(),
            2 => items.reverse(),
            _ => {
                if let Some(first) = items.first_mut() {
                    change(first, edits);
                }
            }
        },
        Value::Object(members) => _ = members.insert("new".to_owned(), self::value(edits)),
        other => *other = self::value(edits),
    }
}
