//! The text of what a program wants to store, written and checked in one pass.

use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

use super::entity::Entity;
use super::fit::{Container, Fit, Scalar};
use crate::model::json::{VERSION_MEMBER, expect_object, unwritable};
use crate::model::non_finite::non_finite;
use crate::model::written::{MAX_DEPTH, validate_written};
use crate::model::{Error, Result};

/// Room for a usual document, so that its text is moved only once.
const USUAL_LEN: usize = 512;

/// Up to how many members their names are compared with each other.
const MANY_MEMBERS: usize = 16;

/// A document that can be stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WrittenText {
    pub(crate) text: String,
    /// Its `$v`.
    pub(crate) version: Option<u32>,
    /// Whether it is sure to fit its declaration.
    pub(crate) fits: bool,
}

/// A document's JSON, checked by [`validate_written`], beside its declaration, if it has one.
///
/// Most of what that check looks for cannot come from a serializer, and the rest is noticed while
/// it writes; what is noticed is then checked.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for what is not an object, for numbers that
/// JSON cannot hold, and for what a read would refuse.
pub(crate) fn written_text<T: Serialize + ?Sized>(
    document: &T,
    entity: Option<&Entity>,
) -> Result<WrittenText> {
    let mut watch = Watch::new(entity);
    let mut text = Vec::with_capacity(USUAL_LEN);
    let written = document.serialize(&mut Serializer::with_formatter(&mut text, &mut watch));
    written.map_err(|error| unwritable(&error))?;
    let text = String::from_utf8(text)
        .map_err(|_| Error::invalid_input("its `Serialize` has written what is not UTF-8"))?;
    expect_object(&text).map_err(|error| Error::invalid_input(error.message()))?;
    if watch.has_null {
        expect_finite(document)?;
    }
    let version = if watch.is_doubtful { validate_written(&text)? } else { None };
    Ok(WrittenText { text, version, fits: watch.fit.is_sure() })
}

/// Refuses numbers that JSON cannot hold, which are written as null.
pub(crate) fn expect_finite<T: Serialize + ?Sized>(document: &T) -> Result<()> {
    let Some(place) = non_finite(document) else { return Ok(()) };
    let member = place.trim_start_matches('.');
    Err(Error::invalid_input(format!("member `{member}`: NaN and infinity are no JSON numbers")))
}

/// Writes as `serde_json` does by default, and notices what the checks are to look at.
struct Watch<'a> {
    /// The objects that are being written, the innermost last.
    objects: Vec<Members>,
    /// The names of their members, one behind the other, and where each of them ends.
    names: Vec<u8>,
    ends: Vec<usize>,
    depth: usize,
    in_name: bool,
    has_null: bool,
    /// A `$v`, a name that may be there twice, deep nesting, a text that was written elsewhere.
    is_doubtful: bool,
    fit: Fit<'a>,
}

/// The members of an object that are written so far.
#[derive(Clone, Copy)]
struct Members {
    /// The first of them, among all names, and where it begins.
    first: usize,
    begin: usize,
    /// Where the last one begins.
    last: usize,
    /// Whether each name is greater than the one before, so that none is there twice.
    ascend: bool,
}

impl<'a> Watch<'a> {
    fn new(entity: Option<&'a Entity>) -> Self {
        Self {
            objects: Vec::with_capacity(4),
            names: Vec::with_capacity(128),
            ends: Vec::with_capacity(16),
            depth: 0,
            in_name: false,
            has_null: false,
            is_doubtful: false,
            fit: Fit::new(entity),
        }
    }

    fn begin(&mut self, container: Container) {
        self.fit.begin(container, self.depth);
        self.depth += 1;
        self.is_doubtful |= self.depth > MAX_DEPTH;
    }

    fn scalar(&mut self, scalar: Scalar) {
        if !self.in_name {
            self.fit.scalar(scalar, self.depth);
        }
    }

    /// What was not written by the serializer is left to the checks.
    fn give_up(&mut self) {
        self.is_doubtful = true;
        self.fit.give_up();
    }

