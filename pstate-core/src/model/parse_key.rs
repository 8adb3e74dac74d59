//! Text to keys: what is accepted, and why the rest is refused.

use std::borrow::Cow;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};

use super::error::{Error, Result};
use super::key::{Key, KeyRef, MAX_ID_LEN, MAX_TYPE_LEN, is_entity_type};

impl Key {
    /// The key of the document `id` of type `entity_type`.
    pub fn new(entity_type: &str, id: &str) -> Result<Self> {
        KeyRef::new(entity_type, id).map(KeyRef::to_key)
    }
}

impl<'a> KeyRef<'a> {
    /// Joins a type and an id.
    pub fn new(entity_type: &'a str, id: &'a str) -> Result<Self> {
        check(entity_type, id).map_err(|why| malformed(&format!("{entity_type}:{id}"), &why))?;
        Ok(Self::unchecked(entity_type, id))
    }

    /// Splits `type:id`.
    pub fn parse(text: &'a str) -> Result<Self> {
        Self::split(text).map_err(|why| malformed(text, &why))
    }

    /// Splits `type:id`; the error is only why it cannot, without the text, which may be part of a
    /// document.
    pub(crate) fn split(text: &'a str) -> Result<Self, String> {
        let Some((entity_type, id)) = text.split_once(':') else {
            return Err("no ':' between type and id".to_owned());
        };
        check(entity_type, id)?;
        Ok(Self::unchecked(entity_type, id))
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        KeyRef::parse(text).map(KeyRef::to_key)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

fn malformed(text: &str, why: &str) -> Error {
    // An id may be long; what identifies it is its beginning.
    let shown: String = text.chars().take(80).collect();
    let more = if shown.len() < text.len() { ".." } else { "" };
    Error::invalid_input(format!("key {shown:?}{more}: {why}"))
}

fn check(entity_type: &str, id: &str) -> Result<(), String> {
    check_type(entity_type)?;
    check_id(id, entity_type.len() + 1)
}

fn check_type(entity_type: &str) -> Result<(), String> {
    if is_entity_type(entity_type) {
        return Ok(());
    }
    Err(if entity_type.is_empty() {
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

fn check_id(id: &str, offset: usize) -> Result<(), String> {
    // Without control characters below 0x20 and 0x7f only C1 (U+0080..=U+009F) is left to find,
    // and pure ASCII has none of it: the common case is one pass over bytes.
    let plain = id.bytes().all(|b| (0x20..0x7f).contains(&b));
    if plain && !id.is_empty() && id.len() <= MAX_ID_LEN {
        return Ok(());
    }
    if id.is_empty() {
        return Err("no id after the ':'".to_owned());
    }
    if id.len() > MAX_ID_LEN {
        return Err(format!("an id of {} bytes, at most {MAX_ID_LEN} are allowed", id.len()));
    }
    match id.char_indices().find(|(_, c)| c.is_control()) {
        None => Ok(()),
        Some((at, c)) => Err(format!("control character {c:?} at byte {}", offset + at)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn error(text: &str) -> String {
        text.parse::<Key>().unwrap_err().to_string()
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
    fn the_longest_type_and_id_are_allowed() {
        let text = format!("{}:{}", "x".repeat(64), "é".repeat(256));
        assert_eq!(text.parse::<Key>().unwrap().as_str(), text);
    }

    proptest! {
        #[test]
        fn any_text_is_either_a_key_with_that_text_or_refused(text in ".*:?.*") {
            if let Ok(key) = text.parse::<Key>() {
                prop_assert_eq!(key.as_str(), &text);
                prop_assert_eq!(Key::new(key.entity_type(), key.id()).unwrap(), key);
            }
        }
    }
}
