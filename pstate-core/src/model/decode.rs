//! Documents as values of a program's types; what does not fit is explained without contents.
//!
//! serde's messages quote what they found: values, the names of unknown members and variants, and
//! whatever a `Deserialize` of the program puts into a message. To take them apart again is
//! guesswork. So a document that cannot be decoded is decoded once more, by a deserializer whose
//! error type keeps only what the program's types say: the names of their members and variants, and
//! what they expect.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Number;
use serde_json::value::RawValue;

use super::json::MemberName;
use super::misfit::{MAX_DEPTH, Misfit, Problem, Segment};

/// Decodes a document's text, which is valid JSON.
///
/// # Errors
/// Why the text does not fit the type: the path of the member, as far as the type names it, what
/// was expected and what kind of value was found.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).or_else(|error| decode_without_version(text, &error))
}

/// A type that refuses unknown members need not know of the version, which is ours.
#[cold]
fn decode_without_version<T: DeserializeOwned>(
    text: &str,
    error: &serde_json::Error,
) -> Result<T, String> {
    let Some(rest) = without_leading_version(text) else { return Err(explain::<T>(text)) };
    serde_json::from_str(&rest).map_err(|_| {
        let is_refused = error.to_string().starts_with("unknown field `$v`");
        explain::<T>(if is_refused { &rest } else { text })
    })
}

/// The text without its `$v`, if that stands first.
fn without_leading_version(text: &str) -> Option<String> {
    let rest = text.strip_prefix(r#"{"$v":"#)?.trim_start_matches(|c: char| c.is_ascii_digit());
    let members = rest.strip_prefix(',').or(rest.starts_with('}').then_some(rest))?;
    Some(format!("{{{members}"))
}

#[cold]
fn explain<T: DeserializeOwned>(text: &str) -> String {
    let raw: &RawValue = match serde_json::from_str(text) {
        Ok(raw) => raw,
        Err(_) => return Problem::Other.to_string(),
    };
    match T::deserialize(Raw { text: raw.get(), depth: 0 }) {
        Err(misfit) => misfit.to_string(),
        // A type that decodes the same text one time and not the other.
        Ok(_) => Problem::Other.to_string(),
    }
}

/// The text of a value, which is valid JSON without blanks around it.
#[derive(Clone, Copy)]
struct Raw<'de> {
    text: &'de str,
    depth: usize,
}

impl<'de> Raw<'de> {
    fn read<T: de::Deserialize<'de>>(self) -> Result<T, Misfit> {
        serde_json::from_str(self.text).map_err(|_| Problem::Other.into())
    }

    fn first(self) -> u8 {
        self.text.bytes().next().unwrap_or_default()
    }

    fn members(self, declared: &'static [&'static str]) -> Result<Members<'de>, Misfit> {
        let mut json = serde_json::Deserializer::from_str(self.text);
        let members = json.deserialize_map(AllMembers).map_err(|_| Misfit::from(Problem::Other))?;
        let members = members.into_iter();
        Ok(Members { members, value: None, declared, depth: self.deeper()? })
    }

    fn deeper(self) -> Result<usize, Misfit> {
        if self.depth < MAX_DEPTH { Ok(self.depth + 1) } else { Err(Problem::TooDeep.into()) }
    }

    fn visit<V: Visitor<'de>>(
        self,
        declared: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.first() {
            b'{' => {
                let mut members = self.members(declared)?;
                let value = visitor.visit_map(&mut members)?;
                check_end(members.members.len(), value)
            }
            b'[' => {
                let items: Vec<&RawValue> = self.read()?;
                let mut items =
                    Items { items: items.into_iter().enumerate(), depth: self.deeper()? };
                let value = visitor.visit_seq(&mut items)?;
                check_end(items.items.len(), value)
            }
            b'"' => visitor.visit_string(self.read()?),
            b'n' => visitor.visit_unit(),
            b't' | b'f' => visitor.visit_bool(self.first() == b't'),
            _ => visit_number(&self.read()?, visitor),
        }
    }
}

