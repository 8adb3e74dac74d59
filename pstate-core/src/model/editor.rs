//! Changing a part of a document, and writing back the rest as it was.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{Error, Result};
use super::json::{MemberName, Object, VERSION_MEMBER, without_content};

/// A document under edit, beside its text.
///
/// Every call that changes a part of a document goes through it: updates, links, migration steps
/// and field migrations. Members that the edit leaves alone keep their text, byte for byte.
#[derive(Debug)]
pub(crate) struct DocumentEditor<'a> {
    /// Each member as it was written, and as it was parsed.
    original: Vec<(String, &'a RawValue, Value)>,
    object: Object,
}

impl<'a> DocumentEditor<'a> {
    /// Opens the text of a document.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for text that is not a JSON object, or that cannot be
    /// held in memory as a tree.
    pub(crate) fn open(text: &'a str) -> Result<Self> {
        Self::open_members(text, |_| true)
    }

    /// Opens the text of a document without its `$v`, for an edit that gives it another one.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(crate) fn open_without_version(text: &'a str) -> Result<Self> {
        Self::open_members(text, |name| name != VERSION_MEMBER)
    }

    fn open_members(text: &'a str, wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let corrupt = |error: serde_json::Error| Error::corrupt(without_content(&error));
        let raw = serde_json::Deserializer::from_str(text)
            .deserialize_map(RawMembers)
            .map_err(corrupt)?;
        let mut original = Vec::with_capacity(raw.len());
        let mut object = Object::new();
        for (name, raw) in raw.into_iter().filter(|(name, _)| wanted(name)) {
            let value: Value = serde_json::from_str(raw.get()).map_err(corrupt)?;
            object.insert(name.clone(), value.clone());
            original.push((name, raw, value));
        }
        Ok(Self { original, object })
    }

    /// The document as the edit has left it so far.
    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    /// The document, to be changed.
    pub(crate) fn object_mut(&mut self) -> &mut Object {
        &mut self.object
    }

    /// Takes the version away.
    pub(crate) fn remove_version(&mut self) {
        self.object.remove(VERSION_MEMBER);
    }

    /// The edited text: `$v` first, then the members. Those that the edit left alone are written
    /// as they were: a number with more digits than a double has keeps them.
    pub(crate) fn finish(mut self) -> Result<String> {
        let version = self.object.remove(VERSION_MEMBER);
        self.write(version.as_ref())
    }

    /// The same at a version.
    pub(crate) fn finish_at(mut self, version: u32) -> Result<String> {
        self.remove_version();
        self.write(Some(&version.into()))
    }

    fn write(self, version: Option<&Value>) -> Result<String> {
        let text = self.try_write(version).map_err(|error| Error::corrupt(without_content(&error)));
        String::from_utf8(text?).map_err(|error| Error::corrupt(error.to_string()))
    }

    fn try_write(mut self, version: Option<&Value>) -> serde_json::Result<Vec<u8>> {
        // Stable: of a member that was written twice the last one counts.
        self.original.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        let mut text = Vec::new();
        let mut json = serde_json::Serializer::new(&mut text);
        let mut members = json.serialize_map(None)?;
        if let Some(version) = version {
            members.serialize_entry(VERSION_MEMBER, version)?;
        }
        for (name, value) in &self.object {
            let after = self.original.partition_point(|(original, ..)| original <= name);
            match after.checked_sub(1).map(|at| &self.original[at]) {
                Some((original, raw, before)) if original == name && before == value => {
                    members.serialize_entry(name, raw)?;
                }
                _ => members.serialize_entry(name, value)?,
            }
        }
        members.end()?;
        Ok(text)
    }
}

struct RawMembers;

impl<'de> Visitor<'de> for RawMembers {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(MemberName(name)) = map.next_key()? {
            members.push((name.into_owned(), map.next_value()?));
        }
        Ok(members)
    }
}
