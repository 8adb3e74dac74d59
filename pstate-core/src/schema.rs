//! The declared entity types, and how documents of older versions become current ones.

pub(crate) mod check;
mod entity;
mod field;
mod fit;
mod member_step;
pub(crate) mod migrate;
pub mod patterns;
mod quick;
mod schema;
mod similar;
mod step;
pub(crate) mod written_text;

pub use entity::Entity;
pub use field::{
    Field, FieldType, OldField, any, boolean, float, has_many, has_one, integer, list, map, string,
};
pub use schema::{FailedMigrations, NewerDocuments, Schema, UndeclaredTypes};
pub use step::StepError;
