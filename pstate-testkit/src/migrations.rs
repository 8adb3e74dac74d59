//! Holding the migrations of a schema to what they have to keep.
//!
//! ```
//! use pstate_core::schema::{Entity, Schema, patterns};
//! use pstate_testkit::migrations::MigrationTest;
//! use serde_json::json;
//!
//! let schema = Schema::new([
//!     Entity::new("deck", 2).step(1, 2, patterns::rename("title", "name")),
//! ])?;
//! MigrationTest::new(schema).document("deck", 1, json!({ "title": "Spanish" })).check();
//! # Ok::<(), pstate_core::Error>(())
//! ```
//!
//! Documents come from code, or from files: [`golden`](MigrationTest::golden) takes a directory with
//! `<type>/v<version>/<name>.json`, and beside it `<name>.expected.json` with what is to come out.
//!
//! For each document and the chain as a whole it asserts:
//!
//! | promise | what is checked |
//! |---|---|
//! | total | every document migrates, and what comes out fits the declared types |
//! | covered | every older version that the schema reads has a document |
//! | expected | what comes out is what the golden file says |
//! | deterministic | migrating twice gives the same bytes |
//! | idempotent | what came out, taken for old and migrated again, doesn't change |
//! | lossless | members that the schema doesn't know come out byte for byte |
//! | reversible | the schema that is rolled back to gives back the original, with its down-steps |

mod difference;
mod golden;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use pstate_core::Schema;
use serde_json::{Value, json};

use self::difference::difference;

/// A schema, and the old documents that it has to migrate.
#[derive(Debug)]
pub struct MigrationTest {
    schema: Schema,
    rolled_back: Option<Schema>,
    directories: Vec<PathBuf>,
    documents: Vec<OldDocument>,
    exceptions: BTreeMap<(String, Promise), &'static str>,
    update: bool,
}

/// A document as it was stored once.
#[derive(Debug, Clone)]
struct OldDocument {
    entity_type: String,
    version: u32,
    name: String,
    document: Value,
    expected: golden::Expected,
}

/// What is asserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Every document migrates, and what comes out fits the declared types.
    Total,
    /// Every older version that the schema reads has a document.
    Covered,
    /// What comes out is what the golden file says.
    Expected,
    /// Migrating twice gives the same bytes.
    Deterministic,
    /// What came out, taken for old and migrated again, doesn't change.
    Idempotent,
    /// Members that the schema doesn't know come out byte for byte.
    Lossless,
    /// Down after up gives back the original.
    Reversible,
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which one.
    pub promise: Promise,
    /// Of which document: its type, version and name.
    pub document: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not {}: {}", self.document, self.promise, self.message)
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "total",
            Self::Covered => "covered",
            Self::Expected => "as expected",
            Self::Deterministic => "deterministic",
            Self::Idempotent => "idempotent",
            Self::Lossless => "lossless",
            Self::Reversible => "reversible",
        })
    }
}

/// A member that no schema has. Its number has more digits than a double keeps.
const UNKNOWN: &str =
    r#""a member nobody knows":{"kept":[12345678901234567890123,"é",{"deep":null}]}"#;

impl MigrationTest {
    /// Tests the migrations of this schema.
    pub fn new(schema: Schema) -> Self {
        Self {
            schema,
            rolled_back: None,
            directories: Vec::new(),
            documents: Vec::new(),
            exceptions: BTreeMap::new(),
            update: std::env::var_os("PSTATE_UPDATE_GOLDEN").is_some(),
        }
    }

    /// Takes the documents of a directory: `<type>/v<version>/<name>.json`, and what each is to
    /// become: `<name>.expected.json`.
    pub fn golden(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directories.push(directory.into());
        self
    }

    /// Takes a document as it was stored at a version. `$v` is added if it isn't there.
    pub fn document(mut self, entity_type: &str, version: u32, document: Value) -> Self {
        self.documents.push(OldDocument {
            entity_type: entity_type.to_owned(),
            version,
            name: format!("document {}", self.documents.len() + 1),
            document,
            expected: golden::Expected::Unknown,
        });
        self
    }

    /// Checks that this older schema, with its down-steps, gives back the original of what the new
    /// one has migrated: documents of its own version survive being read after a roll-back.
    pub fn rolled_back_to(mut self, older: Schema) -> Self {
        self.rolled_back = Some(older);
        self
    }

    /// Doesn't ask this promise of this type, for a reason that the reader of the test wants to
    /// know.
    pub fn except(mut self, entity_type: &str, promise: Promise, reason: &'static str) -> Self {
        self.exceptions.insert((entity_type.to_owned(), promise), reason);
        self
    }

    /// Writes what comes out to the `.expected.json` files instead of comparing. Also by the
    /// environment: `PSTATE_UPDATE_GOLDEN=1`.
    pub fn update(mut self, update: bool) -> Self {
        self.update = update;
        self
    }

