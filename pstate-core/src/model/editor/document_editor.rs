//! Changing a document as a tree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::merge::{MemberChange, Merge};
use super::parts::{Member, members, quoted};
use crate::model::error::{Error, Result};
use crate::model::json::{Object, VERSION_MEMBER, without_content};

/// A document under edit, beside its text.
///
/// What the edit leaves alone keeps its text, byte for byte, at every depth. A value that the edit
/// moves to another member keeps its text as well.
#[derive(Debug)]
pub(crate) struct DocumentEditor<'a> {
    text: &'a str,
    members: Vec<Member<'a>>,
    before: Object,
    object: Object,
    /// The texts that values of members were made from.
    made_from: BTreeMap<String, Cow<'a, str>>,
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
        let members = members(text)?;
        let mut before = Object::new();
        for member in members.iter().filter(|member| wanted(&member.name)) {
            let value: Value = serde_json::from_str(member.value)
                .map_err(|error| Error::corrupt(without_content(&error)))?;
            before.insert(member.name.as_ref().to_owned(), value);
        }
        let object = before.clone();
        Ok(Self { text, members, before, object, made_from: BTreeMap::new() })
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

    /// The text of a member as the edit has left it: with all digits of a number.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for text that is not JSON.
    pub(crate) fn text_of(&self, name: &str) -> Result<Option<Cow<'a, str>>> {
        let Some(value) = self.object.get(name) else { return Ok(None) };
        if self.before.get(name) == Some(value) {
            let stored = self.members.iter().rfind(|member| member.name == name);
            return Ok(stored.map(|member| Cow::Borrowed(member.value)));
        }
        let edited = self.changed_members();
        let changes: Vec<_> = edited.iter().map(ChangedMember::as_change).collect();
        let place = edited.iter().position(|member| member.name == name);
        match place {
            Some(at) => {
                let merge = Merge::new(self.text, None);
                let text = merge.text_of(&self.members, &changes, &changes[at])?;
                Ok(text.map(Cow::Owned))
            }
            None => Ok(Some(Cow::Owned(value.to_string()))),
        }
    }

    /// Sets or removes a member. A value that was made from another text, such as an object from a
    /// list of ids, is written in that text's order.
    pub(crate) fn set(
        &mut self,
        name: &str,
        value: Option<Value>,
        made_from: Option<Cow<'a, str>>,
    ) {
        match value {
            Some(value) => self.object.insert(name.to_owned(), value),
            None => self.object.remove(name),
        };
        if let Some(made_from) = made_from {
            self.made_from.insert(name.to_owned(), made_from);
        }
    }

    /// The edited text.
    pub(crate) fn finish(self) -> Result<String> {
        let edited = self.changed_members();
        if edited.is_empty() {
            return Ok(self.text.to_owned());
        }
        let changes: Vec<_> = edited.iter().map(ChangedMember::as_change).collect();
        Merge::new(self.text, None).finish(&self.members, &changes)
    }

    /// The edited text at a version, which stands first.
    pub(crate) fn finish_at(mut self, version: u32) -> Result<String> {
        self.remove_version();
        let mut edited = self.changed_members();
        edited.push(ChangedMember {
            name: VERSION_MEMBER,
            written: quoted(VERSION_MEMBER),
            before: Some(String::new()),
            after: Some(version.to_string()),
            made_from: None,
        });
        let changes: Vec<_> = edited.iter().map(ChangedMember::as_change).collect();
        Merge::new(self.text, None).finish(&self.members, &changes)
    }

    fn changed_members(&self) -> Vec<ChangedMember<'_>> {
        let made_from = |name: &String| self.made_from.get(name).map(|text| &**text);
        let mut changed = Vec::new();
        for (name, before) in &self.before {
            if !self.object.contains_key(name) {
                changed.push(ChangedMember::new(name, Some(before), None, None));
            }
        }
        for (name, after) in &self.object {
            let before = self.before.get(name);
            if before != Some(after) {
                changed.push(ChangedMember::new(name, before, Some(after), made_from(name)));
            }
        }
        changed
    }
}

/// A member that the edit has changed, as text.
struct ChangedMember<'e> {
    name: &'e str,
    /// The name in quotes.
    written: String,
    before: Option<String>,
    after: Option<String>,
    made_from: Option<&'e str>,
}

impl<'e> ChangedMember<'e> {
    fn new(
        name: &'e str,
        before: Option<&Value>,
        after: Option<&Value>,
        made_from: Option<&'e str>,
    ) -> Self {
        let (before, after) = (before.map(Value::to_string), after.map(Value::to_string));
        Self { name, written: quoted(name), before, after, made_from }
    }

    fn as_change(&self) -> MemberChange<'_> {
        MemberChange {
            written: &self.written,
            before: self.before.as_deref(),
            after: self.after.as_deref(),
            made_from: self.made_from,
        }
    }
}
