//! Ready-made migrations for the changes that schemas go through most.
//!
//! | the change | for a field | for a whole document |
//! |---|---|---|
//! | a list of ids becomes a collection | [`ids_to_refs`], [`ids_to_ref_list`] | |
//! | a nested object is flattened | [`from_path`] | [`flatten`] |
//! | a member is renamed | [`renamed_from`] | [`rename`] |
//! | a type changes | [`parse_integer`], [`parse_float`], [`parse_boolean`], [`to_text`], [`split_text`], [`wrap_text`] | |
//! | a new required field | [`constant`], or any closure with the whole document | |
//!
//! The ones for a field go into [`Field::migrate`](super::Field::migrate), those for a whole
//! document into [`Entity::step`](super::Entity::step). Reading brings a document up to date:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> pstate_core::Result<()> {
//! use std::sync::Arc;
//! use pstate_core::schema::{Entity, Schema, has_many, patterns, string};
//! use pstate_core::{MemoryAdapter, PState};
//! use serde_json::json;
//!
//! let schema = Schema::new([Entity::new("deck", 2)
//!     .field(string("name").required())
//!     .field(has_many("cards", "card").migrate(patterns::ids_to_refs))
//!     .step(1, 2, patterns::rename("title", "name"))])?;
//! let pstate = PState::builder(Arc::new(MemoryAdapter::new())).schema(schema).build()?;
//!
//! pstate.put_at(1, "deck:es", &json!({"title": "Spanish", "cards": ["hola"]})).await?;
//! assert_eq!(
//!     pstate.get("deck:es").await?.unwrap().as_str(),
//!     r#"{"$v":2,"cards":{"hola":{"$ref":"card:hola"}},"name":"Spanish"}"#
//! );
//! # Ok(())
//! # }
//! ```

use std::any::TypeId;

use serde_json::{Value, json};

use super::field::OldField;
use super::member_step::{MemberStep, answer, ask};
use super::step::StepError;
use crate::model::editor::items;
use crate::model::{Key, Object};

type FieldResult = Result<Option<Value>, StepError>;

/// A list of ids becomes a collection of references: `["a"]` to `{"a": {"$ref": "card:a"}}`.
///
/// The references stand in the order of the list, which [`follow`](crate::Loaded::follow) and a
/// preload's `limit` keep. Entries may be ids or whole keys of the declared type; numbers are taken
/// as they are written. A missing or null list becomes an empty collection.
///
/// Use it where a child is looked up, added and removed by its id: an object holds each id once.
/// Where the same child may stand in the list twice, or programs in other languages, which need not
/// keep the order of an object, depend on the order, use [`ids_to_ref_list`].
///
/// ```
/// use pstate_core::schema::{Entity, Schema, has_many, patterns};
///
/// let schema = Schema::new([Entity::new("deck", 2)
///     .field(has_many("cards", "card").migrate(patterns::ids_to_refs))])?;
/// assert_eq!(
///     schema.migrate_text("deck", r#"{"cards":["hola",7]}"#)?,
///     r#"{"$v":2,"cards":{"hola":{"$ref":"card:hola"},"7":{"$ref":"card:7"}}}"#
/// );
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn ids_to_refs(old: &OldField<'_>) -> FieldResult {
    let mut collection = Object::new();
    for key in keys_in_list(old, "ids_to_refs")? {
        collection.insert(key.id().to_owned(), json!({ "$ref": key }));
    }
    Ok(Some(Value::Object(collection)))
}

/// A list of ids becomes a list of references: `["a"]` to `[{"$ref": "card:a"}]`.
///
/// Each entry becomes a reference, in the same order, duplicates included; see [`ids_to_refs`] for
/// which of the two to use, and for what an entry may be. A missing or null list becomes an empty
/// one.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, has_many, patterns};
///
/// let schema = Schema::new([Entity::new("deck", 2)
///     .field(has_many("cards", "card").migrate(patterns::ids_to_ref_list))])?;
/// assert_eq!(
///     schema.migrate_text("deck", r#"{"cards":["hola",7,"hola"]}"#)?,
///     r#"{"$v":2,"cards":[{"$ref":"card:hola"},{"$ref":"card:7"},{"$ref":"card:hola"}]}"#
/// );
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn ids_to_ref_list(old: &OldField<'_>) -> FieldResult {
    let keys = keys_in_list(old, "ids_to_ref_list")?;
    Ok(Some(keys.into_iter().map(|key| json!({ "$ref": key })).collect()))
}

