//! Resolved trees: on any small graph they are what a few lines of recursion make of it, before and
//! after a write, or they are refused.

use std::collections::BTreeMap;

use pstate::ErrorKind;
use serde_json::{Value, json};

use crate::bytes::Bytes;
use crate::store;

const DOCUMENTS: usize = 6;

type Graph = BTreeMap<String, Value>;

pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let depth = bytes.below(9);
    let limit = bytes.choose(&[0, 3_000, 30_000, 64 << 20]);
    let mut graph = Graph::new();
    for at in 0..bytes.below(DOCUMENTS + 1) {
        graph.insert(format!("n:{at}"), document(&mut bytes));
    }
    store::block_on(async {
        let adapter = store::empty();
        for (key, document) in &graph {
            store::store(&adapter, key, document.to_string().as_bytes()).await.unwrap();
        }
        let builder = pstate::PState::builder(adapter.clone());
        let pstate = builder.resolved_bytes(limit).build().unwrap();
        for _ in 0..2 {
            // The second time it is kept.
            for _ in 0..2 {
                match pstate.get_resolved("n:0", depth).await {
                    Ok(tree) => {
                        let expected = graph
                            .get("n:0")
                            .map(|root| expand(&graph, root, depth, &mut vec!["n:0".to_owned()]));
                        assert_eq!(tree.as_deref(), expected.as_ref());
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}"),
                }
            }
            let key = format!("n:{}", bytes.below(DOCUMENTS));
            let document = document(&mut bytes);
            pstate.put(&key, &document).await.unwrap();
            graph.insert(key, document);
        }
    });
}

/// A document with at most two references.
fn document(bytes: &mut Bytes<'_>) -> Value {
    let mut references = 0;
    let mut value = || {
        let chosen = bytes.byte();
        let reference =
            json!({"$ref": format!("n:{}", usize::from(chosen >> 4) % (DOCUMENTS + 1))});
        let value = match chosen % 8 {
            0 => json!(chosen),
            1 => json!({"$ref": "no key", "in": reference}),
            2 => json!([null, [reference]]),
            3 => json!({"more": true, "$ref": reference["$ref"]}),
            4 => (0..chosen / 3).fold(reference, |value, _| json!([value])),
            _ => reference,
        };
        references += usize::from(!chosen.is_multiple_of(8));
        if references > 2 { json!("no more") } else { value }
    };
    let mut document = json!({});
    match value() {
        // The document is a reference itself.
        Value::Object(reference) if reference.contains_key("more") => {
            document = Value::Object(reference);
        }
        first => document["a"] = first,
    }
    document["b"] = value();
    document
}

fn expand(graph: &Graph, value: &Value, depth: usize, within: &mut Vec<String>) -> Value {
    let key = value.get("$ref").and_then(Value::as_str).filter(|key| key.starts_with("n:"));
    if let Some(key) = key {
        let found = graph.get(key).filter(|_| depth > 0 && !within.iter().any(|it| it == key));
        let Some(document) = found else { return value.clone() };
        within.push(key.to_owned());
        let expanded = expand(graph, document, depth - 1, within);
        within.pop();
        return expanded;
    }
    match value {
        Value::Array(items) => {
            items.iter().map(|item| expand(graph, item, depth, within)).collect()
        }
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| (name.clone(), expand(graph, member, depth, within)))
                .collect(),
        ),
        scalar => scalar.clone(),
    }
}
