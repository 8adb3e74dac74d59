//! Text to keys: what is accepted, and why the rest is refused.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

use super::error::{Error, Result};
use super::key::{Key, KeyRef, MAX_ID_LEN, MAX_TYPE_LEN, is_entity_type};

impl Key {
    /// The key of the document `id` of type `entity_type`.
    pub fn new(entity_type: &str, id: &str) -> Result<Self> {
        KeyRef::new(entity_type, id).map(KeyRef::to_key)
    }

    /// The key that a text names. Allocates once.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let type_len = match plain_type_len(text) {
            Some(type_len) => type_len,
            None => KeyRef::parse(text)?.entity_type().len(),
        };
        Ok(Self::of_text(text, type_len))
    }
}

impl<'a> KeyRef<'a> {
    /// Joins a type and an id.
    pub fn new(entity_type: &'a str, id: &'a str) -> Result<Self> {
        let joined = || format!("{entity_type}:{id}");
        check(entity_type, id, joined)?;
        Ok(Self::unchecked(entity_type, id))
    }

    /// Splits `type:id`.
    pub fn parse(text: &'a str) -> Result<Self> {
        let Some((entity_type, id)) = text.split_once(':') else {
            return Err(malformed("key", text, "no ':' between type and id"));
        };
        check(entity_type, id, || text.to_owned())?;
        Ok(Self::unchecked(entity_type, id))
    }
}

/// How long the type is of a key in plain ASCII, as almost all are; `None` for others, and for what
/// is no key. References are parsed for each document that is read, so this takes one pass.
fn plain_type_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_';
    let type_len = bytes.iter().position(|b| !is_plain(b))?;
    let id = bytes[type_len..].strip_prefix(b":")?;
    // Without an end at the first mismatch, many bytes are compared at once.
    let is_plain_id = id.iter().fold(true, |plain, b| plain & (0x20..0x7f).contains(b));
    let is_type = bytes[0].is_ascii_lowercase() && type_len <= MAX_TYPE_LEN;
    (is_type && is_plain_id && !id.is_empty() && id.len() <= MAX_ID_LEN).then_some(type_len)
}

/// Refuses a prefix that no key begins with: a scan for it would find nothing, whatever is stored.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    let (entity_type, id) = match prefix.split_once(':') {
        None if prefix.is_empty() => return Ok(()),
        None => (prefix, ""),
        Some(parts) => parts,
    };
    let problem = type_problem(entity_type)
        .or_else(|| if id.is_empty() { None } else { id_problem(id, entity_type.len() + 1) });
    problem.map_or(Ok(()), |why| Err(malformed("prefix", prefix, why)))
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Reads a key from a text without a copy of it beside the key.
struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Key, E> {
        Key::parse(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &"a key, `type:id`"))
    }
}

fn malformed(what: &str, text: &str, why: impl fmt::Display) -> Error {
    // An id may be long; what identifies it is its beginning.
    let shown: String = text.chars().take(80).collect();
    let more = if shown.len() < text.len() { ".." } else { "" };
    Error::invalid_input(format!("{what} {shown:?}{more}: {why}"))
}

fn check(entity_type: &str, id: &str, text: impl FnOnce() -> String) -> Result<()> {
    let problem = type_problem(entity_type).or_else(|| id_problem(id, entity_type.len() + 1));
    problem.map_or(Ok(()), |why| Err(malformed("key", &text(), why)))
}

fn type_problem(entity_type: &str) -> Option<String> {
    if is_entity_type(entity_type) {
        return None;
    }
    Some(if entity_type.is_empty() {
        "no type before the ':'".to_owned()
    } else if entity_type.len() > MAX_TYPE_LEN {
        format!("a type of {} bytes, at most {MAX_TYPE_LEN} are allowed", entity_type.len())
    } else {
        let (at, c) = entity_type
            .char_indices()
            .find(|&(at, c)| {
                !(c.is_ascii_lowercase() || at > 0 && (c.is_ascii_digit() || c == '_'))
            })
            .unwrap_or_default();
        format!("{c:?} at byte {at}; a type matches [a-z][a-z0-9_]*")
    })
}

