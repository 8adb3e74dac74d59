//! JSON texts of documents: validation, members, errors without contents.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use super::error::{Error, Result};

/// A JSON object.
pub type Object = serde_json::Map<String, Value>;

/// The member that holds the schema version.
pub(crate) const VERSION_MEMBER: &str = "$v";

/// Checks that the bytes are one JSON object in UTF-8; returns its `$v`.
pub(crate) fn validate(bytes: &[u8]) -> Result<Option<u32>> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Error::corrupt(format!("not UTF-8 after byte {}", error.valid_up_to())))?;
    expect_object(text)?;
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(VersionVisitor).and_then(|version| json.end().map(|()| version)).map_err(
        |error| match error.classify() {
            Category::Data => Error::corrupt(without_content(&error)),
            _ => not_json(text, &error),
        },
    )
}

fn not_json(text: &str, error: &serde_json::Error) -> Error {
    Error::corrupt(format!("not valid JSON: {}", syntax_problem(text, error)))
}

/// Refuses a text of which the first character already says that it is no object.
pub(crate) fn expect_object(text: &str) -> Result<()> {
    let found = match text.trim_ascii_start().bytes().next() {
        Some(b'{') => return Ok(()),
        None => "nothing",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(_) => "something that is not JSON",
    };
    // The first character of what was cut off says little.
    if !text.is_empty()
        && let Err(error) = serde_json::from_str::<IgnoredAny>(text)
    {
        return Err(not_json(text, &error));
    }
    Err(Error::corrupt(format!("a document is a JSON object, this is {found}")))
}

struct VersionVisitor;

impl<'de> Visitor<'de> for VersionVisitor {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut version = None;
        while let Some(is_version) = map.next_key_seed(NameIs(VERSION_MEMBER))? {
            if is_version {
                version = Some(map.next_value::<Version>()?.0);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(version)
    }
}

/// A member's name, borrowed from the text where it has no escapes.
pub(crate) struct MemberName<'de>(pub(crate) Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for MemberName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = MemberName<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(MemberName(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(MemberName(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

/// Whether a member has this name; the name itself is not kept, which is a tenth of a validation.
pub(super) struct NameIs(pub(super) &'static str);

impl<'de> DeserializeSeed<'de> for NameIs {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for NameIs {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

/// How `serde_json` hands over a number if a crate of the program turns on its feature
/// `arbitrary_precision`: as an object with this member.
pub(crate) const NUMBER_MEMBER: &str = "$serde_json::private::Number";

/// The digits of a number that is handed over like that.
pub(crate) struct NumberText(pub(crate) String);

impl NumberText {
    /// Hands the number over as it is handed over without that feature.
    pub(crate) fn visit<'de, V: Visitor<'de>, E: serde::de::Error>(
        &self,
        visitor: V,
    ) -> Result<V::Value, E> {
        let (unsigned, signed) = (self.0.parse::<u64>(), self.0.parse::<i64>());
        match (unsigned, signed) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => visitor.visit_f64(self.0.parse().unwrap_or(f64::INFINITY)),
        }
    }
}

impl<'de> serde::Deserialize<'de> for NumberText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DigitsVisitor;

        impl Visitor<'_> for DigitsVisitor {
            type Value = NumberText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_string<E>(self, digits: String) -> Result<NumberText, E> {
                Ok(NumberText(digits))
            }

            // A member of this name that is written in a text, and not made by `serde_json`.
            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<NumberText, E> {
                Err(E::custom(format_args!("refused: the name `{NUMBER_MEMBER}` is reserved")))
            }
        }

        deserializer.deserialize_any(DigitsVisitor)
    }
}

/// The value of `$v`.
pub(crate) struct Version(pub(crate) u32);

impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VersionNumber)
    }
}

/// Visits the value of `$v`. Its errors say what was found without quoting it.
struct VersionNumber;

fn no_version<E: serde::de::Error>(found: &str) -> Result<Version, E> {
    let expected = format_args!("a whole number from 0 to {}", u32::MAX);
    Err(E::custom(format_args!("expected {VERSION_MEMBER} to be {expected}, found {found}")))
}

