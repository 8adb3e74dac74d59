//! References in a document's collection: adding and removing them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::parts::{Kind, items, kind, members, quoted, unquoted};
use super::splice::{Piece, Splice};
use crate::model::error::{Error, ErrorKind, Result};
use crate::model::key::{Key, KeyRef, KeySet};
use crate::model::reference::REF_MEMBER;

/// The document with references added to the collection `member`, behind those that are there.
///
/// An array gets them appended, an object gets each under its id. Without the member, or if it is
/// null, an object is made. References that are there already are left as they are.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) if the member holds something else than a collection
/// of references, [`Conflict`](ErrorKind::Conflict) if an object holds a reference to another
/// document under one of the ids.
pub(crate) fn add_references(document: &str, member: &str, keys: &[Key]) -> Result<String> {
    let Some(collection) = Collection::find(document, member)? else {
        let found = members(document)?;
        let mut added = Vec::with_capacity(keys.len());
        let mut entries = HashMap::new();
        for key in keys {
            if is_new_entry(&mut entries, member, key)? {
                added.push(entry_text(key));
            }
        }
        let text = format!("{{{}}}", added.join(","));
        let mut splice = Splice::new(document);
        // The last of several members with the same name counts.
        if let Some(null) = found.iter().rfind(|found| found.name == member) {
            splice.replace(null.value, vec![Piece::text(text)]);
        } else {
            let elements: Vec<_> =
                found.iter().map(|found| (found.whole_in(document), true)).collect();
            let name = quoted(member);
            let insertion = vec![Piece::text(format!("{name}:{text}"))];
            splice.elements(document, &elements, vec![(elements.len().checked_sub(1), insertion)]);
        }
        return Ok(splice.into_text());
    };
    let last = collection.elements.len().checked_sub(1);
    let mut insertions = Vec::with_capacity(keys.len());
    let mut splice = Splice::new(document);
    match &collection.names {
        None => {
            let mut there: KeySet = collection.references.iter().flatten().cloned().collect();
            for key in keys {
                if there.insert(key.clone()) {
                    insertions.push((last, vec![Piece::text(reference_text(key))]));
                }
            }
        }
        Some(names) => {
            let mut entries: HashMap<Cow<'_, str>, Entry<'_>> = names
                .iter()
                .zip(&collection.references)
                .zip(&collection.values)
                .map(|((name, reference), value)| {
                    let entry = match reference {
                        Some(key) => Entry::Reference(key),
                        None => Entry::Null(value),
                    };
                    (name.clone(), entry)
                })
                .collect();
            for key in keys {
                if let Some(Entry::Null(null)) = entries.get(key.id()) {
                    splice.replace(null, vec![Piece::text(reference_text(key))]);
                    entries.insert(Cow::Borrowed(key.id()), Entry::Reference(key));
                } else if is_new_entry(&mut entries, member, key)? {
                    insertions.push((last, vec![Piece::text(entry_text(key))]));
                }
            }
        }
    }
    let elements: Vec<_> = collection.elements.iter().map(|element| (*element, true)).collect();
    splice.elements(collection.text, &elements, insertions);
    Ok(splice.into_text())
}

/// The document without the references to these documents in the collection `member`, and how
/// many it had; `None` if it has none of them.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) if the member holds something else than a collection
/// of references.
pub(crate) fn remove_references(
    document: &str,
    member: &str,
    keys: &[Key],
) -> Result<Option<(String, usize)>> {
    let Some(collection) = Collection::find(document, member)? else { return Ok(None) };
    let removed: KeySet = keys.iter().cloned().collect();
    let is_kept = |reference: &Option<Key>| {
        reference.as_ref().is_none_or(|reference| !removed.contains(reference))
    };
    let count = collection.references.iter().filter(|reference| !is_kept(reference)).count();
    if count == 0 {
        return Ok(None);
    }
    let kept = collection.references.iter().map(is_kept);
    let elements: Vec<_> = collection.elements.iter().copied().zip(kept).collect();
    let mut splice = Splice::new(document);
    splice.elements(collection.text, &elements, Vec::new());
    Ok(Some((splice.into_text(), count)))
}

