//! JSON texts of documents: validation, members, errors without contents.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

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
    json.deserialize_map(VersionVisitor)
        .and_then(|version| json.end().map(|()| version))
        .map_err(|error| Error::corrupt(format!("not valid JSON: {}", without_content(&error))))
}

/// Refuses JSON of which the first character already says that it is no object.
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
        while let Some(MemberName(name)) = map.next_key()? {
            if name == VERSION_MEMBER {
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

/// The value of `$v`.
pub(crate) struct Version(pub(crate) u32);

impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Version;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{VERSION_MEMBER} to be a whole number from 0 to {}", u32::MAX)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Version, E> {
                u32::try_from(number)
                    .map(Version)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_u32(NumberVisitor)
    }
}

/// The message of a JSON error without the values that serde quotes in it: what is stored may be
/// confidential, and errors are logged.
pub(crate) fn without_content(error: &serde_json::Error) -> String {
    let message = error.to_string();
    for begin in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = message.strip_prefix(begin) {
            let end = quoted_end(rest).unwrap_or(0);
            let kind = if end > 0 { rest.split(' ').next().unwrap_or_default() } else { "" };
            return format!("{begin}{kind}{}", &rest[end..]);
        }
    }
    if let Some(rest) = message.strip_prefix("unknown variant `")
        && let Some(end) = rest.find("`, expected")
    {
        return format!("unknown variant{}", &rest[end + 1..]);
    }
    message
}

/// Where the value ends that a message quotes after its kind: text in double quotes, all else in
/// backticks.
fn quoted_end(rest: &str) -> Option<usize> {
    if let Some(text) = rest.strip_prefix("string \"") {
        let mut escaped = false;
        let end = text.find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        })?;
        return Some(rest.len() - text.len() + end + 1);
    }
    let quote = rest.find('`')?;
    if rest[..quote].contains(", expected") {
        return None;
    }
    let end = rest[quote + 1..].find('`')?;
    Some(quote + 1 + end + 1)
}