    fn end_name(&mut self) {
        self.in_name = false;
        let Some(members) = self.objects.last_mut() else { return };
        let Members { first, begin, last, ascend } = *members;
        let at = self.ends.len();
        let start = if at == first { begin } else { self.ends[at - 1] };
        let name = &self.names[start..];
        let ascends = ascend && (at == first || self.names[last..start] < *name);
        if !ascends {
            self.is_doubtful |= at - first >= MANY_MEMBERS;
            let mut from = begin;
            for end in &self.ends[first..] {
                self.is_doubtful |= self.names[from..*end] == *name;
                from = *end;
            }
        }
        (members.last, members.ascend) = (start, ascends);
        // A name without text may be a number, which passes by.
        self.is_doubtful |= match name.first() {
            None => true,
            Some(b'$') => is_reserved(name, self.depth),
            Some(_) => false,
        };
        match std::str::from_utf8(name) {
            Ok(name) => self.fit.name(name, self.depth),
            Err(_) => self.give_up(),
        }
        self.ends.push(self.names.len());
    }
}

/// Whether the check has to see a member whose name begins with `$`.
fn is_reserved(name: &[u8], depth: usize) -> bool {
    depth == 1 && name == VERSION_MEMBER.as_bytes() || name.starts_with(b"$serde_json")
}

macro_rules! scalars {
    ($($method:ident: $type:ty => $scalar:ident),* $(,)?) => {
        $(fn $method<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: $type) -> io::Result<()> {
            self.scalar(Scalar::$scalar);
            CompactFormatter.$method(writer, value)
        })*
    };
}

