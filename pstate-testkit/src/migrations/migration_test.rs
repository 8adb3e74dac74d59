use std::collections::BTreeMap;
use std::env;
use std::mem;
use std::path::PathBuf;

use pstate_core::Schema;
use serde_json::Value;

use super::document_check::DocumentCheck;
use super::failure::Failure;
use super::golden;
use super::old_document::OldDocument;
use super::promise::Promise;

/// A test of a schema's migrations with old documents.
#[derive(Debug)]
pub struct MigrationTest {
    schema: Schema,
    rolled_back: Option<Schema>,
    directories: Vec<PathBuf>,
    documents: Vec<OldDocument>,
    exceptions: BTreeMap<(String, Promise), &'static str>,
    update: bool,
}

impl MigrationTest {
    /// A test of the migrations of this schema.
    pub fn new(schema: Schema) -> Self {
        Self {
            schema,
            rolled_back: None,
            directories: Vec::new(),
            documents: Vec::new(),
            exceptions: BTreeMap::new(),
            update: env::var_os("PSTATE_UPDATE_GOLDEN").is_some(),
        }
    }

    /// Adds the documents of a directory, `<type>/v<version>/<name>.json`, and their expected
    /// results, `<name>.expected.json`.
    pub fn golden(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directories.push(directory.into());
        self
    }

    /// Adds a document at an older version. `$v` is added if it is missing.
    pub fn document(mut self, entity_type: &str, version: u32, document: Value) -> Self {
        self.documents.push(OldDocument {
            entity_type: entity_type.to_owned(),
            version,
            name: format!("document {}", self.documents.len() + 1),
            document,
            expected: None,
        });
        self
    }

    /// Checks that the down-steps of this older schema give back the original of what the new
    /// schema has migrated, so that a roll-back of the program loses nothing.
    pub fn rolled_back_to(mut self, older: Schema) -> Self {
        self.rolled_back = Some(older);
        self
    }

    /// Skips one promise of one type. The reason is for readers of the test.
    pub fn except(mut self, entity_type: &str, promise: Promise, reason: &'static str) -> Self {
        self.exceptions.insert((entity_type.to_owned(), promise), reason);
        self
    }

    /// Writes the results to the `.expected.json` files instead of comparing them. The variable
    /// `PSTATE_UPDATE_GOLDEN=1` in the environment does the same.
    pub fn update(mut self, update: bool) -> Self {
        self.update = update;
        self
    }

    /// Checks all promises.
    ///
    /// # Panics
    /// If a promise is broken; the message lists all failures.
    pub fn check(self) {
        if let Err(failures) = self.try_check() {
            let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
            panic!("{} promises are broken:\n  {}", failures.len(), failures.join("\n  "));
        }
    }

    /// Checks all promises, and returns all failures.
    pub fn try_check(mut self) -> Result<(), Vec<Failure>> {
        let mut failures = self.read_directories();
        failures.extend(self.uncovered());
        for old in &self.documents {
            let check = DocumentCheck {
                schema: &self.schema,
                rolled_back: self.rolled_back.as_ref(),
                update: self.update,
                old,
            };
            failures.extend(check.failures());
        }
        failures.retain(|failure| {
            let entity_type = failure.document.split(' ').next().unwrap_or_default();
            !self.exceptions.contains_key(&(entity_type.to_owned(), failure.promise))
        });
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }

    /// Adds the documents of all directories, and returns what could not be read.
    fn read_directories(&mut self) -> Vec<Failure> {
        let mut failures = Vec::new();
        for directory in mem::take(&mut self.directories) {
            match golden::read(&directory) {
                Ok(documents) => self.documents.extend(documents),
                Err(message) => failures.push(Failure {
                    promise: Promise::Covered,
                    document: directory.display().to_string(),
                    message,
                }),
            }
        }
        failures
    }

    /// The versions that the schema reads and no document has.
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
}
