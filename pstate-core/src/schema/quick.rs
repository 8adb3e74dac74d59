//! Migrating a text without making a tree of it.
//!
//! Most migrations rename and remove members, and give single members another type. Where
//! [`patterns`](super::patterns) do that, and nothing about the text is unusual, the members are
//! put together again as they are written. Everything else, errors included, is left to the way
//! by the tree, which gives the same text.

use std::borrow::Cow;

use serde::de::DeserializeSeed;
use serde_json::{Number, Value};

use super::check::FieldCheck;
use super::entity::Entity;
use super::field::{Field, OldField};
use super::member_step::MemberStep;
use super::step::Step;
use crate::model::editor::{Member, members};
use crate::model::written::is_too_deep;
use crate::model::{Object, VERSION_MEMBER};

/// Beyond so many members, a search for one is not worth it.
const MANY_MEMBERS: usize = 32;

/// From how many digits on a number may be one that a double does not hold.
const MANY_DIGITS: usize = 16;

/// The text of an older document at the entity's version, after these steps; `None` if it takes a
/// tree.
pub(super) fn upgrade(entity: &Entity, steps: &[Step], text: &str) -> Option<String> {
    let by_text = steps.iter().all(|step| step.member_step().is_some())
        && entity.fields().iter().all(Field::migrates_by_value);
    if !by_text || !is_usual(text) {
        return None;
    }
    let stored = members(text).ok()?;
    if !is_compact(text, &stored) {
        return None;
    }
    let mut parts = Parts::of(&stored)?;
    for step in steps.iter().filter_map(Step::member_step) {
        parts.run(step)?;
    }
    for field in entity.fields() {
        parts.check(field)?;
    }
    let text = parts.into_text(entity.version(), text.len())?;
    (!is_too_deep(&text)).then_some(text)
}

/// Whether nothing in a valid text is more than a tree holds: numbers beyond a double, exponents,
/// escapes that may be half of a surrogate pair.
fn is_usual(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut digits) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => loop {
                match bytes.get(at) {
                    Some(b'"') | None => break at += 1,
                    Some(b'\\') if bytes.get(at + 1) == Some(&b'u') => return false,
                    Some(b'\\') => at += 2,
                    Some(_) => at += 1,
                }
            },
            b'0'..=b'9' | b'.' => {
                digits += 1;
                if digits >= MANY_DIGITS {
                    let begin = at - digits;
                    let sign = usize::from(begin > 0 && bytes[begin - 1] == b'-');
                    let len = bytes[at..].iter().position(|byte| !is_digit_or_point(*byte));
                    at += len.unwrap_or(bytes.len() - at);
                    if !is_written_by_a_tree(&text[begin - sign..at]) {
                        return false;
                    }
                }
            }
            b'e' | b'E' if digits > 0 => return false,
            _ => digits = 0,
        }
    }
    true
}

fn is_digit_or_point(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

/// Whether a tree would write a number with the same digits: most doubles that were calculated have
/// 16 or 17 of them, and are written as they were read.
fn is_written_by_a_tree(number: &str) -> bool {
    let Ok(read) = serde_json::from_str::<Number>(number) else { return false };
    let written = read.to_string();
    written == number
}

/// Whether a text consists of its members, with nothing between them, in names without escapes.
fn is_compact(text: &str, stored: &[Member<'_>]) -> bool {
    let lens = stored.iter().map(|member| member.written.len() + 1 + member.value.len());
    let commas = stored.len().saturating_sub(1);
    lens.sum::<usize>() + commas + 2 == text.len()
        && stored.iter().all(|member| member.written.len() == member.name.len() + 2)
}

/// A member of the document, as the migration has left it so far.
struct Part<'a> {
    name: &'a str,
    value: Cow<'a, str>,
    /// Its name in the stored text, if it was there.
    stored_as: Option<&'a str>,
}

struct Parts<'a> {
    parts: Vec<Part<'a>>,
    stored: &'a [Member<'a>],
}

impl<'a> Parts<'a> {
    /// The members that a step sees, if each is there once.
    fn of(stored: &'a [Member<'a>]) -> Option<Self> {
        if stored.len() > MANY_MEMBERS {
            return None;
        }
        let mut parts: Vec<Part<'a>> = Vec::with_capacity(stored.len());
        for (at, member) in stored.iter().enumerate() {
            if stored[..at].iter().any(|earlier| earlier.name == member.name) {
                return None;
            }
            if member.name != VERSION_MEMBER {
                let (name, value) = (&*member.name, Cow::Borrowed(member.value));
                parts.push(Part { name, value, stored_as: Some(name) });
            }
        }
        Some(Self { parts, stored })
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|part| part.name == name)
    }

    fn run(&mut self, step: &'a MemberStep) -> Option<()> {
        match step {
            MemberStep::Remove(name) => {
                self.parts.retain(|part| part.name != name);
            }
            MemberStep::Rename { from, to } => {
                if let Some(at) = self.find(from) {
                    if self.find(to).is_some() {
                        return None;
                    }
                    self.parts[at].name = to;
                }
                // A version that a step sets does not stay.
                self.parts.retain(|part| part.name != VERSION_MEMBER);
            }
        }
        Some(())
    }

    /// Migrates a field that does not fit; what fits neither before nor after takes a tree.
    fn check(&mut self, field: &'a Field) -> Option<()> {
        let at = self.find(field.name());
        let fits = |value: &str| {
            let mut json = serde_json::Deserializer::from_str(value);
            FieldCheck::new(field).deserialize(&mut json).is_ok()
        };
        let fitted = at.is_some_and(|at| fits(&self.parts[at].value));
        let Some(migrate) = field.migration().filter(|_| !fitted) else {
            return (fitted || at.is_none() && !field.is_required()).then_some(());
        };
        let text = at.map(|at| &*self.parts[at].value);
        let value: Option<Value> = text.map(serde_json::from_str).transpose().ok()?;
        let document = &Object::new();
        let new = migrate(&OldField { value: value.as_ref(), text, document, field }).ok()?;
        let Some(new) = new else {
            if let Some(at) = at {
                self.parts.remove(at);
            }
            return (!field.is_required()).then_some(());
        };
        if new.is_object() || new.is_array() {
            // Their members have an order.
            return None;
        }
        let new = new.to_string();
        if !fits(&new) {
            return None;
        }
        match at {
            Some(at) => self.parts[at].value = Cow::Owned(new),
            None => self.parts.push(Part {
                name: field.name(),
                value: Cow::Owned(new),
                stored_as: None,
            }),
        }
        Some(())
    }

    /// What has its name stays in its place, the rest stands behind it, in the order of a tree.
    fn into_text(self, version: u32, len: usize) -> Option<String> {
        use std::fmt::Write as _;

        let Self { parts, stored } = self;
        let (kept, mut added): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| part.stored_as == Some(part.name));
        // It takes the place of one that is gone.
        let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        let is_new = |name: &str| stored.iter().all(|member| member.name != name);
        if !added.iter().all(|part| is_new(part.name) && part.name.bytes().all(is_plain)) {
            return None;
        }
        added.sort_by(|one, other| one.name.cmp(other.name));
        let mut text = String::with_capacity(len + len / 8 + 16);
        write!(text, "{{\"{VERSION_MEMBER}\":{version}").ok()?;
        for Part { name, value, .. } in kept.iter().chain(&added) {
            text.push_str(",\"");
            text.push_str(name);
            text.push_str("\":");
            text.push_str(value);
        }
        text.push('}');
        Some(text)
    }
}
