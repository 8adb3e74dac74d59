//! Does a document fit its declaration? One pass over text or tree, whichever there is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::entity::Entity;
use super::field::{Field, FieldType};
use crate::model::json::{MemberName, NUMBER_MEMBER, NumberText};
use crate::model::{KeyRef, REF_MEMBER};

/// Checks a whole document.
pub(crate) struct DocumentCheck<'a>(pub(crate) &'a Entity);

impl<'de> DeserializeSeed<'de> for DocumentCheck<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentCheck<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let fields = self.0.fields();
        let mut seen = vec![false; fields.len()];
        while let Some(MemberName(name)) = map.next_key()? {
            if let Some(at) = fields.iter().position(|field| field.name() == name) {
                seen[at] = true;
                map.next_value_seed(FieldCheck { field: &fields[at], place: Place::Field })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        match fields.iter().zip(seen).find(|(field, seen)| field.is_required() && !seen) {
            None => Ok(()),
            Some((field, _)) => Err(A::Error::custom(format_args!(
                "field `{}` is required and missing",
                field.name()
            ))),
        }
    }
}

const BEYOND_64_BITS: &str = "a number beyond the 64-bit integers";

/// Checks one field's value.
pub(crate) struct FieldCheck<'a> {
    field: &'a Field,
    place: Place,
}

impl<'a> FieldCheck<'a> {
    pub(crate) fn new(field: &'a Field) -> Self {
        Self { field, place: Place::Field }
    }
}

/// Where in the field a value stands.
#[derive(Clone, Copy)]
enum Place {
    Field,
    Entry(usize),
    Item(usize),
}

impl<'a> FieldCheck<'a> {
    fn mismatch<T, E: Error>(&self, found: impl fmt::Display) -> Result<T, E> {
        let name = self.field.name();
        let expected = self.field.field_type();
        Err(match self.place {
            Place::Field => {
                E::custom(format_args!("field `{name}`: expected {expected}, found {found}"))
            }
            Place::Entry(entry) => E::custom(format_args!(
                "field `{name}`, entry {entry}: expected {expected}, found {found}"
            )),
            Place::Item(at) => E::custom(format_args!(
                "field `{name}`, item {at}: expected {expected}, found {found}"
            )),
        })
    }

    fn accept<E: Error>(&self, fits: bool, found: &str) -> Result<(), E> {
        // Inside a collection only references fit, and those are no scalars.
        let inside = !matches!(self.place, Place::Field);
        match self.field.field_type() {
            FieldType::Any => Ok(()),
            _ if fits && !inside => Ok(()),
            _ => self.mismatch(found),
        }
    }

    fn is(&self, field_type: &FieldType) -> bool {
        self.field.field_type() == field_type
    }

    fn at(&self, place: Place) -> FieldCheck<'a> {
        FieldCheck { field: self.field, place }
    }
}

impl<'de> DeserializeSeed<'de> for FieldCheck<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldCheck<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field.field_type())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        // An entry that is null refers to nothing: a typed `Vec<Option<Ref>>` is written so.
        if !matches!(self.place, Place::Field) {
            return Ok(());
        }
        self.accept(!self.field.is_required(), "null")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.accept(self.is(&FieldType::Boolean), "a boolean")
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.accept(self.is(&FieldType::Integer) || self.is(&FieldType::Float), "an integer")
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.accept(self.is(&FieldType::Integer) || self.is(&FieldType::Float), "an integer")
    }

    // A tree hands over large integers like this if `serde_json` keeps all digits.
    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        self.accept(self.is(&FieldType::Float), BEYOND_64_BITS)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        self.accept(self.is(&FieldType::Float), BEYOND_64_BITS)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        let found = if number.fract() != 0.0 {
            "a number with a fraction"
        } else if number.abs() < 9.3e18 {
            // 1e3, 2.0.
            "a whole number that is written with a fraction or an exponent"
        } else {
            BEYOND_64_BITS
        };
        self.accept(self.is(&FieldType::Float), found)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.accept(self.is(&FieldType::String), "a string")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        match (self.field.field_type(), self.place) {
            (FieldType::List | FieldType::Any, _) => {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(())
            }
            (FieldType::Collection(_), Place::Field) => {
                let mut at = 0;
                while seq.next_element_seed(self.at(Place::Item(at)))?.is_some() {
                    at += 1;
                }
                Ok(())
            }
            _ => self.mismatch("an array"),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut first = map.next_key::<MemberName<'de>>()?.map(|MemberName(name)| name);
        if first.as_deref() == Some(NUMBER_MEMBER) {
            return map.next_value::<NumberText>()?.visit(self);
        }
        let mut next = |map: &mut A| match first.take() {
            Some(name) => Ok(Some(name)),
            None => Ok(map.next_key::<MemberName<'de>>()?.map(|MemberName(name)| name)),
        };
        match (self.field.field_type(), self.place) {
            (FieldType::Map | FieldType::Any, _) => {
                while next(&mut map)?.is_some() {
                    map.next_value::<IgnoredAny>()?;
                }
                Ok(())
            }
            (FieldType::Collection(_), Place::Field) => {
                let mut at = 0;
                while let Some(entry) = next(&mut map)? {
                    if entry == REF_MEMBER {
                        return self.mismatch("a single reference");
                    }
                    map.next_value_seed(self.at(Place::Entry(at)))?;
                    at += 1;
                }
                Ok(())
            }
            (FieldType::Collection(target) | FieldType::Ref(target), _) => {
                let mut target_found = false;
                while let Some(name) = next(&mut map)? {
                    if name != REF_MEMBER {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    let RefText(Some(text)) = map.next_value()? else {
                        return self.mismatch("a `$ref` that is no text");
                    };
                    match KeyRef::parse(&text) {
                        Err(_) => return self.mismatch("a `$ref` that is no key, `type:id`"),
                        Ok(key) if key.entity_type() != target => {
                            return self.mismatch("a reference to another type");
                        }
                        Ok(_) => target_found = true,
                    }
                }
                if target_found { Ok(()) } else { self.mismatch("an object without `$ref`") }
            }
            _ => self.mismatch("an object"),
        }
    }
}

/// The text of a `$ref`, borrowed where it has no escapes; `None` if it is none.
struct RefText<'de>(Option<Cow<'de, str>>);

impl<'de> serde::Deserialize<'de> for RefText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RefVisitor)
    }
}

struct RefVisitor;

impl<'de> Visitor<'de> for RefVisitor {
    type Value = RefText<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(RefText(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(RefText(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(RefText(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(RefText(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(RefText(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(RefText(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(RefText(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RefText(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(RefText(None))
    }
}