/// The keys of the declared type that a list of ids names.
fn keys_in_list(old: &OldField<'_>, pattern: &str) -> Result<Vec<Key>, StepError> {
    let Some(target) = old.field.field_type().target() else {
        return Err(format!("{pattern} is for `has_many` fields").into());
    };
    let ids = match old.value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(ids)) => ids,
        Some(other) => return Err(format!("expected a list of ids, found {}", kind(other)).into()),
    };
    // A number may have more digits than its value.
    let texts = old.text.map(items).transpose()?.unwrap_or_default();
    let key = |(at, id): (usize, &Value)| {
        let text = match (id, texts.get(at)) {
            (Value::String(text), _) => text.clone(),
            (Value::Number(_), Some(text)) => (*text).to_owned(),
            (Value::Number(number), None) => number.to_string(),
            (other, _) => {
                return Err(format!("item {at}: expected an id, found {}", kind(other)).into());
            }
        };
        let id = text.strip_prefix(target).and_then(|rest| rest.strip_prefix(':')).unwrap_or(&text);
        Key::new(target, id).map_err(|_| format!("item {at}: the text is no id").into())
    };
    ids.iter().enumerate().map(key).collect()
}

/// The value found by following members from the top of the document: `"metadata.author"`.
///
/// The place it is taken from stays as it is. If there is nothing, the field is left out.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, patterns, string};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("deck", 2)
///     .field(string("author").migrate(patterns::from_path("metadata.author")))])?;
/// assert_eq!(
///     schema.migrate("deck", &json!({"metadata": {"author": "Ana"}}))?,
///     json!({"$v": 2, "author": "Ana", "metadata": {"author": "Ana"}})
/// );
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn from_path(path: &str) -> impl Fn(&OldField<'_>) -> FieldResult + Send + Sync + 'static {
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    move |old| {
        let mut members = path.iter();
        let first = members.next().and_then(|member| old.document.get(member));
        Ok(members.fold(first, |value, member| value?.get(member)).cloned())
    }
}

/// The value of the member that had this name before.
///
/// The old member stays, so that a program of the older version still finds it; a later step
/// with [`remove`] cleans up. To move it at once, use [`rename`].
///
/// ```
/// use pstate_core::schema::{Entity, Schema, patterns, string};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("deck", 2)
///     .field(string("name").required().migrate(patterns::renamed_from("title")))])?;
/// assert_eq!(
///     schema.migrate("deck", &json!({"title": "Spanish"}))?,
///     json!({"$v": 2, "name": "Spanish", "title": "Spanish"})
/// );
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn renamed_from(
    old_name: &str,
) -> impl Fn(&OldField<'_>) -> FieldResult + Send + Sync + 'static {
    let old_name = old_name.to_owned();
    move |old| Ok(old.document.get(&old_name).cloned())
}

/// Text becomes a whole number: `"12"` to `12`. A missing or null value stays out.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, integer, patterns};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("card", 2)
///     .field(integer("rank").migrate(patterns::parse_integer))])?;
/// assert_eq!(schema.migrate("card", &json!({"rank": " 12"}))?, json!({"$v": 2, "rank": 12}));
/// assert!(schema.migrate("card", &json!({"rank": "first"})).is_err());
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn parse_integer(old: &OldField<'_>) -> FieldResult {
    match old.value {
        Some(Value::Number(number)) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "within +-2^53 it is exact")]
            Some(float) if float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 => {
                Ok(Some(json!(float as i64)))
            }
            _ => Err("the number is not whole".into()),
        },
        _ => parse(old, "a whole number", |text| {
            text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from))
        }),
    }
}

/// Text becomes a number: `"1.5"` to `1.5`. A missing or null value stays out.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, float, patterns};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("card", 2)
///     .field(float("ease").migrate(patterns::parse_float))])?;
/// assert_eq!(schema.migrate("card", &json!({"ease": "2.5"}))?, json!({"$v": 2, "ease": 2.5}));
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn parse_float(old: &OldField<'_>) -> FieldResult {
    parse(old, "a number", |text| match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::from(number)),
        _ => Err(()),
    })
}

