//! How much memory things take, as near as can be told without asking the allocator.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::model::{MemberName, REF_MEMBER};

/// What an allocator gives for so many bytes: a word more, in steps of 16 bytes, at least 32.
pub(crate) fn allocation(len: usize) -> usize {
    if len == 0 { 0 } else { (len + size_of::<usize>()).next_multiple_of(16).max(32) }
}

/// What a tree takes beyond its root: the nodes of its maps, the elements of its lists, its texts.
pub(crate) fn tree(value: &Value) -> usize {
    let inside = match value {
        Value::Array(values) => values.iter().map(tree).sum(),
        Value::Object(members) => members.values().map(tree).sum(),
        _ => 0,
    };
    own(value) + inside
}

/// What a value takes beyond its place, without what the values in it take beyond theirs.
pub(super) fn own(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => allocation(text.len()),
        Value::Array(values) => allocation(values.len() * size_of::<Value>()),
        Value::Object(members) => {
            let names: usize = members.keys().map(|name| allocation(name.len())).sum();
            map_nodes::<String, Value>(members.len()) + names
        }
    }
}

/// How many arrays and objects the innermost value of a tree is in, or is: 1 for `{"a":1}`.
pub(super) fn levels(value: &Value) -> usize {
    let inside = match value {
        Value::Array(values) => values.iter().map(levels).max(),
        Value::Object(members) => members.values().map(levels).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or(0)
}

/// The nodes of a B-tree map of the standard library with so many entries.
fn map_nodes<K, V>(entries: usize) -> usize {
    const CAPACITY: usize = 11;
    // Where a node is full it is split, so most are little more than half full.
    const USUAL: usize = 7;
    let nodes = if entries <= CAPACITY { entries.min(1) } else { entries.div_ceil(USUAL) };
    let links = 2 * size_of::<usize>();
    nodes * allocation(CAPACITY * (size_of::<K>() + size_of::<V>()) + links)
}

/// What a value takes that was decoded from this text. What its type makes of it is unknown; this
/// is what declared types usually do: a struct for the document, whose members' names are not kept;
/// maps for the objects in it, but for references; lists; texts.
pub(crate) fn typed<T>(text: &str) -> usize {
    let mut json = serde_json::Deserializer::from_str(text);
    // The type has been decoded from it, so it is valid; otherwise the text itself will do.
    let inside = Inside { names: false }.deserialize(&mut json).unwrap_or(text.len());
    allocation(size_of::<T>() + 2 * size_of::<usize>()) + inside
}

/// Sums up what is inside of a value of a declared type.
#[derive(Clone, Copy)]
struct Inside {
    /// Whether the names of an object's members are kept: those of a map.
    names: bool,
}

/// What a member of a map or an element of a list takes in place, as a rule.
type Usual = [usize; 5];

impl<'de> DeserializeSeed<'de> for Inside {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<usize, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inside {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_bool<E>(self, _: bool) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_i64<E>(self, _: i64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_u64<E>(self, _: u64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_f64<E>(self, _: f64) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_str<E>(self, text: &str) -> Result<usize, E> {
        Ok(allocation(text.len()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<usize, A::Error> {
        let (mut len, mut inside) = (0, 0);
        while let Some(element) = list.next_element_seed(Self { names: true })? {
            len += 1;
            inside += element;
        }
        Ok(allocation(len * size_of::<Usual>()) + inside)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let (mut len, mut names, mut inside) = (0, 0, 0);
        let mut reference = false;
        while let Some(MemberName(name)) = map.next_key()? {
            reference |= name == REF_MEMBER;
            len += 1;
            names += allocation(name.len());
            inside += map.next_value_seed(Self { names: true })?;
        }
        if self.names && !(reference && len == 1) {
            inside += names + map_nodes::<String, Usual>(len);
        }
        Ok(inside)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tree_takes_its_nodes_elements_and_texts() {
        assert_eq!(tree(&json!(1)), 0);
        assert_eq!(tree(&json!("hola")), 32);
        assert_eq!(tree(&json!([])), 0);
        assert_eq!(tree(&json!([1, 2])), allocation(2 * size_of::<Value>()));
        let node = allocation(11 * (size_of::<String>() + size_of::<Value>()) + 16);
        assert_eq!(tree(&json!({ "a": 1, "b": "x" })), node + 3 * 32);
        assert!(tree(&json!({ "a": { "b": {} } })) > 2 * node);
    }

    #[test]
    fn levels_are_those_of_the_innermost_value() {
        assert_eq!(levels(&json!(1)), 0);
        assert_eq!(levels(&json!({})), 1);
        assert_eq!(levels(&json!({ "a": 1, "b": [[], {}], "c": [1] })), 3);
    }

    #[test]
    fn a_typed_value_takes_its_own_size_and_the_texts_lists_and_maps_in_it() {
        let own = allocation(8 + 16);
        assert_eq!(typed::<u64>(r#"{"n":1,"yes":true,"none":null}"#), own);
        assert_eq!(typed::<u64>(r#"{"text":"hola"}"#), own + 32);
        assert_eq!(typed::<u64>(r#"{"of":{"$ref":"card:1"}}"#), own + 32);
        assert_eq!(typed::<u64>(r#"{"list":[1,2]}"#), own + allocation(80));
        let node = allocation(11 * (24 + 40) + 16);
        assert_eq!(typed::<u64>(r#"{"map":{"a":{"$ref":"card:1"}}}"#), own + node + 2 * 32);
        assert_eq!(typed::<u64>("no JSON"), own + 7);
    }
}
