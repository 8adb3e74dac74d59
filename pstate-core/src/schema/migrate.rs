//! Bringing documents up to the schema's version. Pure: text in, text out.

use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeSeed;
use serde_json::Value;

use super::check::{DocumentCheck, FieldCheck};
use super::entity::Entity;
use super::field::OldField;
use super::quick;
use super::schema::Schema;
use super::step::{Step, StepError, reason_text};
use super::written_text::WrittenText;
use crate::model::json::{validate, without_content};
use crate::model::written::{MAX_DEPTH, is_too_deep};
use crate::model::{DocumentEditor, Error, Result, VERSION_MEMBER};
use crate::runtime::run_step;

/// What a schema makes of a document that was read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// It is served as it is stored.
    AsStored,
    /// It was older: the current text, to be served and written back.
    Migrated(String),
    /// It is newer: its text as the schema's version shows it, to be served and never written.
    Downgraded(String),
    /// It could not be migrated, and is served as it is stored, by option.
    Unmigrated(Error),
}

/// Decides what a read returns for a document of a type, stored as `text` at `version`.
pub(crate) fn read(
    schema: &Schema,
    entity_type: &str,
    text: &str,
    version: u32,
) -> Result<Reading> {
    let Some(entity) = schema.governing(entity_type)? else { return Ok(Reading::AsStored) };
    let current = entity.version();
    match version.cmp(&current) {
        Ordering::Equal => Ok(Reading::AsStored),
        Ordering::Less => match upgrade(entity, text, version) {
            Ok(text) => Ok(Reading::Migrated(text)),
            Err(error) if schema.serves_original() => Ok(Reading::Unmigrated(error)),
            Err(error) => Err(error),
        },
        Ordering::Greater => match entity.steps_down(version) {
            Some(steps) => match migrate(entity, text, |editor| run_steps(editor, steps))
                .map_err(|error| between(version, entity, &error))
            {
                Ok(text) => Ok(Reading::Downgraded(text)),
                Err(error) if schema.serves_original() => Ok(Reading::Unmigrated(error)),
                Err(error) => Err(error),
            },
            None if schema.refuses_newer() => Err(Error::schema(format!(
                "version {version} is newer than the schema's {current}, \
                 and newer documents are refused"
            ))),
            None => Ok(Reading::AsStored),
        },
    }
}

impl Schema {
    /// What a read returns for a document of this type that is stored like this, for tests of
    /// migrations. Reads and writes nothing.
    ///
    /// ```
    /// use pstate_core::schema::{Entity, Schema, patterns};
    /// use serde_json::json;
    ///
    /// let deck = Entity::new("deck", 2).step(1, 2, patterns::rename("title", "name"));
    /// let schema = Schema::new([deck])?;
    /// assert_eq!(
    ///     schema.migrate("deck", &json!({"$v": 1, "title": "Spanish"}))?,
    ///     json!({"$v": 2, "name": "Spanish"})
    /// );
    /// # Ok::<(), pstate_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`PState::get`](crate::PState::get) about a document that was found.
    pub fn migrate(&self, entity_type: &str, document: &Value) -> Result<Value> {
        let text = self.migrate_text(entity_type, &document.to_string())?;
        serde_json::from_str(&text).map_err(|error| Error::corrupt(without_content(&error)))
    }

    /// [`migrate`](Self::migrate) for the text that is stored, so that what a tree does not keep
    /// can be seen as well: numbers with more digits than a double has, the order of members.
    ///
    /// # Errors
    /// Those of [`PState::get`](crate::PState::get) about a document that was found.
    pub fn migrate_text(&self, entity_type: &str, stored: &str) -> Result<String> {
        let version = validate(stored.as_bytes())?.unwrap_or(0);
        match read(self, entity_type, stored, version)? {
            Reading::AsStored | Reading::Unmigrated(_) => Ok(stored.to_owned()),
            Reading::Migrated(text) | Reading::Downgraded(text) => Ok(text),
        }
    }
}

