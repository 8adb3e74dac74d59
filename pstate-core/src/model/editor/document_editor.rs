//! Changing a document as a tree.

use std::collections::BTreeMap;

use serde_json::Value;

use super::merge::{MemberChange, Merge};
use super::parts::{Member, members};
use crate::model::error::{Error, Result};
use crate::model::json::{Object, VERSION_MEMBER, without_content};

/// A document under edit, beside its text.
///
/// What the edit leaves alone keeps its text, byte for byte, at every depth. A value that the edit
/// moves to another member keeps its text as well.
#[derive(Debug)]
pub(crate) struct DocumentEditor<'a> {
    text: &'a str,
    /// The members that the edit sees, as they are written.
    members: Vec<Member<'a>>,
    before: Object,
    object: Object,
    /// The texts that values of members were made from.
    made_from: BTreeMap<String, String>,
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
        let mut members = members(text)?;
        members.retain(|member| wanted(&member.name));
        let mut before = Object::new();
        for member in &members {
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
    pub(crate) fn text_of(&self, name: &str) -> Result<Option<String>> {
        let Some(value) = self.object.get(name) else { return Ok(None) };
        if self.before.get(name) == Some(value) {
            let stored = self.members.iter().rfind(|member| member.name == name);
            return Ok(stored.map(|member| member.value.to_owned()));
        }
        let changed = self.changed_members();
        let changes = changes(&changed, &self.made_from);
        let place = changed.iter().position(|changed| changed.name == name);
        match place {
            Some(at) => Merge::new(self.text, None).text_of(&changes, &changes[at]),
            None => Ok(Some(value.to_string())),
        }
    }

    /// Sets or removes a member. A value that was made from another text, such as an object from a
    /// list of ids, is written in that text's order.
    pub(crate) fn set(&mut self, name: &str, value: Option<Value>, made_from: Option<String>) {
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
        let changed = self.changed_members();
        if changed.is_empty() {
            return Ok(self.text.to_owned());
        }
        Merge::new(self.text, None).finish(&changes(&changed, &self.made_from))
    }

    /// The edited text at a version, which stands first.
    pub(crate) fn finish_at(mut self, version: u32) -> Result<String> {
        self.remove_version();
        let mut changed = self.changed_members();
        changed.push(ChangedMember {
            name: VERSION_MEMBER.to_owned(),
            written: format!("\"{VERSION_MEMBER}\""),
            before: Some(String::new()),
            after: Some(version.to_string()),
        });
        Merge::new(self.text, None).finish(&changes(&changed, &self.made_from))
    }

    fn changed_members(&self) -> Vec<ChangedMember> {
        let gone = self.before.iter().filter(|(name, _)| !self.object.contains_key(*name));
        let gone = gone.map(|(name, before)| ChangedMember::new(name, Some(before), None));
        let changed = self.object.iter().filter_map(|(name, after)| {
            let before = self.before.get(name);
            (before != Some(after)).then(|| ChangedMember::new(name, before, Some(after)))
        });
        gone.chain(changed).collect()
    }
}

/// A member that the edit has changed, as text.
struct ChangedMember {
    name: String,
    written: String,
    before: Option<String>,
    after: Option<String>,
}

impl ChangedMember {
    fn new(name: &str, before: Option<&Value>, after: Option<&Value>) -> Self {
        Self {
            name: name.to_owned(),
            written: Value::String(name.to_owned()).to_string(),
            before: before.map(Value::to_string),
            after: after.map(Value::to_string),
        }
    }
}

fn changes<'t>(
    changed: &'t [ChangedMember],
    made_from: &'t BTreeMap<String, String>,
) -> Vec<MemberChange<'t>> {
    let change = |changed: &'t ChangedMember| MemberChange {
        written: &changed.written,
        before: changed.before.as_deref(),
        after: changed.after.as_deref(),
        made_from: made_from.get(&changed.name).map(String::as_str),
    };
    changed.iter().map(change).collect()
}
