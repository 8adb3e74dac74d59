//! Finding the numbers that JSON cannot hold, in what a program wants to store.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

/// Where a value holds a NaN or an infinity, as a path of members: `.ease`, `.scores[3]`.
///
/// `serde_json` writes them as null, which a number is not read from again.
pub(crate) fn non_finite<T: Serialize + ?Sized>(value: &T) -> Option<String> {
    let mut finder = Finder { path: String::new(), key: String::new() };
    value.serialize(&mut finder).err().map(|Found(path)| path)
}

struct Finder {
    path: String,
    /// The last key of a map.
    key: String,
}

impl Finder {
    fn within<T: Serialize + ?Sized>(
        &mut self,
        place: fmt::Arguments<'_>,
        value: &T,
    ) -> Result<(), Found> {
        let len = self.path.len();
        self.path.push_str(&place.to_string());
        value.serialize(&mut *self)?;
        self.path.truncate(len);
        Ok(())
    }

    fn float(&self, is_finite: bool) -> Result<(), Found> {
        if is_finite { Ok(()) } else { Err(Found(self.path.clone())) }
    }
}

/// The path of a number that is not finite.
#[derive(Debug)]
struct Found(String);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Found {}

impl ser::Error for Found {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The elements of a list, or the members of an object, with the place in the former.
struct Parts<'a> {
    finder: &'a mut Finder,
    at: usize,
}

macro_rules! finite {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, _: $type) -> Result<(), Found> {
            Ok(())
        })*
    };
}

impl<'a> Serializer for &'a mut Finder {
    type Ok = ();
    type Error = Found;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    finite! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_char: char,
        serialize_bytes: &[u8], serialize_unit_struct: &'static str
    }

    fn serialize_f32(self, number: f32) -> Result<(), Found> {
        self.float(number.is_finite())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Found> {
        self.float(number.is_finite())
    }

    fn serialize_str(self, text: &str) -> Result<(), Found> {
        text.clone_into(&mut self.key);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &str, _: u32, _: &str) -> Result<(), Found> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &str,
        value: &T,
    ) -> Result<(), Found> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &str,
        _: u32,
        variant: &str,
        value: &T,
    ) -> Result<(), Found> {
        self.within(format_args!(".{variant}"), value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Found> {
        Ok(Parts { finder: self, at: 0 })
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Found> {
        Ok(Parts { finder: self, at: 0 })
    }

    fn serialize_tuple_struct(self, _: &str, _: usize) -> Result<Parts<'a>, Found> {
        Ok(Parts { finder: self, at: 0 })
    }

    fn serialize_tuple_variant(
        self,
        _: &str,
        _: u32,
        _: &str,
        _: usize,
    ) -> Result<Parts<'a>, Found> {
        Ok(Parts { finder: self, at: 0 })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Found> {
        Ok(Parts { finder: self, at: 0 })
    }

    fn serialize_struct(self, _: &str, _: usize) -> Result<Parts<'a>, Found> {
        Ok(Parts { finder: self, at: 0 })
    }

    fn serialize_struct_variant(
        self,
        _: &str,
        _: u32,
        _: &str,
        _: usize,
    ) -> Result<Parts<'a>, Found> {
        Ok(Parts { finder: self, at: 0 })
    }
}

impl Parts<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
        let at = self.at;
        self.at += 1;
        self.finder.within(format_args!("[{at}]"), value)
    }
}

macro_rules! items {
    ($($kind:ident: $method:ident),*) => {
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Found;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
                self.item(value)
            }

            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
}

items! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

macro_rules! fields {
    ($($kind:ident),*) => {
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Found;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Found> {
                self.finder.within(format_args!(".{name}"), value)
            }

            fn end(self) -> Result<(), Found> {
                Ok(())
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Found;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Found> {
        self.finder.key.clear();
        key.serialize(&mut *self.finder)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Found> {
        let key = std::mem::take(&mut self.finder.key);
        self.finder.within(format_args!(".{key}"), value)
    }

    fn end(self) -> Result<(), Found> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(serde::Serialize)]
    struct Scores {
        ease: f64,
        by_name: BTreeMap<String, Option<f32>>,
        list: Vec<(u8, f64)>,
        shape: Shape,
    }

    #[derive(serde::Serialize)]
    enum Shape {
        Circle(f64),
        Box { side: f64 },
    }

    fn scores() -> Scores {
        Scores {
            ease: 1.5,
            by_name: BTreeMap::from([("a".into(), None), ("b".into(), Some(2.0))]),
            list: vec![(1, 1.0), (2, 2.0)],
            shape: Shape::Circle(1.0),
        }
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_found_wherever_they_stand() {
        assert_eq!(non_finite(&scores()), None);
        assert_eq!(non_finite(&Scores { ease: f64::NAN, ..scores() }).unwrap(), ".ease");
        let mut at_b = scores();
        at_b.by_name.insert("b".into(), Some(f32::NEG_INFINITY));
        assert_eq!(non_finite(&at_b).unwrap(), ".by_name.b");
        let mut in_list = scores();
        in_list.list[1].1 = f64::INFINITY;
        assert_eq!(non_finite(&in_list).unwrap(), ".list[1][1]");
        let circle = Scores { shape: Shape::Circle(f64::NAN), ..scores() };
        assert_eq!(non_finite(&circle).unwrap(), ".shape.Circle");
        let square = Scores { shape: Shape::Box { side: f64::NAN }, ..scores() };
        assert_eq!(non_finite(&square).unwrap(), ".shape.side");
    }
}
