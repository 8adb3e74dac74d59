//! Whether a text holds a value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::model::json::{MemberName, Object};

/// Whether a text is the JSON of a value. It makes no value of a text that is.
pub(super) fn is_text_of(text: &str, value: &Value) -> bool {
    if let Value::String(content) = value
        && is_plain_text_of(text, content)
    {
        return true;
    }
    let mut json = serde_json::Deserializer::from_str(text);
    Same(value).deserialize(&mut json).is_ok()
        // A member that is written twice, a number that keeps all digits: the tree decides.
        || serde_json::from_str::<Value>(text).is_ok_and(|found| found == *value)
}

/// Whether a text is a string without escapes.
fn is_plain_text_of(text: &str, content: &str) -> bool {
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    quoted.is_some_and(|quoted| quoted == content && !content.contains('\\'))
}

/// Compares what is read with a value; the error of a difference says nothing.
struct Same<'v>(&'v Value);

fn same<E: Error>(is_same: bool) -> Result<(), E> {
    if is_same { Ok(()) } else { Err(E::custom("another value")) }
}

impl<'de> DeserializeSeed<'de> for Same<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Same<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        same(self.0.is_null())
    }

    fn visit_bool<E: Error>(self, found: bool) -> Result<(), E> {
        same(*self.0 == Value::Bool(found))
    }

    fn visit_u64<E: Error>(self, found: u64) -> Result<(), E> {
        same(self.0.as_number() == Some(&Number::from(found)))
    }

    fn visit_i64<E: Error>(self, found: i64) -> Result<(), E> {
        same(self.0.as_number() == Some(&Number::from(found)))
    }

    fn visit_f64<E: Error>(self, found: f64) -> Result<(), E> {
        same(self.0.as_number() == Number::from_f64(found).as_ref())
    }

    fn visit_str<E: Error>(self, found: &str) -> Result<(), E> {
        same(self.0.as_str() == Some(found))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Value::Array(items) = self.0 else { return same(false) };
        for item in items {
            same(seq.next_element_seed(Same(item))?.is_some())?;
        }
        same(seq.next_element::<serde::de::IgnoredAny>()?.is_none())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Value::Object(members) = self.0 else { return same(false) };
        let mut seen = Seen::default();
        while let Some(MemberName(name)) = map.next_key()? {
            let member = members.get_key_value(&*name);
            let (name, value) = member.ok_or_else(|| A::Error::custom("another member"))?;
            same(seen.is_new(members, name))?;
            map.next_value_seed(Same(value))?;
        }
        same(seen.count == members.len())
    }
}

/// The members of an object that were found, each of them once.
#[derive(Default)]
struct Seen<'v> {
    count: usize,
    names: Vec<&'v str>,
}

impl<'v> Seen<'v> {
    /// How many names are compared with each other: beyond it the tree decides.
    const MANY: usize = 32;

    fn is_new(&mut self, members: &Object, name: &'v str) -> bool {
        self.count += 1;
        // One member is the only one.
        if members.len() == 1 {
            return self.count == 1;
        }
        let is_new = self.names.len() < Self::MANY && !self.names.contains(&name);
        self.names.push(name);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_anywhere_is_another_value() {
        for (text, value, expected) in [
            (r#""a""#, json!("a"), true),
            (r#""\u0061""#, json!("a"), true),
            (r#""\\n""#, json!("\\n"), true),
            (r#""\n""#, json!("\\n"), false),
            (r#""a""#, json!("ab"), false),
            ("1", json!(1), true),
            ("1", json!(1.0), false),
            ("1.0", json!(1.0), true),
            ("-1", json!(-1), true),
            ("null", json!(null), true),
            ("null", json!(false), false),
            ("[1, [true]]", json!([1, [true]]), true),
            ("[1]", json!([1, 2]), false),
            ("[1,2]", json!([1]), false),
            (r#"{"a":1,"b":{"c":2}}"#, json!({"b": {"c": 2}, "a": 1}), true),
            (r#"{"a":1}"#, json!({"a": 1, "b": 2}), false),
            (r#"{"a":1,"b":2}"#, json!({"a": 1}), false),
            // The last one counts.
            (r#"{"a":1,"a":2}"#, json!({"a": 2}), true),
            (r#"{"a":1,"a":1}"#, json!({"a": 1}), true),
            (r#"{"a":1,"a":1}"#, json!({"a": 1, "b": 1}), false),
            (r#"{"a":1,"b":1,"a":1}"#, json!({"a": 1, "b": 1, "c": 1}), false),
        ] {
            assert_eq!(is_text_of(text, &value), expected, "{text} {value}");
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0_u8..4).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a\\\\\"\u{e9}]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let members = prop::collection::vec(("[ab\\\\]{0,1}", inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_text_holds_what_it_is_parsed_to(text in values(), value in values()) {
            let text = text.to_string();
            let parsed: Value = serde_json::from_str(&text).unwrap();
            prop_assert!(is_text_of(&text, &parsed));
            prop_assert_eq!(is_text_of(&text, &value), parsed == value);
        }
    }
}