/// `"true"`, `"yes"`, `"on"`, `"1"` and `1` become `true`, their opposites `false`. A missing or
/// null value stays out.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, boolean, patterns};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("card", 2)
///     .field(boolean("known").migrate(patterns::parse_boolean))])?;
/// assert_eq!(schema.migrate("card", &json!({"known": "Yes"}))?, json!({"$v": 2, "known": true}));
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn parse_boolean(old: &OldField<'_>) -> FieldResult {
    match old.value.and_then(Value::as_u64) {
        Some(number @ (0 | 1)) => Ok(Some(json!(number == 1))),
        _ => parse(old, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
            _ => Err(()),
        }),
    }
}

/// A number or boolean becomes its text, as it is written: `12.50` becomes `"12.50"`. A missing or
/// null value stays out.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, patterns, string};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("card", 2)
///     .field(string("code").migrate(patterns::to_text))])?;
/// assert_eq!(schema.migrate("card", &json!({"code": 42}))?, json!({"$v": 2, "code": "42"}));
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn to_text(old: &OldField<'_>) -> FieldResult {
    match old.value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let text = old.text.map_or_else(|| number.to_string(), str::to_owned);
            Ok(Some(Value::String(text)))
        }
        Some(Value::Bool(boolean)) => Ok(Some(Value::String(boolean.to_string()))),
        Some(other) => Err(format!("{} has no plain text", kind(other)).into()),
    }
}

/// Text becomes a list of its parts, trimmed, without empty ones: `"a, b"` to `["a", "b"]`. A
/// missing or null value becomes an empty list.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, list, patterns};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("deck", 2)
///     .field(list("tags").migrate(patterns::split_text(",")))])?;
/// let deck = schema.migrate("deck", &json!({"tags": "a, b,"}))?;
/// assert_eq!(deck, json!({"$v": 2, "tags": ["a", "b"]}));
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn split_text(
    separator: &str,
) -> impl Fn(&OldField<'_>) -> FieldResult + Send + Sync + 'static {
    let separator = separator.to_owned();
    move |old| match old.value {
        None | Some(Value::Null) => Ok(Some(json!([]))),
        Some(Value::String(text)) => {
            let parts = text.split(&*separator).map(str::trim).filter(|part| !part.is_empty());
            Ok(Some(parts.collect()))
        }
        Some(other) => Err(format!("expected text, found {}", kind(other)).into()),
    }
}

/// Text becomes an object with one member: `"by hand"` to `{"note": "by hand"}`. A missing or
/// null value becomes an empty object.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, map, patterns};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("deck", 2)
///     .field(map("metadata").migrate(patterns::wrap_text("note")))])?;
/// assert_eq!(
///     schema.migrate("deck", &json!({"metadata": "by hand"}))?,
///     json!({"$v": 2, "metadata": {"note": "by hand"}})
/// );
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn wrap_text(member: &str) -> impl Fn(&OldField<'_>) -> FieldResult + Send + Sync + 'static {
    let member = member.to_owned();
    move |old| match old.value {
        None | Some(Value::Null) => Ok(Some(json!({}))),
        Some(text @ Value::String(_)) => Ok(Some(json!({ member.as_str(): text }))),
        Some(other) => Err(format!("expected text, found {}", kind(other)).into()),
    }
}

/// A new field with the same value in every older document that has none.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, integer, patterns};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("card", 2)
///     .field(integer("reviews").required().migrate(patterns::constant(json!(0))))])?;
/// assert_eq!(schema.migrate("card", &json!({}))?, json!({"$v": 2, "reviews": 0}));
/// # Ok::<(), pstate_core::Error>(())
/// ```
///
/// A value that depends on the document is a closure:
///
/// ```
/// use pstate_core::schema::{Entity, Schema, string};
/// use serde_json::json;
///
/// let script = string("script").required().migrate(|old| {
///     let front = old.document.get("front").and_then(|front| front.as_str()).ok_or("no front")?;
///     Ok(Some(json!(if front.is_ascii() { "latin" } else { "other" })))
/// });
/// let schema = Schema::new([Entity::new("card", 2).field(script)])?;
/// assert_eq!(
///     schema.migrate("card", &json!({"front": "hola"}))?,
///     json!({"$v": 2, "front": "hola", "script": "latin"})
/// );
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn constant(value: Value) -> impl Fn(&OldField<'_>) -> FieldResult + Send + Sync + 'static {
    // A value of another type is not replaced by a default: that would lose it.
    move |old| match old.value {
        None | Some(Value::Null) => Ok(Some(value.clone())),
        Some(other) => Err(format!("holds {} already", kind(other)).into()),
    }
}

/// A whole-document step: the member `from` is called `to` from now on.
///
/// A document without `from` is left alone; one that has both fails.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, patterns, string};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("deck", 2)
///     .field(string("name").required())
///     .step(1, 2, patterns::rename("title", "name"))
///     .down(3, 2, patterns::rename("label", "name"))])?;
/// let now = json!({"$v": 2, "name": "Spanish"});
/// assert_eq!(schema.migrate("deck", &json!({"$v": 1, "title": "Spanish"}))?, now);
/// assert_eq!(schema.migrate("deck", &json!({"$v": 3, "label": "Spanish"}))?, now);
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn rename(
    from: &str,
    to: &str,
) -> impl Fn(&mut Object) -> Result<(), StepError> + Send + Sync + 'static {
    let (from, to) = (from.to_owned(), to.to_owned());
    move |document| {
        if answer(|| MemberStep::Rename { from: from.clone(), to: to.clone() }) {
            return Ok(());
        }
        if document.contains_key(&from) && document.contains_key(&to) {
            return Err(format!("both `{from}` and `{to}` are there").into());
        }
        if let Some(value) = document.remove(&from) {
            document.insert(to.clone(), value);
        }
        Ok(())
    }
}

/// A whole-document step: the members of the object `member` become members of the document.
///
/// A document without `member` is left alone; one in which a name is taken already fails.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, patterns, string};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("deck", 2)
///     .field(string("author"))
///     .step(1, 2, patterns::flatten("metadata"))])?;
/// assert_eq!(
///     schema.migrate("deck", &json!({"$v": 1, "metadata": {"author": "Ana"}}))?,
///     json!({"$v": 2, "author": "Ana"})
/// );
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn flatten(
    member: &str,
) -> impl Fn(&mut Object) -> Result<(), StepError> + Send + Sync + 'static {
    let member = member.to_owned();
    move |document| match document.remove(&member) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(inner)) => {
            for (name, value) in inner {
                if document.contains_key(&name) {
                    return Err(
                        format!("`{member}` holds a member that the document has already").into()
                    );
                }
                document.insert(name, value);
            }
            Ok(())
        }
        Some(other) => Err(format!("`{member}` holds {}, not an object", kind(&other)).into()),
    }
}

