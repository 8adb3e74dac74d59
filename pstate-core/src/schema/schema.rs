//! The declared entity types, and what to do with documents that they do not fit.

use std::collections::HashMap;
use std::fmt;

use foldhash::fast::RandomState;

use super::entity::Entity;
use super::similar::most_similar;
use crate::model::{Error, Result};

/// What to do with a document that is newer than the schema: one that a later release of the
/// program wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NewerDocuments {
    /// Serve it as it is. It is never stamped with an older version, never written back.
    #[default]
    Pass,
    /// Refuse to read it, with a [`Schema`](crate::ErrorKind::Schema) error.
    Refuse,
}

/// What to do with documents of a type that the schema does not name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UndeclaredTypes {
    /// Store and serve them untouched: nothing is stamped, nothing is checked.
    ///
    /// The first write of such a type is logged as a warning if its name is similar to that of
    /// a declared type: `crad` beside `card`.
    #[default]
    Pass,
    /// Refuse to read and write them, with a [`Schema`](crate::ErrorKind::Schema) error. A schema
    /// whose references lead to a type that it does not declare is then refused by
    /// [`Builder::build`](crate::Builder::build).
    Refuse,
}

/// What a read returns when a migration step fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailedMigrations {
    /// A [`Schema`](crate::ErrorKind::Schema) error that names the key, the step and the reason.
    #[default]
    Refuse,
    /// The document as it is stored, with a warning in the log. It is not written back.
    ServeOriginal,
}

/// The declared entity types.
///
/// ```
/// use pstate_core::schema::{Entity, Schema, has_many, integer, patterns, string};
///
/// let schema = Schema::new([
///     Entity::new("base_deck", 2)
///         .field(string("name").required())
///         .field(has_many("cards", "base_card").migrate(patterns::ids_to_refs)),
///     Entity::new("base_card", 1)
///         .field(string("front").required())
///         .field(integer("rank")),
/// ])?;
/// assert_eq!(schema.entity("base_deck").unwrap().version(), 2);
/// # Ok::<(), pstate_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Schema {
    /// Looked up for each document that is read: the standard library's hash took 150 ns of that.
    entities: HashMap<String, Entity, RandomState>,
    newer: NewerDocuments,
    undeclared: UndeclaredTypes,
    failed: FailedMigrations,
}

impl Schema {
    /// A schema of these entity types.
    ///
    /// # Errors
    /// [`Schema`](crate::ErrorKind::Schema), naming entity type and field, for
    /// - a malformed or duplicate type;
    /// - a field that is declared twice, or named `""`, `"$v"` or `"$ref"`;
    /// - a reference to a type that is not declared and looks like a misspelling of one that is: at
    ///   most two edits away, and one edit for every three characters. Where that is a type of its
    ///   own, declare it. References to other undeclared types pass, unless such types are
    ///   [refused](UndeclaredTypes::Refuse);
    /// - steps that do not lead from one version to the next without a gap up to the current one.
    pub fn new(entities: impl IntoIterator<Item = Entity>) -> Result<Self> {
        let mut schema = Self::default();
        for entity in entities {
            let entity = entity.validated()?;
            let name = entity.name().to_owned();
            if schema.entities.insert(name.clone(), entity).is_some() {
                return Err(Error::schema(format!("entity type `{name}` is declared twice")));
            }
        }
        for (place, target) in schema.undeclared_targets() {
            if let Some(similar) = schema.similar_type(target) {
                return Err(Error::schema(format!(
                    "{place}: the target `{target}` is not declared; did you mean `{similar}`? \
                     If `{target}` is another type, declare it"
                )));
            }
        }
        Ok(schema)
    }

    /// The references that lead to undeclared types: where each is declared, and its target.
    fn undeclared_targets(&self) -> impl Iterator<Item = (String, &str)> {
        self.entities().flat_map(|entity| {
            entity.fields().iter().filter_map(|field| {
                let target = field.field_type().target()?;
                let place = || format!("entity type `{}`, field `{}`", entity.name(), field.name());
                (!self.entities.contains_key(target)).then(|| (place(), target))
            })
        })
    }

    /// Refuses references to types that can be neither read nor written.
    pub(crate) fn check_targets(&self) -> Result<()> {
        if self.undeclared == UndeclaredTypes::Pass {
            return Ok(());
        }
        self.undeclared_targets().next().map_or(Ok(()), |(place, target)| {
            Err(Error::schema(format!(
                "{place}: the target `{target}` is not declared, and undeclared types are refused"
            )))
        })
    }

    /// The declared type that an undeclared one is most likely a misspelling of.
    pub(crate) fn similar_type(&self, undeclared: &str) -> Option<&str> {
        most_similar(undeclared, self.entities.keys().map(String::as_str))
    }

    /// What to do with documents that are newer than the schema. Default: pass.
    pub fn newer_documents(mut self, newer: NewerDocuments) -> Self {
        self.newer = newer;
        self
    }

    /// What to do with types that the schema does not name. Default: pass.
    pub fn undeclared_types(mut self, undeclared: UndeclaredTypes) -> Self {
        self.undeclared = undeclared;
        self
    }

    /// What to do when a migration step fails. Default: refuse the document.
    pub fn failed_migrations(mut self, failed: FailedMigrations) -> Self {
        self.failed = failed;
        self
    }

    /// The declaration of an entity type.
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.get(name)
    }

    /// All declarations, ordered by type.
    pub fn entities(&self) -> impl Iterator<Item = &Entity> {
        let mut entities: Vec<_> = self.entities.values().collect();
        entities.sort_by_key(|entity| entity.name());
        entities.into_iter()
    }

    /// The declaration that applies to documents of a type; `None` if they pass untouched.
    pub(crate) fn governing(&self, entity_type: &str) -> Result<Option<&Entity>> {
        match (self.entities.get(entity_type), self.undeclared) {
            (Some(entity), _) => Ok(Some(entity)),
            (None, UndeclaredTypes::Pass) => Ok(None),
            (None, UndeclaredTypes::Refuse) => Err(Error::schema(format!(
                "entity type `{entity_type}` is not declared in the schema"
            ))),
        }
    }

    pub(crate) fn refuses_newer(&self) -> bool {
        self.newer == NewerDocuments::Refuse
    }

    pub(crate) fn serves_original(&self) -> bool {
        self.failed == FailedMigrations::ServeOriginal
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entities()).finish()
    }
}
