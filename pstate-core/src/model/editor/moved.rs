//! Values that an edit moves keep their text.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde_json::Value;

use super::parts::{Kind, Member, items, kind, members, unquoted};
use super::splice::{NewValue, Piece};
use crate::model::error::Result;
use crate::model::reference::REF_MEMBER;

/// The values that an edit has moved or copied, by the text in which the edit saw them.
///
/// An edit sees numbers as doubles, and values without members that its type does not know. A
/// value that disappears in one place and appears, equal, in another has moved: it is written as
/// it was stored. One with a number that a double does not hold, as an id of 20 digits, is also
/// found where it still stands: it was copied.
#[derive(Debug, Default)]
pub(super) struct Moved<'t> {
    removed: HashMap<&'t str, Vec<Removed<'t>>, RandomState>,
    copied: HashMap<String, &'t str, RandomState>,
}

#[derive(Debug)]
struct Removed<'t> {
    name: Option<&'t str>,
    stored: &'t str,
}

impl<'t> Moved<'t> {
    /// Adds a value that the edit has taken away, and all in it.
    pub(super) fn add(
        &mut self,
        stored: &'t str,
        seen: &'t str,
        name: Option<&'t str>,
    ) -> Result<()> {
        if stored == seen {
            return Ok(());
        }
        self.removed.entry(seen).or_default().push(Removed { name, stored });
        match (kind(stored), kind(seen)) {
            (Kind::Object, Kind::Object) => {
                let seen = members(seen)?;
                let seen: HashMap<_, _> =
                    seen.iter().map(|member| (&*member.name, member.value)).collect();
                for member in members(stored)? {
                    if let Some(seen) = seen.get(&*member.name) {
                        self.add(member.value, seen, Some(member.written))?;
                    }
                }
            }
            (Kind::Array, Kind::Array) => {
                let (stored, seen) = (items(stored)?, items(seen)?);
                if stored.len() == seen.len() {
                    for (stored, seen) in stored.into_iter().zip(seen) {
                        self.add(stored, seen, None)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds what stands in the stored document and holds numbers that a double does not hold.
    pub(super) fn add_long_numbers(&mut self, stored: &'t str) -> Result<()> {
        if !has_long_number(stored) {
            return Ok(());
        }
        match kind(stored) {
            Kind::Object => {
                for member in members(stored)? {
                    self.add_long_numbers(member.value)?;
                }
            }
            Kind::Array => {
                for item in items(stored)? {
                    self.add_long_numbers(item)?;
                }
            }
            Kind::Scalar => {}
        }
        // What cannot be held as a tree has not been seen by an edit.
        if let Ok(seen) = serde_json::from_str::<Value>(stored) {
            self.copied.entry(seen.to_string()).or_insert(stored);
        }
        Ok(())
    }

    /// The text that the pieces make up, about as long as expected.
    pub(super) fn write(&self, pieces: &[Piece<'t>], expected: usize) -> Result<String> {
        let mut text = String::with_capacity(expected + expected / 4);
        for piece in pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::New(value) => self.write_value(&mut text, *value)?,
            }
        }
        Ok(text)
    }

    fn write_value(&self, text: &mut String, value: NewValue<'t>) -> Result<()> {
        if let Some(stored) = self.find(value) {
            text.push_str(stored);
            return Ok(());
        }
        match kind(value.text) {
            Kind::Object => self.write_object(text, value),
            Kind::Array if !self.is_empty() => {
                text.push('[');
                for (at, item) in items(value.text)?.into_iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    self.write_value(text, NewValue { text: item, name: None, replaces: None })?;
                }
                text.push(']');
                Ok(())
            }
            _ => {
                text.push_str(value.text);
                Ok(())
            }
        }
    }

    fn write_object(&self, text: &mut String, value: NewValue<'t>) -> Result<()> {
        let order = value.replaces.map(names_in_list).transpose()?.unwrap_or_default();
        if self.is_empty() && order.is_empty() {
            text.push_str(value.text);
            return Ok(());
        }
        let mut members = members(value.text)?;
        let place = |member: &Member<'_>| order.get(&*member.name).copied().unwrap_or(usize::MAX);
        members.sort_by_cached_key(place);
        text.push('{');
        for (at, member) in members.into_iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(member.written);
            text.push(':');
            let name = Some(member.written);
            self.write_value(text, NewValue { text: member.value, name, replaces: None })?;
        }
        text.push('}');
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.copied.is_empty()
    }

    /// The stored text of a value that has moved: of several, the one that had the same name.
    fn find(&self, value: NewValue<'t>) -> Option<&'t str> {
        if let Some(removed) = self.removed.get(value.text) {
            let same_name = removed.iter().find(|removed| removed.name == value.name);
            return same_name.or(removed.first()).map(|removed| removed.stored);
        }
        self.copied.get(value.text).copied()
    }
}

/// Whether a text may hold a number that a double does not hold: it has more digits in a row, but
/// for a point, than a double has.
fn has_long_number(text: &str) -> bool {
    const DIGITS: usize = 16;
    let bytes = text.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    // Of so many bytes in a row, one is looked at.
    let mut at = DIGITS - 1;
    while let Some(byte) = bytes.get(at) {
        if !is_part(byte) {
            at += DIGITS;
            continue;
        }
        let begin = bytes[..at].iter().rposition(|byte| !is_part(byte)).map_or(0, |at| at + 1);
        let len = bytes[at..].iter().position(|byte| !is_part(byte));
        let end = len.map_or(bytes.len(), |len| at + len);
        if bytes[begin..end].iter().filter(|byte| byte.is_ascii_digit()).count() >= DIGITS {
            return true;
        }
        at = end + DIGITS;
    }
    false
}

/// Where each name stands in a list of ids or references: an object that replaces the list is
/// written in the list's order, although a tree keeps its members sorted.
fn names_in_list(list: &str) -> Result<HashMap<Cow<'_, str>, usize, RandomState>> {
    let mut names = HashMap::default();
    if kind(list) != Kind::Array {
        return Ok(names);
    }
    for (at, item) in items(list)?.into_iter().enumerate() {
        let name = match kind(item) {
            Kind::Array => continue,
            Kind::Scalar => scalar_name(item)?,
            Kind::Object => {
                let members = members(item)?;
                let reference = members.iter().find(|member| member.name == REF_MEMBER);
                match reference.or(members.iter().find(|member| member.name == "id")) {
                    Some(member) => scalar_name(member.value)?,
                    None => continue,
                }
            }
        };
        // A list may hold ids or whole keys.
        let id = match &name {
            Cow::Borrowed(name) => name.split_once(':').map(|(_, id)| Cow::Borrowed(id)),
            Cow::Owned(name) => name.split_once(':').map(|(_, id)| Cow::Owned(id.to_owned())),
        };
        for name in id.into_iter().chain([name]) {
            names.entry(name).or_insert(at);
        }
    }
    Ok(names)
}

fn scalar_name(scalar: &str) -> Result<Cow<'_, str>> {
    if scalar.starts_with('"') { unquoted(scalar) } else { Ok(Cow::Borrowed(scalar)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_found_wherever_they_stand() {
        for before in 0..40 {
            for (number, is_long) in [
                ("123456789012345", false),
                ("1234567890.12345", false),
                ("1234567890123456", true),
                ("0.30000000000000000001", true),
            ] {
                let text = format!("{}{number}", "x".repeat(before));
                assert_eq!(has_long_number(&text), is_long, "{text}");
                assert_eq!(has_long_number(&format!("{text},{{\"a\":1}}")), is_long, "{text}");
            }
        }
        assert!(!has_long_number(""));
        assert!(!has_long_number(&"123456789012345,".repeat(10)));
    }
}
