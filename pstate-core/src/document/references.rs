//! Finding references in a document's text without building a tree.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value;

use crate::model::json::without_content;
use crate::model::{Error, Key, MemberName, REF_MEMBER, Result};

/// The references in each of the members, in the order in which they are written; `None` for a
/// member that the document does not have.
///
/// One pass over the text, whatever the number of members.
pub(super) fn collect(text: &str, members: &[&str]) -> Result<Vec<Option<Vec<Key>>>> {
    let mut found = vec![None; members.len()];
    serde_json::Deserializer::from_str(text)
        .deserialize_map(Members { members, found: &mut found })
        .map_err(|error| Error::corrupt(without_content(&error)))?;
    Ok(found)
}

/// Every reference in a tree, in document order.
pub(crate) fn collect_all(value: &Value, found: &mut Vec<Key>) {
    if let Some(key) = reference(value) {
        found.push(key);
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_all(item, found)),
        Value::Object(members) => members.values().for_each(|item| collect_all(item, found)),
        _ => {}
    }
}

/// The key, if the value is a reference.
pub(super) fn reference(value: &Value) -> Option<Key> {
    value.as_object()?.get(REF_MEMBER)?.as_str()?.parse().ok()
}

struct Members<'a> {
    members: &'a [&'a str],
    found: &'a mut [Option<Vec<Key>>],
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(MemberName(name)) = map.next_key()? {
            match self.members.iter().position(|member| *member == name) {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(at) => {
                    let mut found = Vec::new();
                    let seed = References { member: &name, within: None, found: &mut found };
                    if let Some(mismatch) = map.next_value_seed(seed)? {
                        return Err(A::Error::custom(mismatch));
                    }
                    // A member that is written twice counts as it was written last.
                    self.found[at] = Some(found);
                }
            }
        }
        Ok(())
    }
}

/// One member that holds references, or (with `within`) one entry of its collection.
struct References<'a> {
    member: &'a str,
    within: Option<&'a str>,
    found: &'a mut Vec<Key>,
}

/// What is wrong with a value, if it is not what was expected. It is no error yet: beside a `$ref`
/// further on anything may stand.
type Mismatch = Option<String>;

impl References<'_> {
    fn mismatch(&self, found: impl fmt::Display) -> String {
        let member = self.member;
        match self.within {
            None => format!(
                "member `{member}`: expected a reference or a collection of references, found {found}"
            ),
            Some(entry) => {
                format!("member `{member}`, entry {entry}: expected a reference, found {found}")
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for References<'_> {
    type Value = Mismatch;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Mismatch, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for References<'_> {
    type Value = Mismatch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("references")
    }

    fn visit_unit<E>(self) -> Result<Mismatch, E> {
        Ok(self.within.map(|_| self.mismatch("null")))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Mismatch, E> {
        Ok(Some(self.mismatch("a boolean")))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Mismatch, E> {
        Ok(Some(self.mismatch("a number")))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Mismatch, E> {
        Ok(Some(self.mismatch("a number")))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Mismatch, E> {
        Ok(Some(self.mismatch("a number")))
    }

    fn visit_str<E>(self, _: &str) -> Result<Mismatch, E> {
        Ok(Some(self.mismatch("a string")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Mismatch, A::Error> {
        let mut mismatch = None;
        let mut at = 0_usize;
        loop {
            let entry = at.to_string();
            let seed =
                References { member: self.member, within: Some(&entry), found: &mut *self.found };
            match seq.next_element_seed(seed)? {
                None => break,
                Some(found) => mismatch = mismatch.or(found),
            }
            at += 1;
        }
        Ok(if self.within.is_some() { Some(self.mismatch("an array")) } else { mismatch })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Mismatch, A::Error> {
        let mut reference = None;
        let mut mismatch = None;
        while let Some(MemberName(name)) = map.next_key()? {
            if name == REF_MEMBER {
                reference = Some(map.next_value::<Value>()?);
            } else if reference.is_some() || self.within.is_some() {
                map.next_value::<IgnoredAny>()?;
            } else {
                let seed = References {
                    member: self.member,
                    within: Some(&name),
                    found: &mut *self.found,
                };
                mismatch = mismatch.or(map.next_value_seed(seed)?);
            }
        }
        match reference {
            None if self.within.is_some() => Ok(Some(self.mismatch("an object without `$ref`"))),
            None => Ok(mismatch),
            Some(Value::String(text)) => match text.parse::<Key>() {
                Ok(key) => {
                    if self.within.is_none() {
                        self.found.clear();
                    }
                    self.found.push(key);
                    Ok(None)
                }
                Err(error) => Ok(Some(self.mismatch(error))),
            },
            Some(_) => Ok(Some(self.mismatch("a `$ref` that is no text"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str, member: &str) -> Result<Vec<String>> {
        let found = collect(text, &[member])?;
        Ok(found[0].iter().flatten().map(ToString::to_string).collect())
    }

    #[test]
    fn a_single_reference_an_array_and_an_object_are_followed() {
        assert_eq!(keys(r#"{"a":{"$ref":"u:1"}}"#, "a").unwrap(), ["u:1"]);
        assert_eq!(keys(r#"{"a":[{"$ref":"u:2"},{"$ref":"u:1"}]}"#, "a").unwrap(), ["u:2", "u:1"]);
        let before = r#"{"a":{"name":"x","$ref":"u:1","more":[1]}}"#;
        assert_eq!(keys(before, "a").unwrap(), ["u:1"]);
        let object = r#"{"a":{"z":{"$ref":"u:3"},"b":{"more":[1],"$ref":"u:1"}}}"#;
        assert_eq!(keys(object, "a").unwrap(), ["u:3", "u:1"]);
    }

    #[test]
    fn absent_null_and_empty_hold_no_references() {
        for text in [r#"{"b":1}"#, r#"{"a":null}"#, r#"{"a":{}}"#, r#"{"a":[]}"#] {
            assert_eq!(keys(text, "a").unwrap(), [""; 0], "{text}");
        }
    }

    #[test]
    fn anything_else_is_an_error_that_names_the_place() {
        let message = |text| keys(text, "a").unwrap_err().to_string();
        assert!(message(r#"{"a":"u:1"}"#).starts_with(
            "member `a`: expected a reference or a collection of references, found a string"
        ));
        assert!(
            message(r#"{"a":[{"$ref":"u:1"},"u:2"]}"#)
                .starts_with("member `a`, entry 1: expected a reference, found a string")
        );
        assert!(message(r#"{"a":{"x":{"$ref":"nothing"}}}"#).starts_with(
            "member `a`, entry x: expected a reference, found key \"nothing\": no ':' between"
        ));
        assert!(message(r#"{"a":{"x":{"y":1}}}"#).starts_with(
            "member `a`, entry x: expected a reference, found an object without `$ref`"
        ));
    }
}