impl<'de> Visitor<'de> for VersionNumber {
    type Value = Version;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a version")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Version, E> {
        u32::try_from(number).map(Version).or_else(|_| no_version("a greater number"))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Version, E> {
        u64::try_from(number)
            .map_or_else(|_| no_version("a negative number"), |number| self.visit_u64(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Version, E> {
        no_version(if number >= f64::from(u32::MAX) {
            "a greater number"
        } else {
            "a number that is written with a fraction or an exponent"
        })
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Version, E> {
        no_version("a boolean")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Version, E> {
        no_version("a string")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Version, E> {
        no_version("null")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Version, A::Error> {
        no_version("an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Version, A::Error> {
        match map.next_key::<MemberName<'_>>()? {
            Some(MemberName(name)) if name == NUMBER_MEMBER => {
                map.next_value::<NumberText>()?.visit(self)
            }
            _ => no_version("an object"),
        }
    }
}

/// Why a text is not JSON, and at which of its bytes. These messages of `serde_json` quote nothing.
pub(crate) fn syntax_problem(text: &str, error: &serde_json::Error) -> String {
    let byte = if error.classify() == Category::Eof {
        text.len()
    } else {
        let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
        lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1)
    };
    format!("{} at byte {byte}", unlocated(error))
}

/// The message of an error that this crate's own visitors or `serde_json` made of a document that
/// was valid JSON. It names no position: the text that was decoded need not be the one that the
/// caller knows.
///
/// This crate's visitors quote nothing. What serde writes by itself quotes values, and is replaced
/// as a whole; types of the program are decoded by [`decode`](super::decode::decode).
pub(crate) fn without_content(error: &serde_json::Error) -> String {
    const QUOTING: [&str; 5] =
        ["invalid ty", "invalid va", "invalid le", "unknown va", "unknown fi"];
    let message = unlocated(error);
    let quotes = error.classify() == Category::Data
        && QUOTING.iter().any(|beginning| message.starts_with(beginning));
    if quotes { "a value of another type than expected".to_owned() } else { message }
}

/// The message of an error of serde that code of the program has made or passed on. Only what
/// `serde_json` says of the syntax is known to quote nothing.
pub(crate) fn foreign_problem(error: &serde_json::Error) -> String {
    if error.classify() == Category::Data {
        "a value does not fit its type".to_owned()
    } else {
        unlocated(error)
    }
}

/// The error of a value that cannot be written as JSON.
pub(crate) fn unwritable(error: &serde_json::Error) -> Error {
    let why = match error.classify() {
        // The message of a `Serialize` of the program, which may quote what it was to write.
        Category::Data => "its `Serialize` returned an error".to_owned(),
        _ => unlocated(error),
    };
    Error::invalid_input(format!("cannot be written as JSON: {why}"))
}

/// The message without line and column.
fn unlocated(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let located = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&located).map_or_else(|| message.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        validate(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_version_that_is_none_is_said_to_be_that() {
        let expected = "expected $v to be a whole number from 0 to 4294967295, found";
        for (value, found) in [
            ("2.0", "a number that is written with a fraction or an exponent"),
            ("2e0", "a number that is written with a fraction or an exponent"),
            ("-1", "a negative number"),
            ("4294967296", "a greater number"),
            ("1180591620717411303424", "a greater number"),
            ("\"2\"", "a string"),
            ("true", "a boolean"),
            ("null", "null"),
            ("[2]", "an array"),
            ("{\"a\":2}", "an object"),
        ] {
            for text in
                [format!("{{\"$v\":{value}}}"), format!("{{\"a\":1,\"$v\":{value},\"b\":2}}")]
            {
                assert_eq!(error(&text), format!("{expected} {found}"), "{text}");
            }
        }
    }

    #[test]
    fn a_version_counts_wherever_it_stands_and_as_it_is_written_last() {
        for (text, version) in [
            (r#"{"$v":3,"a":1}"#, Some(3)),
            (r#"{"$v":3}"#, Some(3)),
            (r#"{"$v":4294967295}"#, Some(u32::MAX)),
            (r#"{ "$v" : 3 }"#, Some(3)),
            (r#"{"a":"$v","b":{"$v":7}}"#, None),
            (r#"{"$v":3,"a":{"$v":7}}"#, Some(3)),
            (r#"{"$v":3,"$v":4}"#, Some(4)),
            (r#"{"$v":3,"\u0024v":4}"#, Some(4)),
            (r#"{"\u0024\u0076":4}"#, Some(4)),
            ("{}", None),
        ] {
            assert_eq!(validate(text.as_bytes()).unwrap(), version, "{text}");
        }
        for text in
            [r#"{"$v":03}"#, r#"{"$v":}"#, r#"{"$v":3"a":1}"#, r#"{"$v":3,}"#, r#"{"$v":3}}"#]
        {
            assert!(error(text).starts_with("not valid JSON: "), "{text}");
        }
        assert!(error(r#"{"$v":3,"$v":"x"}"#).ends_with("found a string"));
    }

    #[test]
    fn broken_json_is_not_an_array_and_the_byte_is_named() {
        assert_eq!(error("[1,2"), "not valid JSON: EOF while parsing a list at byte 4");
        assert_eq!(error("[1,2]"), "a document is a JSON object, this is an array");
        assert_eq!(error("\"a"), "not valid JSON: EOF while parsing a string at byte 2");
        assert_eq!(error("nul"), "not valid JSON: EOF while parsing a value at byte 3");
        assert_eq!(error("tru}"), "not valid JSON: expected ident at byte 3");
        assert_eq!(error("{\"a\":1"), "not valid JSON: EOF while parsing an object at byte 6");
        assert_eq!(error("{\"a\":1,}"), "not valid JSON: trailing comma at byte 7");
        assert_eq!(error("{\n \"a\":1,\n}"), "not valid JSON: trailing comma at byte 10");
        assert_eq!(error("{} x"), "not valid JSON: trailing characters at byte 3");
        assert_eq!(error("\u{1}"), "not valid JSON: expected value at byte 0");
        assert_eq!(error(""), "a document is a JSON object, this is nothing");
    }
}