/// A whole-document step: the member is gone from now on.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, patterns};
/// use serde_json::json;
///
/// let schema = Schema::new([Entity::new("deck", 3).step(2, 3, patterns::remove("title"))])?;
/// assert_eq!(schema.migrate("deck", &json!({"$v": 2, "title": "x"}))?, json!({"$v": 3}));
/// # Ok::<(), pstate_core::Error>(())
/// ```
pub fn remove(
    member: &str,
) -> impl Fn(&mut Object) -> Result<(), StepError> + Send + Sync + 'static {
    let member = member.to_owned();
    move |document| {
        if !answer(|| MemberStep::Remove(member.clone())) {
            document.remove(&member);
        }
        Ok(())
    }
}

/// What a step does if it is one of the patterns that only name members.
pub(super) fn member_step<F>(run: &F) -> Option<MemberStep>
where
    F: Fn(&mut Object) -> Result<(), StepError> + 'static,
{
    let patterns = [type_of(&rename("", "")), type_of(&remove(""))];
    if !patterns.contains(&TypeId::of::<F>()) {
        return None;
    }
    ask(|| _ = run(&mut Object::new()))
}

/// Whether the migration of a field is one of the patterns that look at nothing but its value, and
/// make a scalar of it.
pub(super) fn looks_at_its_value(migration: TypeId) -> bool {
    [type_of(&parse_integer), type_of(&parse_float), type_of(&parse_boolean), type_of(&to_text)]
        .contains(&migration)
}

fn type_of<T: 'static>(_: &T) -> TypeId {
    TypeId::of::<T>()
}

fn parse<E>(
    old: &OldField<'_>,
    expected: &str,
    parse: impl Fn(&str) -> Result<Value, E>,
) -> FieldResult {
    match old.value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => match parse(text.trim()) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(format!("the text is not {expected}").into()),
        },
        Some(other) => Err(format!("expected text, found {}", kind(other)).into()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
