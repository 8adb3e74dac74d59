//! The parts of a JSON text, one level at a time.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::error::{Error, Result};
use crate::model::json::{MemberName, without_content};

/// What a JSON text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Scalar,
}

/// What a valid JSON text holds.
pub(crate) fn kind(text: &str) -> Kind {
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        _ => Kind::Scalar,
    }
}

/// A member in the text of an object.
#[derive(Debug, Clone)]
pub(crate) struct Member<'t> {
    pub(crate) name: Cow<'t, str>,
    /// The name as it is written, in quotes.
    pub(crate) written: &'t str,
    pub(crate) value: &'t str,
}

impl<'t> Member<'t> {
    /// The member as it is written in the text of its object.
    pub(super) fn whole_in(&self, object: &'t str) -> &'t str {
        let offset = |part: &str| part.as_ptr() as usize - object.as_ptr() as usize;
        &object[offset(self.written)..offset(self.value) + self.value.len()]
    }
}

/// The members of an object, in the order in which they are written.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) for anything but an object.
pub(crate) fn members(object: &str) -> Result<Vec<Member<'_>>> {
    struct MembersVisitor<'de> {
        text: &'de str,
    }

    impl<'de> Visitor<'de> for MembersVisitor<'de> {
        type Value = Vec<Member<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::with_capacity(8);
            let mut end = 0;
            while let Some(MemberName(name)) = map.next_key()? {
                let value = map.next_value::<&'de RawValue>()?.get();
                let start = value.as_ptr() as usize - self.text.as_ptr() as usize;
                let written = if let Cow::Borrowed(name) = name {
                    let begin = name.as_ptr() as usize - self.text.as_ptr() as usize;
                    &self.text[begin - 1..=begin + name.len()]
                } else {
                    // Between two values there are a comma, whitespace, the name, and a colon.
                    let between = &self.text[end..start];
                    let quotes = between.find('"').zip(between.rfind('"'));
                    quotes.map_or("", |(first, last)| &between[first..=last])
                };
                end = start + value.len();
                members.push(Member { name, written, value });
            }
            Ok(members)
        }
    }

    let visitor = MembersVisitor { text: object };
    serde_json::Deserializer::from_str(object)
        .deserialize_map(visitor)
        .map_err(|error| corrupt(&error))
}

/// The items of an array.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) for anything but an array.
pub(crate) fn items(array: &str) -> Result<Vec<&str>> {
    struct ItemsVisitor;

    impl<'de> Visitor<'de> for ItemsVisitor {
        type Value = Vec<&'de str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element::<&'de RawValue>()? {
                items.push(item.get());
            }
            Ok(items)
        }
    }

    serde_json::Deserializer::from_str(array)
        .deserialize_seq(ItemsVisitor)
        .map_err(|error| corrupt(&error))
}

/// The content of a string's text.
pub(crate) fn unquoted(string: &str) -> Result<Cow<'_, str>> {
    match string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(content) if !content.contains('\\') => Ok(Cow::Borrowed(content)),
        _ => serde_json::from_str(string).map(Cow::Owned).map_err(|error| corrupt(&error)),
    }
}

/// The text of a string.
pub(super) fn quoted(content: &str) -> String {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if content.bytes().all(is_plain) {
        let mut text = String::with_capacity(content.len() + 2);
        text.push('"');
        text.push_str(content);
        text.push('"');
        return text;
    }
    serde_json::Value::from(content).to_string()
}

fn corrupt(error: &serde_json::Error) -> Error {
    Error::corrupt(without_content(error))
}