impl Formatter for &mut Watch<'_> {
    scalars! {
        write_bool: bool => Boolean,
        write_i8: i8 => Integer, write_i16: i16 => Integer, write_i32: i32 => Integer,
        write_i64: i64 => Integer, write_u8: u8 => Integer, write_u16: u16 => Integer,
        write_u32: u32 => Integer, write_u64: u64 => Integer, write_i128: i128 => Long,
        write_u128: u128 => Long, write_f32: f32 => Float, write_f64: f64 => Float,
    }

    fn write_null<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.has_null = true;
        self.scalar(Scalar::Null);
        writer.write_all(b"null")
    }

    fn write_number_str<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        number: &str,
    ) -> io::Result<()> {
        self.give_up();
        writer.write_all(number.as_bytes())
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.give_up();
        writer.write_all(fragment.as_bytes())
    }

    fn begin_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if !self.in_name {
            self.fit.begin_text(self.depth);
        }
        writer.write_all(b"\"")
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if !self.in_name {
            self.fit.end_text();
        }
        writer.write_all(b"\"")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if self.in_name {
            self.names.extend_from_slice(fragment.as_bytes());
        } else {
            self.fit.fragment(fragment);
        }
        writer.write_all(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        if self.in_name {
            self.give_up();
        } else {
            self.fit.escape();
        }
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(Container::Array);
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(Container::Object);
        let (first, begin) = (self.ends.len(), self.names.len());
        self.objects.push(Members { first, begin, last: begin, ascend: true });
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.fit.end_object(self.depth);
        self.depth -= 1;
        if let Some(Members { first, begin, .. }) = self.objects.pop() {
            self.ends.truncate(first);
            self.names.truncate(begin);
        }
        writer.write_all(b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.in_name = true;
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.end_name();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{Just, ProptestConfig, Strategy, prop, proptest};
    use proptest::{prop_assert, prop_oneof};
    use serde::de::DeserializeSeed;
    use serde::ser::{SerializeMap, Serializer};
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;
    use crate::schema::check::DocumentCheck;
    use crate::schema::{any, boolean, float, has_many, has_one, integer, list, map, string};

    /// An object with its members as they come, which a tree would not hold.
    #[derive(Debug, Clone)]
    struct Members(Vec<(String, Part)>);

    #[derive(Debug, Clone)]
    enum Part {
        Value(Value),
        Members(Members),
    }

    impl Serialize for Members {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for (name, part) in &self.0 {
                match part {
                    Part::Value(value) => map.serialize_entry(name, value)?,
                    Part::Members(members) => map.serialize_entry(name, members)?,
                }
            }
            map.end()
        }
    }

    fn agrees<T: Serialize>(document: &T) {
        let plain = serde_json::to_string(document).unwrap();
        let checked = validate_written(&plain).map(|version| (plain, version));
        let written = written_text(document, None).map(|written| (written.text, written.version));
        assert_eq!(
            written.map_err(|error| error.to_string()),
            checked.map_err(|error| error.to_string())
        );
    }

    #[test]
    fn what_the_check_refuses_is_refused_however_it_is_written() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        agrees(&json!({"a": 1, "b": [1.5, null, true, {"$ref": "card:1"}], "$v": 3}));
        agrees(&json!({"a": {"$v": "no version"}}));
        agrees(&json!({"$v": "no version"}));
        agrees(&json!({"a\"": 1, "a\n": 2, "": 3}));
        agrees(&json!([1]));
        agrees(&json!("text"));
        agrees(&BTreeMap::from([(1, 2), (3, 4)]));
        agrees(&BTreeMap::from([("a", raw(r#"{"b":1,"b":2}"#))]));
        agrees(&BTreeMap::from([("a", raw("1e999"))]));
        agrees(&BTreeMap::from([("a", raw(r#""\ud800""#))]));
        agrees(&raw(r#" {"$v":4}"#));
        agrees(&json!({"a": {"$serde_json::private::Number": "1"}}));
        for levels in [MAX_DEPTH - 1, MAX_DEPTH] {
            agrees(&(0..levels).fold(json!(0), |inner, _| json!({ "a": inner })));
            agrees(&json!({"a": (1..levels).fold(json!(0), |inner, _| json!([inner]))}));
        }
        let many = |last: &str| {
            let names = (0..40).rev().map(|n| format!("m{n}")).chain([last.to_owned()]);
            Members(names.map(|name| (name, Part::Value(json!(1)))).collect())
        };
        agrees(&many("m7"));
        agrees(&many("n"));
    }

    fn members() -> impl Strategy<Value = Members> {
        let values = prop_oneof![Just(json!(null)), Just(json!(1)), Just(json!([{"a": "b"}]))];
        let part = values.prop_map(Part::Value);
        let leaf = prop::collection::vec(("[ab$v\"]{0,2}", part), 0..5).prop_map(Members);
        leaf.prop_recursive(3, 20, 4, |inner| {
            let part = prop_oneof![
                Just(()).prop_map(|()| Part::Value(json!(2))),
                inner.prop_map(Part::Members)
            ];
            prop::collection::vec(("[ab$v]{1,2}", part), 0..4).prop_map(Members)
        })
    }

    fn entity(required: bool) -> Entity {
        let fields = [
            string("s"),
            integer("i"),
            float("f"),
            boolean("b"),
            map("m"),
            list("l"),
            any("a"),
            has_one("r", "card"),
            has_many("c", "card"),
        ];
        fields.into_iter().fold(Entity::new("deck", 1), |entity, field| {
            entity.field(if required { field.required() } else { field })
        })
    }

    fn fits(document: &Value, required: bool) -> bool {
        written_text(document, Some(&entity(required))).unwrap().fits
    }

    #[test]
    fn what_fits_is_known_without_another_pass() {
        let document = json!({
            "s": "\n", "i": 1, "f": 1, "b": true, "m": {"x": [{}]}, "l": [[1], {"$ref": 2}],
            "a": [null], "r": {"$ref": "card:1"}, "c": [{"$ref": "card:1"}, null], "other": {"s": 1}
        });
        assert!(fits(&document, true));
        for (name, value) in [
            ("c", json!({"a": {"$ref": "card:1"}, "b": null})),
            ("c", json!([])),
            ("f", json!(1.5)),
            ("i", json!(u64::MAX)),
        ] {
            let mut changed = document.clone();
            changed[name] = value;
            assert!(fits(&changed, true), "{changed}");
        }
        assert!(fits(&json!({}), false) && !fits(&json!({"s": ""}), true));
    }

    fn parts() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            Just(json!(true)),
            Just(json!(1)),
            Just(json!(1.5)),
            Just(json!("text")),
            Just(json!("card:1")),
            Just(json!("deck:1")),
            Just(json!("card:\"")),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let name = prop_oneof![3 => Just("$ref"), 1 => Just("x"), 1 => Just("y")];
            let members = prop::collection::vec((name, inner.clone()), 0..3);
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(Value::from),
                members.prop_map(|members| {
                    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                    Value::Object(members.collect())
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_is_sure_to_fit_passes_the_check(
            members in prop::collection::vec(("[sifbmlarcx]", parts()), 0..5),
            required in proptest::bool::ANY,
        ) {
            let document = Value::Object(members.into_iter().collect());
            let text = document.to_string();
            let entity = entity(required);
            let mut json = serde_json::Deserializer::from_str(&text);
            let checked = DocumentCheck(&entity).deserialize(&mut json);
            if fits(&document, required) {
                prop_assert!(checked.is_ok(), "{}: {:?}", text, checked);
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_check(document in members()) {
            agrees(&document);
        }
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_refused() {
        let error = written_text(&BTreeMap::from([("ease", f64::NAN)]), None).unwrap_err();
        assert_eq!(error.message(), "member `ease`: NaN and infinity are no JSON numbers");
    }
}