/// The text to store for a document that is put: checked, at the current version.
///
/// A text whose `version` is older is migrated first, so that nothing is stamped as something that
/// it is not. One that says it is newer is refused.
pub(crate) fn stamp(entity: &Entity, written: WrittenText) -> Result<String> {
    let WrittenText { text, version, fits } = written;
    let current = entity.version();
    // A text of another version need not fit the declaration.
    match version {
        Some(version) if version < current => return upgrade(entity, &text, version),
        Some(version) if version > current => {
            return Err(Error::schema(format!(
                "says it is version {version}, newer than the schema's {current}; \
                 it is not overwritten with an older shape"
            )));
        }
        _ if fits => {}
        _ => check(entity, &text)?,
    }
    if version.is_none() {
        return Ok(with_version(current, text));
    }
    let begins = format!("{{\"{VERSION_MEMBER}\":{current}");
    let rest = text.strip_prefix(&begins).unwrap_or_default();
    match rest.as_bytes() {
        [b',' | b'}', ..] => Ok(text),
        _ => migrate(entity, &text, |_| Ok(())),
    }
}

/// Why a document that is stored at a newer version is not replaced.
pub(crate) fn newer_is_kept(stored: u32, current: u32) -> String {
    format!(
        "is stored at version {stored}, newer than the schema's {current}; \
         it is not overwritten with an older shape"
    )
}

/// The text to store for a document of an older shape, which is not checked against the schema.
pub(crate) fn stamp_at(version: u32, text: String, found: Option<u32>) -> Result<String> {
    match found {
        None => Ok(with_version(version, text)),
        Some(found) if found == version => Ok(text),
        Some(found) => {
            Err(Error::invalid_input(format!("says it is version {found}, not {version}")))
        }
    }
}

/// The `$v` of a document that a caller hands in.
pub(crate) fn validate_input(text: &str) -> Result<Option<u32>> {
    validate(text.as_bytes()).map_err(|error| Error::invalid_input(error.message()))
}

/// Inserts `$v` in front of the first member. The text is an object without `$v`.
fn with_version(version: u32, mut text: String) -> String {
    let begin = text.len() - text.trim_ascii_start().len();
    let is_empty = text[begin + 1..].trim_ascii_start().starts_with('}');
    let comma = if is_empty { "" } else { "," };
    text.replace_range(..=begin, &format!("{{\"{VERSION_MEMBER}\":{version}{comma}"));
    text
}

fn check(entity: &Entity, text: &str) -> Result<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    DocumentCheck(entity)
        .deserialize(&mut json)
        .map_err(|error| Error::schema(without_content(&error)))
}

/// The text of an older document at the entity's version.
pub(crate) fn upgrade(entity: &Entity, text: &str, version: u32) -> Result<String> {
    let Some(steps) = entity.steps_up(version) else {
        return Err(Error::schema(format!(
            "version {version} is older than the oldest kept step, which begins at version {}",
            entity.oldest_kept()
        )));
    };
    if let Some(text) = quick::upgrade(entity, steps, text) {
        return Ok(text);
    }
    upgrade_as_tree(entity, steps, text).map_err(|error| between(version, entity, &error))
}

fn upgrade_as_tree(entity: &Entity, steps: &[Step], text: &str) -> Result<String> {
    migrate(entity, text, |editor| {
        run_steps(editor, steps)?;
        migrate_fields(editor, entity)
    })
}

/// The error of a migration, with the versions that it was to lead from and to.
fn between(version: u32, entity: &Entity, error: &Error) -> Error {
    let why = format!("from version {version} to {}: {}", entity.version(), error.message());
    Error::new(error.kind(), why)
}