/// A member that holds references, taken apart.
struct Collection<'t> {
    text: &'t str,
    /// The names of an object's entries.
    names: Option<Vec<Cow<'t, str>>>,
    elements: Vec<&'t str>,
    values: Vec<&'t str>,
    /// What each element leads to; `None` for null.
    references: Vec<Option<Key>>,
}

impl<'t> Collection<'t> {
    /// The collection in a member; `None` without the member, or if it is null.
    fn find(document: &'t str, member: &str) -> Result<Option<Self>> {
        let found = members(document)?;
        let Some(text) = found.iter().rfind(|found| found.name == member).map(|it| it.value) else {
            return Ok(None);
        };
        let refuse = |what: &str| {
            Err(Error::invalid_input(format!(
                "member `{member}` is not a collection of references, it holds {what}; \
                 nothing is stored"
            )))
        };
        let (names, elements, values) = match kind(text) {
            Kind::Scalar if text == "null" => return Ok(None),
            Kind::Scalar => return refuse("a single value"),
            Kind::Array => {
                let items = items(text)?;
                (None, items.clone(), items)
            }
            Kind::Object => {
                let entries = members(text)?;
                if entries.iter().any(|entry| entry.name == REF_MEMBER) {
                    return refuse("a single reference");
                }
                let elements = entries.iter().map(|entry| entry.whole_in(text)).collect();
                let (names, values) =
                    entries.into_iter().map(|entry| (entry.name, entry.value)).unzip();
                (Some(names), elements, values)
            }
        };
        let mut references = Vec::with_capacity(values.len());
        for value in &values {
            match reference(value)? {
                Some(found) => references.push(found),
                None => return refuse("something else than references"),
            }
        }
        Ok(Some(Self { text, names, elements, values, references }))
    }
}

/// An entry of an object of references.
enum Entry<'t> {
    Reference(&'t Key),
    Null(&'t str),
}

/// Whether an object gets an entry for a key: not if it has it already.
fn is_new_entry<'t>(
    entries: &mut HashMap<Cow<'t, str>, Entry<'t>>,
    member: &str,
    key: &'t Key,
) -> Result<bool> {
    if key.id() == REF_MEMBER {
        let why = format!("the id `{REF_MEMBER}` cannot stand in a collection");
        return Err(Error::invalid_input(why).at_key(key));
    }
    match entries.insert(Cow::Borrowed(key.id()), Entry::Reference(key)) {
        Some(Entry::Reference(other)) if other != key => {
            let why = format!(
                "`{member}` holds a reference to another document under the id `{}`; \
                 nothing is stored",
                key.id()
            );
            Err(Error::new(ErrorKind::Conflict, why).at_key(key))
        }
        before => Ok(before.is_none()),
    }
}

/// What a value leads to: `Some(None)` for null, `None` if it is no reference.
fn reference(value: &str) -> Result<Option<Option<Key>>> {
    if value == "null" {
        return Ok(Some(None));
    }
    if kind(value) != Kind::Object {
        return Ok(None);
    }
    let members = members(value)?;
    let found = members.iter().rfind(|member| member.name == REF_MEMBER);
    let Some(text) = found.map(|member| member.value).filter(|text| text.starts_with('"')) else {
        return Ok(None);
    };
    Ok(KeyRef::parse(&unquoted(text)?).ok().map(|key| Some(key.to_key())))
}

fn reference_text(key: &Key) -> String {
    format!("{{\"{REF_MEMBER}\":{}}}", quoted(key.as_str()))
}

fn entry_text(key: &Key) -> String {
    format!("{}:{}", quoted(key.id()), reference_text(key))
}
