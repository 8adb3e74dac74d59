//! Fields: names, types, and how an old value becomes a new one.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::step::StepError;
use crate::model::Object;

/// What a field holds.
//
// Which values fit is decided in one pass over the document, in `schema/check.rs`: a new type
// needs an arm there, in `Display`, and a constructor below.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// Text.
    String,
    /// A number without a fraction, from -2^63 to 2^64 - 1.
    Integer,
    /// Any number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// An object.
    Map,
    /// An array.
    List,
    /// One reference to a document of this type.
    Ref(String),
    /// References to documents of this type: an object `id -> reference`, or an array of them.
    Collection(String),
    /// Anything.
    Any,
}

impl FieldType {
    /// The entity type that a reference or collection leads to.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Ref(target) | Self::Collection(target) => Some(target),
            _ => None,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("a string"),
            Self::Integer => f.write_str("an integer"),
            Self::Float => f.write_str("a number"),
            Self::Boolean => f.write_str("a boolean"),
            Self::Map => f.write_str("an object"),
            Self::List => f.write_str("an array"),
            Self::Ref(target) => write!(f, "a reference to a {target}"),
            Self::Collection(target) => write!(f, "a collection of references to {target}"),
            Self::Any => f.write_str("anything"),
        }
    }
}

type Migrate = dyn Fn(&OldField<'_>) -> Result<Option<Value>, StepError> + Send + Sync;

/// A declared field of an entity type.
///
/// Fields are optional unless [`required`](Field::required): they may be absent or null.
#[derive(Clone)]
pub struct Field {
    name: String,
    field_type: FieldType,
    required: bool,
    migrate: Option<Arc<Migrate>>,
    migration_type: Option<TypeId>,
    migrates_by_value: bool,
}

impl Field {
    fn new(name: &str, field_type: FieldType) -> Self {
        Self {
            name: name.to_owned(),
            field_type,
            required: false,
            migrate: None,
            migration_type: None,
            migrates_by_value: false,
        }
    }

    /// The field must be there and must not be null.
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// How the field of an older document becomes one of the declared type.
    ///
    /// It is called when a document older than the entity's version is read and its field does not
    /// fit the declaration: the type differs, or it is missing. After the whole-document steps,
    /// and with the document as those left it. `None` leaves the field out. Since a field that
    /// fits is left alone, a field migration may stay in the schema when later versions come.
    ///
    /// [`patterns`](super::patterns) has ready-made ones.
    pub fn migrate(
        mut self,
        migrate: impl Fn(&OldField<'_>) -> Result<Option<Value>, StepError> + Send + Sync + 'static,
    ) -> Self {
        self.migration_type = Some(migrate.type_id());
        self.migrate = Some(Arc::new(migrate));
        self
    }

    /// The member's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    pub fn field_type(&self) -> &FieldType {
        &self.field_type
    }

    /// Whether it must be there.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The type of its migration, which tells the patterns apart.
    pub(super) fn migration_type(&self) -> Option<TypeId> {
        self.migration_type
    }

    /// The same field, of which this is known of its migration.
    pub(super) fn migrating_by_value(self, migrates_by_value: bool) -> Self {
        Self { migrates_by_value, ..self }
    }

    /// Whether its migration, if it has one, looks at its value only, and makes a scalar of it.
    pub(super) fn migrates_by_value(&self) -> bool {
        self.migrates_by_value
    }

    pub(crate) fn migration(&self) -> Option<&Migrate> {
        self.migrate.as_deref()
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("name", &self.name)
            .field("type", &self.field_type)
            .field("required", &self.required)
            .field("migrated", &self.migrate.is_some())
            .finish_non_exhaustive()
    }
}

/// What a field's migration works on.
#[derive(Debug, Clone, Copy)]
pub struct OldField<'a> {
    /// The old value; `None` if the member is absent.
    pub value: Option<&'a Value>,
    /// The old value's JSON as it is stored: a number has all its digits in it, which `value` may
    /// not have.
    pub text: Option<&'a str>,
    /// The whole document, as the whole-document steps left it.
    pub document: &'a Object,
    /// The declaration of the field.
    pub field: &'a Field,
}

/// Text.
pub fn string(name: &str) -> Field {
    Field::new(name, FieldType::String)
}

/// A number without a fraction.
pub fn integer(name: &str) -> Field {
    Field::new(name, FieldType::Integer)
}

/// Any number.
pub fn float(name: &str) -> Field {
    Field::new(name, FieldType::Float)
}

/// `true` or `false`.
pub fn boolean(name: &str) -> Field {
    Field::new(name, FieldType::Boolean)
}

/// An object of anything.
pub fn map(name: &str) -> Field {
    Field::new(name, FieldType::Map)
}

/// An array of anything.
pub fn list(name: &str) -> Field {
    Field::new(name, FieldType::List)
}

/// One reference to a document of type `target`.
pub fn has_one(name: &str, target: &str) -> Field {
    Field::new(name, FieldType::Ref(target.to_owned()))
}

/// A collection of references to documents of type `target`.
pub fn has_many(name: &str, target: &str) -> Field {
    Field::new(name, FieldType::Collection(target.to_owned()))
}

/// Anything. Declares that the field exists.
pub fn any(name: &str) -> Field {
    Field::new(name, FieldType::Any)
}