fn migrate(
    entity: &Entity,
    text: &str,
    run: impl FnOnce(&mut DocumentEditor<'_>) -> Result<()>,
) -> Result<String> {
    // Steps see no version: it is not theirs to read or to set.
    let mut editor = DocumentEditor::open_without_version(text)?;
    run(&mut editor)?;
    DocumentCheck(entity).deserialize(editor.object()).map_err(|error| {
        Error::schema(format!("after its migration: {}", without_content(&error)))
    })?;
    let text = editor.finish_at(entity.version())?;
    if is_too_deep(&text) {
        let why = format!("after its migration: nested more than {MAX_DEPTH} levels deep");
        return Err(Error::schema(why));
    }
    Ok(text)
}

fn run_steps(editor: &mut DocumentEditor<'_>, steps: &[Step]) -> Result<()> {
    for step in steps {
        guarded(|| step.run(editor.object_mut())).map_err(|reason| {
            Error::schema(format!("migration step {} -> {}: {reason}", step.from, step.to))
        })?;
        editor.remove_version();
    }
    Ok(())
}

/// Runs the migrations of the fields that do not fit. Each sees the same document, so their order
/// does not matter.
fn migrate_fields(editor: &mut DocumentEditor<'_>, entity: &Entity) -> Result<()> {
    let document = editor.object();
    let mut changes = Vec::new();
    for field in entity.fields() {
        let value = document.get(field.name());
        let fits = value.is_some_and(|value| FieldCheck::new(field).deserialize(value).is_ok());
        if let Some(migrate) = field.migration().filter(|_| !fits) {
            let text = editor.text_of(field.name())?;
            let old = OldField { value, text: text.as_deref(), document, field };
            let new = guarded(|| migrate(&old)).map_err(|reason| {
                Error::schema(format!("migration of field `{}`: {reason}", field.name()))
            })?;
            changes.push((field.name(), new, text));
        }
    }
    for (name, new, made_from) in changes {
        editor.set(name, new, made_from);
    }
    Ok(())
}

/// Runs a user's step; a panic in it is a failed step.
fn guarded<T>(step: impl FnOnce() -> Result<T, StepError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(|| run_step(step))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(reason)) => Err(reason_text(&reason)),
        Err(_) => Err("it panicked".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::Object;
    use crate::schema::{
        FailedMigrations, NewerDocuments, UndeclaredTypes, float, has_many, integer, list,
        patterns, string,
    };

    fn read(schema: &Schema, text: &str) -> Result<Reading> {
        let version = validate(text.as_bytes()).unwrap().unwrap_or(0);
        super::read(schema, "deck", text, version)
    }

    fn read_with(schema: &Schema, text: &str) -> Result<String> {
        match read(schema, text)? {
            Reading::AsStored | Reading::Unmigrated(_) => Ok(text.to_owned()),
            Reading::Migrated(text) | Reading::Downgraded(text) => Ok(text),
        }
    }

    /// Documents with what a migration by the text leaves to the tree, and without.
    fn documents() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            "[0-9]{1,18}",
            "-?[1-9][0-9]{14,21}",
            any::<f64>()
                .prop_filter("finite", |n| n.is_finite())
                .prop_map(|n| json!(n).to_string()),
            (0_u32..1_000).prop_map(|n| json!(f64::from(n) / 10.0 + 1.3).to_string()),
            Just("1.50".to_owned()),
            Just("1e3".to_owned()),
            Just("1e999".to_owned()),
            Just("null".to_owned()),
            Just("true".to_owned()),
            "\"[ 0-9e.]{0,4}\"",
            Just(r#""\n\"""#.to_owned()),
            Just(r#""\ud800""#.to_owned()),
            Just(r#"{"b":1,"a":[2, 3]}"#.to_owned()),
            Just(r#"[{"$ref":"card:1"},null]"#.to_owned()),
        ];
        let name = prop_oneof![
            6 => "[abcd]",
            1 => Just("$v".to_owned()),
            1 => Just("\\u0061".to_owned()),
            1 => Just("e\\n".to_owned()),
        ];
        let version = prop_oneof![4 => Just(r#""$v":1"#), 1 => Just("")];
        let member = (name, value, prop_oneof![9 => Just(""), 1 => Just(" ")]);
        (version, prop::collection::vec(member, 0..6)).prop_map(|(version, members)| {
            let mut texts: Vec<String> = Vec::new();
            if !version.is_empty() {
                texts.push(version.to_owned());
            }
            texts.extend(
                members
                    .into_iter()
                    .filter(|(name, ..)| name != "$v" || version.is_empty())
                    .map(|(name, value, space)| format!("\"{name}\":{space}{value}")),
            );
            format!("{{{}}}", texts.join(","))
        })
    }

    proptest! {
        #[test]
        fn a_migration_by_the_text_gives_what_one_by_the_tree_gives(
            text in documents(),
            names in prop::collection::vec("[abcd]", 4),
            required in any::<bool>(),
        ) {
            let [from, to, gone, field] = &names[..] else { unreachable!() };
            let typed = [
                integer(field).migrate(patterns::parse_integer),
                float(field).migrate(patterns::parse_float),
                string(field).migrate(patterns::to_text),
                has_many(field, "card"),
            ];
            for field in typed {
                let field = if required { field.required() } else { field };
                let entity = Entity::new("deck", 4)
                    .field(field)
                    .step(1, 2, patterns::rename(from, to))
                    .step(2, 3, patterns::remove(gone))
                    .step(3, 4, patterns::rename(to, "z"));
                let steps = entity.steps_up(1).unwrap();
                if let Some(quick) = quick::upgrade(&entity, steps, &text) {
                    let by_tree = upgrade_as_tree(&entity, steps, &text);
                    prop_assert_eq!(by_tree.unwrap(), quick, "{}", text);
                }
            }
        }
    }

    #[test]
    fn patterns_take_no_tree_and_closures_do() {
        let text = r#"{"$v":1,"rank":"12","text":"a \"b\"","cards":[{"$ref":"card:1"}]}"#;
        let card = || {
            Entity::new("card", 2)
                .field(integer("rank").required().migrate(patterns::parse_integer))
                .field(has_many("cards", "card"))
        };
        let by_pattern = card().step(1, 2, patterns::rename("text", "front"));
        assert_eq!(
            quick::upgrade(&by_pattern, by_pattern.steps_up(1).unwrap(), text).unwrap(),
            r#"{"$v":2,"rank":12,"cards":[{"$ref":"card:1"}],"front":"a \"b\""}"#
        );
        let by_closure = card().step(1, 2, |_| Ok(()));
        assert_eq!(quick::upgrade(&by_closure, by_closure.steps_up(1).unwrap(), text), None);
        let by_document = card().field(integer("size").migrate(|_| Ok(None)));
        let by_document = by_document.step(1, 2, patterns::remove("text"));
        assert_eq!(quick::upgrade(&by_document, by_document.steps_up(1).unwrap(), text), None);
    }

    #[test]
    fn numbers_that_a_tree_writes_as_they_are_take_no_tree() {
        let entity = Entity::new("card", 2).step(1, 2, patterns::rename("a", "b"));
        let takes_no_tree = |number: &str| {
            let text = format!(r#"{{"$v":1,"a":{number}}}"#);
            quick::upgrade(&entity, entity.steps_up(1).unwrap(), &text).is_some()
        };
        for number in ["1.4000000000000001", "-2.9000000000000004", "18446744073709551615"] {
            assert!(takes_no_tree(number), "{number}");
        }
        for number in ["1.40000000000000000001", "-18446744073709551615", "0.00000000000000001"] {
            assert!(!takes_no_tree(number), "{number}");
        }
        assert!(!takes_no_tree("1.4000000000000001e1"));
    }

    fn schema(entity: Entity) -> Schema {
        Schema::new([entity]).unwrap()
    }

    #[test]
    fn members_that_no_step_touches_keep_their_very_text() {
        let schema = schema(Entity::new("deck", 2).step(1, 2, patterns::rename("a", "b")));
        assert_eq!(
            read_with(&schema, r#"{"$v":1,"n":123456789012345678901234567890.10,"a":1e2}"#)
                .unwrap(),
            r#"{"$v":2,"n":123456789012345678901234567890.10,"b":1e2}"#
        );
    }

    #[test]
    fn steps_run_in_order_from_the_documents_version() {
        let append = |mark: &'static str| {
            move |document: &mut Object| {
                let trace = document.get("trace").and_then(Value::as_str).unwrap_or("");
                let trace = format!("{trace}{mark}");
                document.insert("trace".to_owned(), json!(trace));
                Ok(())
            }
        };
        let schema =
            schema(Entity::new("deck", 4).step(3, 4, append("c")).step(1, 2, append("a")).step(
                2,
                3,
                append("b"),
            ));
        let trace = |text| read_with(&schema, text).unwrap();
        assert_eq!(trace(r#"{"$v":1}"#), r#"{"$v":4,"trace":"abc"}"#);
        assert_eq!(trace(r#"{"$v":3}"#), r#"{"$v":4,"trace":"c"}"#);
        assert_eq!(trace("{}"), r#"{"$v":4,"trace":"abc"}"#);
        assert_eq!(trace(r#"{"$v":4,"x":1}"#), r#"{"$v":4,"x":1}"#);
    }

    #[test]
    fn a_missing_field_reaches_its_migration() {
        let schema = schema(
            Entity::new("deck", 2)
                .field(integer("size").required().migrate(patterns::constant(json!(7)))),
        );
        assert_eq!(read_with(&schema, "{}").unwrap(), r#"{"$v":2,"size":7}"#);
    }

    #[test]
    fn a_field_that_fits_is_left_alone() {
        let schema = schema(
            Entity::new("deck", 3)
                .field(has_many("cards", "card").migrate(patterns::ids_to_refs))
                .field(list("tags").migrate(|_| Err("must not be called".into())))
                .field(float("ease").migrate(|_| Err("must not be called".into()))),
        );
        let text = r#"{"$v":2,"cards":{"x":{"$ref":"card:x"}},"ease":1,"tags":["a"]}"#;
        assert_eq!(
            read_with(&schema, text).unwrap(),
            r#"{"$v":3,"cards":{"x":{"$ref":"card:x"}},"ease":1,"tags":["a"]}"#
        );
    }

    #[test]
    fn failing_steps_are_typed_errors_that_name_step_and_reason() {
        let refused = schema(Entity::new("deck", 2).step(1, 2, |_| Err("no title".into())));
        let error = read_with(&refused, r#"{"$v":1}"#).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Schema);
        assert_eq!(error.message(), "from version 1 to 2: migration step 1 -> 2: no title");

        let panics = schema(Entity::new("deck", 2).field(integer("n").migrate(|_| panic!("boo"))));
        let error = read_with(&panics, "{}").unwrap_err();
        assert_eq!(error.message(), "from version 0 to 2: migration of field `n`: it panicked");

        let misfit =
            schema(Entity::new("deck", 2).field(integer("n").migrate(|_| Ok(Some(json!("text"))))));
        let error = read_with(&misfit, "{}").unwrap_err();
        assert_eq!(
            error.message(),
            "from version 0 to 2: after its migration: field `n`: expected an integer, found a string"
        );
    }

    #[test]
    fn by_option_a_failing_step_serves_the_original() {
        let schema = schema(Entity::new("deck", 2).step(1, 2, |_| Err("no".into())))
            .failed_migrations(FailedMigrations::ServeOriginal);
        assert!(matches!(read(&schema, r#"{"$v":1}"#).unwrap(), Reading::Unmigrated(_)));
    }

    #[test]
    fn newer_documents_pass_are_refused_or_shown_as_older() {
        let text = r#"{"$v":3,"label":"x"}"#;
        let plain = Entity::new("deck", 2);
        assert_eq!(read_with(&schema(plain.clone()), text).unwrap(), text);
        let refusing = schema(plain.clone()).newer_documents(NewerDocuments::Refuse);
        assert_eq!(
            read_with(&refusing, text).unwrap_err().message(),
            "version 3 is newer than the schema's 2, and newer documents are refused"
        );
        let down = schema(plain.down(3, 2, patterns::rename("label", "name")));
        assert!(matches!(read(&down, text).unwrap(), Reading::Downgraded(text)
            if text == r#"{"$v":2,"name":"x"}"#));
    }

    #[test]
    fn undeclared_types_pass_or_are_refused() {
        let schema = schema(Entity::new("card", 1));
        assert_eq!(read_with(&schema, "{}").unwrap(), "{}");
        let strict = schema.undeclared_types(UndeclaredTypes::Refuse);
        let error = read_with(&strict, "{}").unwrap_err();
        assert_eq!(error.message(), "entity type `deck` is not declared in the schema");
    }

    #[test]
    fn documents_older_than_the_oldest_kept_step_are_refused() {
        let schema = schema(Entity::new("deck", 4).step(3, 4, |_| Ok(())));
        assert_eq!(
            read_with(&schema, r#"{"$v":2}"#).unwrap_err().message(),
            "version 2 is older than the oldest kept step, which begins at version 3"
        );
    }

    #[test]
    fn what_is_put_is_stamped_checked_and_never_stamped_as_what_it_is_not() {
        let entity = Entity::new("deck", 2).field(string("name").required()).step(
            1,
            2,
            patterns::rename("title", "name"),
        );
        let entity = schema(entity).entity("deck").unwrap().clone();
        let stamp = |text: &str| {
            let version = validate_input(text).unwrap();
            stamp(&entity, WrittenText { text: text.to_owned(), version, fits: false })
        };
        assert_eq!(stamp(r#"{"name":"a"}"#).unwrap(), r#"{"$v":2,"name":"a"}"#);
        assert_eq!(stamp(r#"{"name":"a","$v":2}"#).unwrap(), r#"{"$v":2,"name":"a"}"#);
        assert_eq!(stamp(r#"{"$v":1,"title":"a"}"#).unwrap(), r#"{"$v":2,"name":"a"}"#);
        assert_eq!(
            stamp(r#"{"$v":3,"name":"a"}"#).unwrap_err().message(),
            "says it is version 3, newer than the schema's 2; it is not overwritten with an older shape"
        );
        assert!(
            stamp(r#"{"name":1}"#)
                .unwrap_err()
                .message()
                .starts_with("field `name`: expected a string, found an integer")
        );
        assert!(
            stamp("{}").unwrap_err().message().starts_with("field `name` is required and missing")
        );
    }

    #[test]
    fn an_empty_object_is_stamped_without_a_comma() {
        assert_eq!(with_version(1, "{}".to_owned()), r#"{"$v":1}"#);
        assert_eq!(with_version(1, " { }".to_owned()), r#"{"$v":1 }"#);
    }

    proptest! {
        #[test]
        fn migrating_is_idempotent_and_keeps_unknown_members(
            ids in proptest::collection::vec("[a-z0-9]{1,8}", 0..6),
            unknown in proptest::collection::btree_map("u[a-z]{0,5}", any::<f64>().prop_filter("finite", |n| n.is_finite()), 0..5),
        ) {
            let schema = schema(Entity::new("deck", 2)
                .field(has_many("cards", "card").migrate(patterns::ids_to_refs)));
            let mut old = json!({"cards": ids});
            for (name, number) in &unknown {
                old[name] = json!(number);
            }
            let once = read_with(&schema, &old.to_string()).unwrap();
            prop_assert_eq!(&read_with(&schema, &once).unwrap(), &once);
            let parsed: Value = serde_json::from_str(&once).unwrap();
            for (name, number) in &unknown {
                prop_assert_eq!(parsed[name].as_f64(), Some(*number));
            }
        }
    }
}