    /// Checks everything.
    ///
    /// # Panics
    /// If a promise is not kept, with all that is wrong.
    pub fn check(self) {
        if let Err(failures) = self.try_check() {
            let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
            panic!("{} promises are not kept:\n  {}", failures.len(), failures.join("\n  "));
        }
    }

    /// Checks everything; gives all that is wrong.
    pub fn try_check(mut self) -> Result<(), Vec<Failure>> {
        let mut failures = Vec::new();
        for directory in std::mem::take(&mut self.directories) {
            match golden::read(&directory) {
                Ok(documents) => self.documents.extend(documents),
                Err(message) => failures.push(Failure {
                    promise: Promise::Covered,
                    document: directory.display().to_string(),
                    message,
                }),
            }
        }
        failures.extend(self.uncovered());
        for old in &self.documents {
            failures.extend(self.check_one(old));
        }
        failures.retain(|failure| {
            let entity_type = failure.document.split(' ').next().unwrap_or_default();
            !self.exceptions.contains_key(&(entity_type.to_owned(), failure.promise))
        });
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }

    /// Versions that the schema reads and no document has.
    fn uncovered(&self) -> impl Iterator<Item = Failure> {
        self.schema.entities().flat_map(|entity| {
            let versions = entity.oldest_kept().max(1)..entity.version();
            let has = |version: &u32| {
                let mut documents = self.documents.iter();
                documents.any(|old| old.entity_type == entity.name() && old.version == *version)
            };
            let missing: Vec<_> = versions.filter(|version| !has(version)).collect();
            missing.into_iter().map(|version| Failure {
                promise: Promise::Covered,
                document: format!("{} version {version}", entity.name()),
                message: "no document has this version; add one".to_owned(),
            })
        })
    }

    fn check_one(&self, old: &OldDocument) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut fail = |promise, message: String| {
            let document = format!("{} version {} ({})", old.entity_type, old.version, old.name);
            failures.push(Failure { promise, document, message });
        };
        let stored = stamped(&old.document, old.version);
        let migrate = |stored: &str| self.schema.migrate_text(&old.entity_type, stored);
        let migrated = match migrate(&stored) {
            Ok(migrated) => migrated,
            Err(error) => {
                fail(Promise::Total, error.to_string());
                return failures;
            }
        };
        let tree = parsed(&migrated);

        match self.expected(old, &tree) {
            Ok(None) => {}
            Ok(Some(expected)) => {
                if let Some(difference) = difference(&expected, &tree) {
                    fail(Promise::Expected, difference);
                }
            }
            Err(message) => fail(Promise::Expected, message),
        }
        if !matches!(migrate(&stored), Ok(again) if again == migrated) {
            fail(Promise::Deterministic, "another result the second time".to_owned());
        }
        match migrate(&stamped(&tree, old.version)) {
            Ok(again) => {
                if let Some(difference) = difference(&tree, &parsed(&again)) {
                    fail(Promise::Idempotent, difference);
                }
            }
            Err(error) => fail(Promise::Idempotent, error.to_string()),
        }
        match migrate(&with_unknown(&stored)) {
            Ok(migrated) if migrated.contains(UNKNOWN) => {}
            Ok(_) => fail(Promise::Lossless, "a member that it doesn't know is lost".to_owned()),
            Err(error) => {
                fail(Promise::Lossless, format!("a member that it doesn't know: {error}"));
            }
        }
        if let Some(older) = &self.rolled_back
            && older.entity(&old.entity_type).is_some_and(|entity| entity.version() == old.version)
        {
            match older.migrate_text(&old.entity_type, &migrated) {
                Ok(down) => {
                    if let Some(difference) = difference(&parsed(&stored), &parsed(&down)) {
                        fail(Promise::Reversible, difference);
                    }
                }
                Err(error) => fail(Promise::Reversible, error.to_string()),
            }
        }
        failures
    }

    /// What a document is to become, if that is known.
    fn expected(&self, old: &OldDocument, migrated: &Value) -> Result<Option<Value>, String> {
        match &old.expected {
            golden::Expected::Unknown => Ok(None),
            golden::Expected::File(path) if self.update => {
                golden::write(path, migrated).map(|()| None)
            }
            golden::Expected::File(path) => golden::read_one(path).map(Some),
        }
    }
}

fn stamped(document: &Value, version: u32) -> String {
    let mut document = document.clone();
    if let Some(members) = document.as_object_mut() {
        members.insert("$v".to_owned(), json!(version));
    }
    document.to_string()
}

fn with_unknown(stored: &str) -> String {
    let members = stored.strip_prefix('{').unwrap_or_default();
    let comma = if members.starts_with('}') { "" } else { "," };
    format!("{{{UNKNOWN}{comma}{members}")
}

/// What the schema has written is JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
