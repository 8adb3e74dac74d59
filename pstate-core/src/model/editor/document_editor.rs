//! Changing a document as a tree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::merge::{MemberChange, Merge};
use super::parts::{Member, members, quoted};
use super::same::is_text_of;
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
    /// The members that the edit sees, each once: where it stands, sorted by name.
    by_name: Vec<usize>,
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
        let mut by_name: Vec<usize> =
            (0..members.len()).filter(|at| wanted(&members[*at].name)).collect();
        let member = |at: &usize| Ok((members[*at].name.to_string(), tree(members[*at].value)?));
        let object = by_name.iter().map(member).collect::<Result<Object>>()?;
        // Of several members with the same name the last one counts.
        by_name.sort_by(|one, other| {
            members[*one].name.cmp(&members[*other].name).then(other.cmp(one))
        });
        by_name.dedup_by(|later, kept| members[*later].name == members[*kept].name);
        Ok(Self { text, members, by_name, object, made_from: BTreeMap::new() })
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
        if let Some(stored) = self.stored(name)
            && is_text_of(stored, value)
        {
            return Ok(Some(Cow::Borrowed(stored)));
        }
        let edited = self.changed_members()?;
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
        let edited = self.changed_members()?;
        if edited.is_empty() {
            return Ok(self.text.to_owned());
        }
        let changes: Vec<_> = edited.iter().map(ChangedMember::as_change).collect();
        Merge::new(self.text, None).finish(&self.members, &changes)
    }

    /// The edited text at a version, which stands first.
    pub(crate) fn finish_at(mut self, version: u32) -> Result<String> {
        self.remove_version();
        let mut edited = self.changed_members()?;
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

    /// The text of a member that the edit has seen, as it is stored.
    fn stored(&self, name: &str) -> Option<&'a str> {
        let at = self.by_name.binary_search_by(|at| self.members[*at].name.as_ref().cmp(name));
        at.ok().map(|at| self.members[self.by_name[at]].value)
    }

    fn changed_members(&self) -> Result<Vec<ChangedMember<'_>>> {
        let made_from = |name: &String| self.made_from.get(name).map(|text| &**text);
        let mut changed = Vec::new();
        for member in self.by_name.iter().map(|at| &self.members[*at]) {
            if !self.object.contains_key(&*member.name) {
                changed.push(ChangedMember::new(&member.name, Some(member.value), None, None)?);
            }
        }
        for (name, after) in &self.object {
            let stored = self.stored(name);
            if !stored.is_some_and(|stored| is_text_of(stored, after)) {
                changed.push(ChangedMember::new(name, stored, Some(after), made_from(name))?);
            }
        }
        Ok(changed)
    }
}

fn tree(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(without_content(&error)))
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
        stored: Option<&str>,
        after: Option<&Value>,
        made_from: Option<&'e str>,
    ) -> Result<Self> {
        let before = stored.map(tree).transpose()?.map(|before| before.to_string());
        let after = after.map(Value::to_string);
        Ok(Self { name, written: quoted(name), before, after, made_from })
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
