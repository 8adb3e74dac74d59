//! Changing a document as a value of a type.

use std::cell::LazyCell;

use serde_json::Value;

use super::merge::{Merge, TypeView, changes_between};
use super::parts::members;
use crate::model::error::{Error, ErrorKind, Result};

/// The stored text with what a typed edit has changed: the type's text before and after it.
///
/// `project` reads a document as the type and writes it again. The result is read that way before
/// it is returned, so that what is stored can be read.
///
/// # Errors
/// What `project` reports of the edited text, and [`Unsupported`](crate::ErrorKind::Unsupported)
/// for a change of a list after which it is not clear which of its items are which, if members
/// that the type does not know could be lost.
pub(crate) fn edit_typed(
    stored: &str,
    before: &str,
    after: &str,
    project: &dyn Fn(&str) -> Result<String>,
) -> Result<String> {
    let changes = changes_between(before, after)?;
    if changes.is_empty() {
        return Ok(stored.to_owned());
    }
    let found = members(stored)?;
    let merge = |resolve_aliases| {
        let project = &|text: &str| project(text).ok();
        Merge::new(stored, Some(TypeView { project, resolve_aliases })).finish(&found, &changes)
    };
    // What a type writes it need not read: the result is held to what it makes of its own text.
    let expected = LazyCell::new(|| unordered(&project(after).ok()?));
    let is_faithful =
        |seen: &str| is_same(seen, after) || expected.is_some() && *expected == unordered(seen);
    let text = merge(false)?;
    if project(&text).is_ok_and(|seen| is_faithful(&seen)) {
        return Ok(text);
    }
    // A member that the type reads under another name was added beside it, or not taken away.
    let text = merge(true)?;
    match project(&text) {
        Ok(seen) if is_faithful(&seen) || expected.is_none() => Ok(text),
        Ok(_) => Err(Error::new(
            ErrorKind::Unsupported,
            "the changed document would be read differently from what was changed, and is not \
             stored; change it with `PState::update`",
        )),
        Err(error) => Err(Error::schema(format!(
            "the changed document could not be read again, and is not stored: {}",
            error.message()
        ))),
    }
}

fn is_same(one: &str, other: &str) -> bool {
    let tree = |text| serde_json::from_str::<Value>(text).ok();
    one == other || tree(one).is_some_and(|one| tree(other) == Some(one))
}

/// A text as it is compared where a set is written in another order each time; `None` for what
/// cannot be held as a tree.
fn unordered(text: &str) -> Option<String> {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(items) => {
                items.iter_mut().for_each(sort);
                items.sort_by_cached_key(Value::to_string);
            }
            Value::Object(members) => members.values_mut().for_each(sort),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).ok()?;
    sort(&mut value);
    Some(value.to_string())
}
