//! Whether a document fits its declaration, noticed while it is written.

use super::entity::Entity;
use super::field::{Field, FieldType};
use crate::model::{KeyRef, REF_MEMBER};

/// What is known of the fields of a document that is being written.
///
/// It says that a document fits only if [`DocumentCheck`](super::check::DocumentCheck) would; what
/// is unusual it leaves to that check, and so all errors.
pub(super) struct Fit<'a> {
    fields: &'a [Field],
    /// The declared fields that were there, by their places.
    seen: u64,
    /// The field whose value is being written.
    field: Option<&'a Field>,
    /// The text of a `$ref`.
    reference: String,
    place: Place,
    is_unsure: bool,
}

/// Where in the object of a reference the writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before its `$ref`, or in no such object.
    Before,
    /// Behind the name `$ref`.
    AtValue,
    InValue,
    Behind,
}

/// A value that consists of nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Null,
    Boolean,
    Integer,
    Float,
    /// A number beyond the 64-bit integers.
    Long,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Object,
    Array,
}

/// How deep the members of a document are.
const TOP: usize = 1;

impl<'a> Fit<'a> {
    pub(super) fn new(entity: Option<&'a Entity>) -> Self {
        let fields = entity.map_or(&[][..], Entity::fields);
        Self {
            fields,
            seen: 0,
            field: None,
            reference: String::new(),
            place: Place::Before,
            is_unsure: fields.len() > 64,
        }
    }

    /// Whether the document that was written fits for sure.
    pub(super) fn is_sure(&self) -> bool {
        let is_there =
            |(at, field): (usize, &Field)| !field.is_required() || (self.seen >> at) & 1 == 1;
        !self.is_unsure && self.fields.iter().enumerate().all(is_there)
    }

    /// Leaves the document to the check.
    pub(super) fn give_up(&mut self) {
        self.is_unsure = true;
    }

    /// How deep the objects of references are, in a field that holds nothing else.
    fn reference_depth(&self) -> Option<usize> {
        match self.field?.field_type() {
            FieldType::Ref(_) => Some(TOP + 1),
            FieldType::Collection(_) => Some(TOP + 2),
            _ => None,
        }
    }

    /// A member's name, in an object this deep.
    pub(super) fn name(&mut self, name: &str, depth: usize) {
        if depth == TOP {
            let fields = self.fields;
            let at = fields.iter().position(|field| field.name() == name);
            self.field = at.map(|at| &fields[at]);
            let bit = at.and_then(|at| 1_u64.checked_shl(u32::try_from(at).ok()?));
            self.seen |= bit.unwrap_or_default();
            return;
        }
        let Some(reference_depth) = self.reference_depth() else { return };
        match (depth == reference_depth, name == REF_MEMBER) {
            (true, true) if self.place == Place::Before => self.place = Place::AtValue,
            // The entry of a collection.
            (false, false) => {}
            _ => self.is_unsure = true,
        }
    }

    /// A scalar that is no text, as the value of a member this deep.
    pub(super) fn scalar(&mut self, scalar: Scalar, depth: usize) {
        let Some(field) = self.field else { return };
        if depth > TOP {
            let may_be_null = matches!(field.field_type(), FieldType::Collection(_));
            let is_reference = self.reference_depth().is_some();
            let is_entry = may_be_null && depth == TOP + 1 && scalar == Scalar::Null;
            self.is_unsure |= is_reference && !is_entry;
            return;
        }
        self.is_unsure |= match (scalar, field.field_type()) {
            (Scalar::Null, _) => field.is_required(),
            (_, FieldType::Any)
            | (Scalar::Boolean, FieldType::Boolean)
            | (Scalar::Integer, FieldType::Integer | FieldType::Float)
            | (Scalar::Float, FieldType::Float) => false,
            _ => true,
        };
    }

    /// An object or array begins, as the value of a member or an item this deep.
    pub(super) fn begin(&mut self, container: Container, depth: usize) {
        let Some(field) = self.field else { return };
        self.is_unsure |= match (field.field_type(), container) {
            (FieldType::Any, _)
            | (FieldType::Map, Container::Object)
            | (FieldType::List, Container::Array) => false,
            (FieldType::Map | FieldType::List, _) => depth == TOP,
            (FieldType::Collection(_), Container::Object) => depth > TOP + 1,
            (FieldType::Ref(_), Container::Object)
            | (FieldType::Collection(_), Container::Array) => depth != TOP,
            _ => true,
        };
    }

    /// The members of an object this deep are written.
    pub(super) fn end_object(&mut self, depth: usize) {
        if self.reference_depth() == Some(depth) {
            self.is_unsure |= self.place != Place::Behind;
            self.place = Place::Before;
        }
    }

    /// A text begins, as the value of a member or an item this deep.
    pub(super) fn begin_text(&mut self, depth: usize) {
        let Some(field) = self.field else { return };
        match self.reference_depth() {
            Some(of_reference) if of_reference == depth && self.place == Place::AtValue => {
                self.reference.clear();
                self.place = Place::InValue;
            }
            Some(_) => self.is_unsure = true,
            None if depth == TOP => {
                let fits = matches!(field.field_type(), FieldType::String | FieldType::Any);
                self.is_unsure |= !fits;
            }
            None => {}
        }
    }

    /// A part of a text that has no escapes.
    pub(super) fn fragment(&mut self, fragment: &str) {
        if self.place == Place::InValue {
            self.reference.push_str(fragment);
        }
    }

    pub(super) fn escape(&mut self) {
        self.is_unsure |= self.place == Place::InValue;
    }

    pub(super) fn end_text(&mut self) {
        if self.place != Place::InValue {
            return;
        }
        self.place = Place::Behind;
        let target = self.field.and_then(|field| field.field_type().target());
        let key = KeyRef::parse(&self.reference);
        self.is_unsure |= !key.is_ok_and(|key| Some(key.entity_type()) == target);
    }
}