/// What is wrong with an id that begins at byte `offset` of its key.
fn id_problem(id: &str, offset: usize) -> Option<String> {
    // Without control characters below 0x20 and 0x7f only C1 (U+0080..=U+009F) is left to find,
    // and pure ASCII has none of it: the common case is one pass over bytes.
    let plain = id.bytes().all(|b| (0x20..0x7f).contains(&b));
    if plain && !id.is_empty() && id.len() <= MAX_ID_LEN {
        return None;
    }
    if id.is_empty() {
        return Some("no id after the ':'".to_owned());
    }
    if id.len() > MAX_ID_LEN {
        return Some(format!("an id of {} bytes, at most {MAX_ID_LEN} are allowed", id.len()));
    }
    let (at, c) = id.char_indices().find(|(_, c)| c.is_control())?;
    Some(format!("control character {c:?} at byte {}", offset + at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn error(text: &str) -> String {
        text.parse::<Key>().unwrap_err().to_string()
    }

    proptest! {
        #[test]
        fn a_plain_key_is_one_that_is_parsed_otherwise_as_well(
            text in "[a-zA-Z0-9_:é~ \u{7f}-]{0,8}(:[a-z0-9:é \u{1}~]{0,8})?",
            len in prop::sample::select(&[0_usize, 63, 64, 65, 511, 512, 513][..]),
        ) {
            let long = "x".repeat(len);
            for text in [&text, &format!("{text}{long}"), &format!("{long}{text}")] {
                if let Some(type_len) = plain_type_len(text) {
                    let key = KeyRef::parse(text).unwrap();
                    prop_assert_eq!(key.entity_type().len(), type_len);
                }
            }
        }
    }

    #[test]
    fn splits_at_the_first_colon() {
        let key: Key = "deck:a:b:c".parse().unwrap();
        assert_eq!((key.entity_type(), key.id()), ("deck", "a:b:c"));
    }

    #[test]
    fn errors_name_the_position_and_the_rule() {
        assert_eq!(error("card"), "key \"card\": no ':' between type and id");
        assert_eq!(error(":1"), "key \":1\": no type before the ':'");
        assert_eq!(error("card:"), "key \"card:\": no id after the ':'");
        assert_eq!(
            error("1card:1"),
            "key \"1card:1\": '1' at byte 0; a type matches [a-z][a-z0-9_]*"
        );
        assert_eq!(
            error("base-card:1"),
            "key \"base-card:1\": '-' at byte 4; a type matches [a-z][a-z0-9_]*"
        );
        assert_eq!(error("card:a\nb"), "key \"card:a\\nb\": control character '\\n' at byte 6");
        assert_eq!(
            error("card:é\u{85}"),
            "key \"card:é\\u{85}\": control character '\\u{85}' at byte 7"
        );
        assert!(error(&format!("card:{}", "x".repeat(513))).ends_with("at most 512 are allowed"));
        assert!(error(&format!("{}:1", "x".repeat(65))).ends_with("at most 64 are allowed"));
    }

    #[test]
    fn a_prefix_that_no_key_begins_with_is_refused_with_the_reason() {
        for prefix in ["", "c", "card_2", "card:", "card:a b:é", &"x".repeat(64)] {
            check_prefix(prefix).unwrap();
        }
        let error = |prefix: &str| check_prefix(prefix).unwrap_err().to_string();
        assert_eq!(
            error("Deck:"),
            "prefix \"Deck:\": 'D' at byte 0; a type matches [a-z][a-z0-9_]*"
        );
        assert_eq!(
            error("card*"),
            "prefix \"card*\": '*' at byte 4; a type matches [a-z][a-z0-9_]*"
        );
        assert_eq!(error(":1"), "prefix \":1\": no type before the ':'");
        assert_eq!(error("card:a\n"), "prefix \"card:a\\n\": control character '\\n' at byte 6");
        assert!(error(&format!("card:{}", "x".repeat(513))).ends_with("at most 512 are allowed"));
        assert!(error(&"x".repeat(65)).ends_with("at most 64 are allowed"));
    }

    #[test]
    fn the_longest_type_and_id_are_allowed() {
        let text = format!("{}:{}", "x".repeat(64), "é".repeat(256));
        assert_eq!(text.parse::<Key>().unwrap().as_str(), text);
    }

    #[test]
    fn a_key_of_two_parts_is_that_of_their_text_however_long_they_are() {
        for len in [1, 58, 59, 60, 61, 512] {
            let id = "x".repeat(len);
            let key = Key::new("card", &id).unwrap();
            let text = format!("card:{id}");
            assert_eq!((key.as_str(), key.id()), (text.as_str(), id.as_str()));
            assert_eq!(key, text.parse().unwrap());
        }
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_key_is_a_prefix(text in "[a-z][a-z0-9_]{0,5}:\\PC{1,9}") {
            for (end, _) in text.char_indices().filter(|_| text.parse::<Key>().is_ok()) {
                prop_assert!(check_prefix(&text[..end]).is_ok());
            }
        }

        #[test]
        fn any_text_is_either_a_key_with_that_text_or_refused(text in ".*:?.*") {
            if let Ok(key) = text.parse::<Key>() {
                prop_assert_eq!(key.as_str(), &text);
                prop_assert_eq!(Key::new(key.entity_type(), key.id()).unwrap(), key);
            }
        }
    }
}