fn check_end<T>(left: usize, value: T) -> Result<T, Misfit> {
    if left == 0 { Ok(value) } else { Err(Problem::TooLong.into()) }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Misfit> {
    match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => visitor.visit_u64(number),
        (None, Some(number)) => visitor.visit_i64(number),
        (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
    }
}

impl<'de> Deserializer<'de> for Raw<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.visit(&[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.visit(members, visitor)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.text.parse() {
            Ok(number) => visitor.visit_i128(number),
            Err(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.text.parse() {
            Ok(number) => visitor.visit_u128(number),
            Err(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.first() == b'n' { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if name.starts_with("$serde_json::private::") {
            // A raw value, which only its own deserializer knows to make.
            let mut json = serde_json::Deserializer::from_str(self.text);
            let read = json.deserialize_newtype_struct(name, visitor);
            return read.map_err(|_| Problem::Other.into());
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let object_of_one = "a variant's name, or an object with one member of that name";
        let (name, value) = match self.first() {
            b'"' => (self.read::<Cow<'_, str>>()?, None),
            b'{' => {
                let mut members = self.members(&[])?;
                match (members.members.next(), members.members.len()) {
                    (Some((name, value)), 0) => {
                        (name, Some(Raw { text: value.get(), depth: members.depth }))
                    }
                    _ => return Err(de::Error::invalid_value(Unexpected::Map, &object_of_one)),
                }
            }
            b'[' => return Err(de::Error::invalid_type(Unexpected::Seq, &object_of_one)),
            b'n' => return Err(de::Error::invalid_type(Unexpected::Unit, &object_of_one)),
            b't' | b'f' => {
                return Err(de::Error::invalid_type(Unexpected::Bool(true), &object_of_one));
            }
            _ => return Err(de::Error::invalid_type(Unexpected::Signed(0), &object_of_one)),
        };
        visitor.visit_enum(Variant { name, value, declared: variants })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

/// A segment for a name of the document, if the type declares it.
fn segment(name: &str, declared: &'static [&'static str]) -> Segment {
    let declared = declared.iter().find(|declared| **declared == name);
    declared.map_or(Segment::Unnamed, |declared| Segment::Named(declared))
}

/// All members of an object, repeated ones included.
struct AllMembers;

impl<'de> Visitor<'de> for AllMembers {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((MemberName(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(members)
    }
}

struct Members<'de> {
    members: std::vec::IntoIter<(Cow<'de, str>, &'de RawValue)>,
    /// Of the member whose name was read.
    value: Option<(Segment, &'de RawValue)>,
    /// The names that the type declares.
    declared: &'static [&'static str],
    depth: usize,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let Some((name, value)) = self.members.next() else { return Ok(None) };
        self.value = Some((segment(&name, self.declared), value));
        seed.deserialize(Name(&name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some((segment, value)) = self.value.take() else { return Err(Problem::Other.into()) };
        let value = Raw { text: value.get(), depth: self.depth };
        seed.deserialize(value).map_err(|misfit| misfit.within(segment))
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::vec::IntoIter<&'de RawValue>>,
    depth: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some((at, item)) = self.items.next() else { return Ok(None) };
        let item = seed.deserialize(Raw { text: item.get(), depth: self.depth });
        item.map(Some).map_err(|misfit| misfit.within(Segment::Item(at)))
    }
}

/// The variant that a document names, with its value unless that is the name alone.
struct Variant<'de> {
    name: Cow<'de, str>,
    value: Option<Raw<'de>>,
    declared: &'static [&'static str],
}

/// The value of a variant, and its segment.
struct VariantValue<'de>(Segment, Option<Raw<'de>>);

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Misfit;
    type Variant = VariantValue<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, VariantValue<'de>), Misfit> {
        let variant = seed.deserialize(Name(&self.name))?;
        Ok((variant, VariantValue(segment(&self.name, self.declared), self.value)))
    }
}

impl<'de> VariantValue<'de> {
    fn read<T>(
        self,
        expected: &'static str,
        read: impl FnOnce(Raw<'de>) -> Result<T, Misfit>,
    ) -> Result<T, Misfit> {
        let Self(segment, Some(value)) = self else {
            return Err(de::Error::invalid_type(Unexpected::Str(""), &expected));
        };
        read(value).map_err(|misfit| misfit.within(segment))
    }
}

impl<'de> VariantAccess<'de> for VariantValue<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        if self.1.is_none() { Ok(()) } else { self.read("", de::Deserialize::deserialize) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        self.read("an object with the variant and its value", |value| seed.deserialize(value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.read("an object with the variant and its values", |value| {
            value.deserialize_tuple(len, visitor)
        })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.read("an object with the variant and its members", |value| {
            value.deserialize_struct("", members, visitor)
        })
    }
}

/// The name of a member or a variant.
struct Name<'a>(&'a str);

impl Name<'_> {
    /// A number or a boolean as a member's name.
    fn scalar<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match (serde_json::from_str(self.0), self.0) {
            (Ok(number), _) => visit_number(&number, visitor),
            (Err(_), "true" | "false") => visitor.visit_bool(self.0 == "true"),
            (Err(_), text) => visitor.visit_str(text),
        }
    }
}

macro_rules! scalar_names {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.scalar(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_str(self.0)
    }

    scalar_names! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let deserializer: StrDeserializer<'_, Misfit> = self.0.into_deserializer();
        deserializer.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}
