use pstate_core::Schema;
use pstate_core::schema::Entity;
use serde_json::{Value, json};

use super::difference::difference;
use super::failure::Failure;
use super::golden;
use super::old_document::OldDocument;
use super::promise::Promise;

/// A member that no schema declares. Its number has more digits than a double can hold.
const UNDECLARED: &str =
    r#""an undeclared member":{"kept":[12345678901234567890123,"é",{"deep":null}]}"#;

/// The check of the promises of one document.
pub(super) struct DocumentCheck<'a> {
    pub(super) schema: &'a Schema,
    /// The older schema, whose down-steps must reverse the migration.
    pub(super) rolled_back: Option<&'a Schema>,
    /// Whether golden files are written instead of compared.
    pub(super) update: bool,
    pub(super) old: &'a OldDocument,
}

/// Fails with the reason why a promise is broken.
type Check = Result<(), String>;

impl DocumentCheck<'_> {
    pub(super) fn failures(&self) -> Vec<Failure> {
        let stored = stamped(&self.old.document, self.old.version);
        let migrated = match self.migrate(&stored) {
            Ok(migrated) => migrated,
            Err(message) => return vec![self.failure(Promise::Total, message)],
        };
        let checks = [
            (Promise::Expected, self.check_expected(&migrated)),
            (Promise::Deterministic, self.check_deterministic(&stored, &migrated)),
            (Promise::Idempotent, self.check_idempotent(&migrated)),
            (Promise::Lossless, self.check_lossless(&stored)),
            (Promise::Reversible, self.check_reversible(&stored, &migrated)),
        ];
        let failed = checks.into_iter().filter_map(|(promise, check)| {
            let message = check.err()?;
            Some(self.failure(promise, message))
        });
        failed.collect()
    }

    fn failure(&self, promise: Promise, message: String) -> Failure {
        Failure { promise, document: self.old.label(), message }
    }

    fn migrate(&self, stored: &str) -> Result<String, String> {
        self.migrate_by(self.schema, stored)
    }

    fn migrate_by(&self, schema: &Schema, stored: &str) -> Result<String, String> {
        schema.migrate_text(&self.old.entity_type, stored).map_err(|error| error.to_string())
    }

    fn check_expected(&self, migrated: &str) -> Check {
        let Some(path) = &self.old.expected else { return Ok(()) };
        let migrated = parsed(migrated);
        if self.update {
            golden::write(path, &migrated)
        } else {
            check_same(&golden::read_one(path)?, &migrated)
        }
    }

    fn check_deterministic(&self, stored: &str, migrated: &str) -> Check {
        match self.migrate(stored) {
            Ok(again) if again == migrated => Ok(()),
            _ => Err("another result the second time".to_owned()),
        }
    }

    fn check_idempotent(&self, migrated: &str) -> Check {
        let Some(entity) = self.schema.entity(&self.old.entity_type) else { return Ok(()) };
        // As the next version does, which has no step for them: steps run once.
        let next = Entity::new(entity.name(), entity.version() + 1);
        let next = entity.fields().iter().cloned().fold(next, Entity::field);
        let others = self.schema.entities().filter(|other| other.name() != entity.name()).cloned();
        let later = Schema::new(others.chain([next])).map_err(|error| error.to_string())?;
        let again = self.migrate_by(&later, migrated)?;
        check_same(&parsed(migrated), &parsed(&again))
    }

    fn check_lossless(&self, stored: &str) -> Check {
        let migrated = self.migrate(&with_undeclared(stored));
        let migrated = migrated.map_err(|error| format!("with an undeclared member: {error}"))?;
        if migrated.contains(UNDECLARED) {
            Ok(())
        } else {
            Err("an undeclared member is lost or changed".to_owned())
        }
    }

    fn check_reversible(&self, stored: &str, migrated: &str) -> Check {
        let older = self.rolled_back.filter(|older| {
            let entity = older.entity(&self.old.entity_type);
            entity.is_some_and(|entity| entity.version() == self.old.version)
        });
        let Some(older) = older else { return Ok(()) };
        let down = self.migrate_by(older, migrated)?;
        check_same(&parsed(stored), &parsed(&down))
    }
}

fn check_same(expected: &Value, got: &Value) -> Check {
    difference(expected, got).map_or(Ok(()), Err)
}

/// The document as text, stamped with a version.
fn stamped(document: &Value, version: u32) -> String {
    let mut document = document.clone();
    if let Some(members) = document.as_object_mut() {
        members.insert("$v".to_owned(), json!(version));
    }
    document.to_string()
}

fn with_undeclared(stored: &str) -> String {
    let members = stored.strip_prefix('{').unwrap_or_default();
    let comma = if members.starts_with('}') { "" } else { "," };
    format!("{{{UNDECLARED}{comma}{members}")
}

/// Parses what the schema has written, which is always JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
