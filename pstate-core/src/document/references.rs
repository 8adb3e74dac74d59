//! Finding references in a document's text without building a tree.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::model::json::{NUMBER_MEMBER, NumberText, VERSION_MEMBER, Version, without_content};
use crate::model::{Error, Key, MemberName, REF_MEMBER, Result, Shown};

/// The members whose references a reader is going to follow: sorted, each once.
pub(crate) type Members = Arc<[Arc<str>]>;

/// What a member of a document refers to.
#[derive(Debug, Clone)]
pub(crate) enum MemberReferences {
    /// The document does not have the member.
    Absent,
    /// The references, in the order in which they are written; none for null.
    Keys(Arc<[Key]>),
    /// A value without references: what it is.
    Other(&'static str),
    /// A collection or reference of which a part is malformed: why, and the references in the
    /// rest.
    Damaged { keys: Arc<[Key]>, why: Arc<str> },
}

impl MemberReferences {
    /// The references that can be read; `None` if the member is absent or holds something else.
    pub(crate) fn keys(&self) -> Option<&Arc<[Key]>> {
        match self {
            Self::Keys(keys) | Self::Damaged { keys, .. } => Some(keys),
            Self::Absent | Self::Other(_) => None,
        }
    }

    /// Why the member, which has this name, cannot be followed, or not as a whole.
    pub(crate) fn error(&self, name: &str) -> Option<Error> {
        let name = Shown(name);
        match self {
            Self::Absent | Self::Keys(_) => None,
            Self::Other(kind) => Some(Error::invalid_input(format!(
                "field {name}: expected a reference or a collection of references, found {kind}"
            ))),
            Self::Damaged { why, .. } => Some(Error::corrupt(format!("field {name}{why}"))),
        }
    }
}

/// What each of the members, which are sorted, refers to.
///
/// One pass over the text, whatever the number of members.
pub(super) fn collect(text: &str, members: &[&str]) -> Result<Vec<MemberReferences>> {
    let (_, found) = serde_json::Deserializer::from_str(text)
        .deserialize_map(Collector { members })
        .map_err(|error| Error::corrupt(without_content(&error)))?;
    Ok(found)
}

/// The `$v` of a text that is one JSON object in UTF-8, and what each of the members refers to, all
/// in one pass.
///
/// `None` for a text of which [`validate`](crate::model::json::validate) has to say what is wrong
/// with it, or that is valid although a followed member cannot be held in memory.
pub(super) fn validate_and_collect(
    bytes: &[u8],
    members: &[Arc<str>],
) -> Option<(Option<u32>, Vec<MemberReferences>)> {
    // A followed `$v` would not be read as the version.
    if members.iter().any(|member| **member == *VERSION_MEMBER) {
        return None;
    }
    let mut json = serde_json::Deserializer::from_str(std::str::from_utf8(bytes).ok()?);
    let read = json.deserialize_map(Collector { members }).ok()?;
    json.end().ok()?;
    Some(read)
}

/// The key, if the value is a reference.
pub(crate) fn reference(value: &Value) -> Option<Key> {
    value.as_object()?.get(REF_MEMBER)?.as_str()?.parse().ok()
}

/// Reads a document's version, and what members refer to.
struct Collector<'a, M> {
    members: &'a [M],
}

impl<'de, M: AsRef<str>> Visitor<'de> for Collector<'_, M> {
    type Value = (Option<u32>, Vec<MemberReferences>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { members } = self;
        debug_assert!(members.is_sorted_by_key(AsRef::as_ref), "members are searched by bisection");
        let (mut version, mut found) = (None, vec![MemberReferences::Absent; members.len()]);
        while let Some(MemberName(name)) = map.next_key()? {
            match members.binary_search_by(|member| member.as_ref().cmp(&name)) {
                // A member that is written twice counts as it was written last.
                Ok(at) => found[at] = map.next_value_seed(Member)?,
                Err(_) if name == VERSION_MEMBER => version = Some(map.next_value::<Version>()?.0),
                Err(_) => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok((version, found))
    }
}

/// An entry of a collection.
enum Entry {
    /// Null: it refers to nothing.
    Nothing,
    Reference(Key),
    /// A value that is no reference: what it is.
    Other(&'static str),
    /// A `$ref` that is no key: what it is.
    Malformed(&'static str),
}

/// The entries of a collection so far.
#[derive(Default)]
struct Entries {
    count: usize,
    keys: Vec<Key>,
    /// The first that is malformed, with its place.
    malformed: Option<String>,
    /// The first that is no reference, with its place.
    other: Option<String>,
}

impl Entries {
    /// Adds the next entry. A message names its number: its name is part of the contents.
    fn add(&mut self, entry: Entry) {
        let at = self.count;
        self.count += 1;
        let mismatch = |found: &str| format!(", entry {at}: expected a reference, found {found}");
        match entry {
            Entry::Nothing => {}
            Entry::Reference(key) => self.keys.push(key),
            Entry::Other(kind) => {
                self.other.get_or_insert_with(|| mismatch(kind));
            }
            Entry::Malformed(why) => {
                self.malformed.get_or_insert_with(|| mismatch(why));
            }
        }
    }

    /// What a collection of these is; `kind` if no entry looks like a reference.
    fn finish(self, kind: &'static str) -> MemberReferences {
        let Self { keys, malformed, other, .. } = self;
        let damaged = match (malformed, other) {
            (None, Some(_)) if keys.is_empty() => return MemberReferences::Other(kind),
            (malformed, other) => malformed.or(other),
        };
        match damaged {
            None => MemberReferences::Keys(keys.into()),
            Some(why) => MemberReferences::Damaged { keys: keys.into(), why: why.into() },
        }
    }
}

/// The value of one member.
struct Member;

impl<'de> DeserializeSeed<'de> for Member {
    type Value = MemberReferences;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<MemberReferences, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member {
    type Value = MemberReferences;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("references")
    }

    fn visit_unit<E>(self) -> Result<MemberReferences, E> {
        Ok(MemberReferences::Keys(Arc::default()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<MemberReferences, E> {
        Ok(MemberReferences::Other("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<MemberReferences, E> {
        Ok(MemberReferences::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<MemberReferences, E> {
        Ok(MemberReferences::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<MemberReferences, E> {
        Ok(MemberReferences::Other("a number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<MemberReferences, E> {
        Ok(MemberReferences::Other("a string"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<MemberReferences, A::Error> {
        let mut entries = Entries::default();
        while let Some(entry) = seq.next_element_seed(EntrySeed)? {
            entries.add(entry);
        }
        Ok(entries.finish("an array without references"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MemberReferences, A::Error> {
        let mut reference = None;
        let mut entries = Entries::default();
        while let Some(MemberName(name)) = map.next_key()? {
            if name == REF_MEMBER {
                reference = Some(map.next_value_seed(RefSeed)?);
            } else if name == NUMBER_MEMBER {
                map.next_value::<NumberText>()?;
                return Ok(MemberReferences::Other("a number"));
            } else if reference.is_some() {
                map.next_value::<IgnoredAny>()?;
            } else {
                entries.add(map.next_value_seed(EntrySeed)?);
            }
        }
        Ok(match reference {
            // It is one reference: whatever stands beside `$ref` is no part of it.
            Some(Ok(key)) => MemberReferences::Keys([key].into()),
            Some(Err(why)) => MemberReferences::Damaged {
                keys: Arc::default(),
                why: format!(": expected a reference, found {why}").into(),
            },
            None => entries.finish("an object without references"),
        })
    }
}

/// One entry of a collection.
struct EntrySeed;

impl<'de> DeserializeSeed<'de> for EntrySeed {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entry, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference")
    }

    fn visit_unit<E>(self) -> Result<Entry, E> {
        Ok(Entry::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Entry, E> {
        Ok(Entry::Other("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Entry, E> {
        Ok(Entry::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Entry, E> {
        Ok(Entry::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Entry, E> {
        Ok(Entry::Other("a number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Entry, E> {
        Ok(Entry::Other("a string"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let mut reference = None;
        while let Some(MemberName(name)) = map.next_key()? {
            if name == REF_MEMBER {
                reference = Some(map.next_value_seed(RefSeed)?);
            } else if name == NUMBER_MEMBER {
                map.next_value::<NumberText>()?;
                return Ok(Entry::Other("a number"));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(match reference {
            None => Entry::Other("an object without `$ref`"),
            Some(Ok(key)) => Entry::Reference(key),
            Some(Err(why)) => Entry::Malformed(why),
        })
    }
}

/// What stands under `$ref`: a key, or why it is none. The text is not quoted, since it is part of
/// the document.
struct RefSeed;

impl RefSeed {
    fn no_text() -> Result<Key, &'static str> {
        Err("a `$ref` that is no text")
    }
}

impl<'de> DeserializeSeed<'de> for RefSeed {
    type Value = Result<Key, &'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RefSeed {
    type Value = Result<Key, &'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Key::parse(text).map_err(|_| "a `$ref` that is no key, `type:id`"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Self::no_text())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Self::no_text())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Self::no_text())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Self::no_text())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Self::no_text())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::no_text())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::no_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorKind;
    use crate::model::json::validate;

    /// The readable references in a member, and what is wrong with it.
    fn read(text: &str, member: &str) -> (Vec<String>, Option<Error>) {
        let found = collect(text, &[member]).unwrap();
        let keys = found[0].keys().into_iter().flat_map(|keys| keys.iter());
        (keys.map(ToString::to_string).collect(), found[0].error(member))
    }

    #[track_caller]
    fn keys(text: &str, member: &str) -> Vec<String> {
        let (keys, error) = read(text, member);
        assert!(error.is_none(), "{text}: {error:?}");
        keys
    }

    #[test]
    fn a_single_reference_an_array_and_an_object_are_followed() {
        assert_eq!(keys(r#"{"a":{"$ref":"u:1"}}"#, "a"), ["u:1"]);
        assert_eq!(keys(r#"{"a":[{"$ref":"u:2"},{"$ref":"u:1"}]}"#, "a"), ["u:2", "u:1"]);
        let before = r#"{"a":{"name":"x","$ref":"u:1","more":[1]}}"#;
        assert_eq!(keys(before, "a"), ["u:1"]);
        let object = r#"{"a":{"z":{"$ref":"u:3"},"b":{"more":[1],"$ref":"u:1"}}}"#;
        assert_eq!(keys(object, "a"), ["u:3", "u:1"]);
    }

    #[test]
    fn absent_null_and_empty_hold_no_references() {
        for text in [r#"{"b":1}"#, r#"{"a":null}"#, r#"{"a":{}}"#, r#"{"a":[]}"#] {
            assert_eq!(keys(text, "a"), [""; 0], "{text}");
        }
    }

    #[test]
    fn null_entries_of_a_collection_are_left_out() {
        assert_eq!(keys(r#"{"a":[null,{"$ref":"u:1"},null]}"#, "a"), ["u:1"]);
        assert_eq!(keys(r#"{"a":{"x":{"$ref":"u:1"},"y":null}}"#, "a"), ["u:1"]);
        assert_eq!(keys(r#"{"a":[null]}"#, "a"), [""; 0]);
    }

    #[test]
    fn a_value_without_references_is_invalid_input_that_names_its_kind() {
        for (value, kind) in [
            ("\"u:1\"", "a string"),
            ("1", "a number"),
            ("-1.5", "a number"),
            ("true", "a boolean"),
            (r#"["u:1"]"#, "an array without references"),
            (r#"[[{"$ref":"u:1"}]]"#, "an array without references"),
            (r#"{"x":{"y":[[1]]}}"#, "an object without references"),
        ] {
            let error = read(&format!(r#"{{"a":{value}}}"#), "a").1.unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{value}");
            let expected = "field `a`: expected a reference or a collection of references, found";
            assert_eq!(error.to_string(), format!("{expected} {kind}"));
        }
    }

    #[test]
    fn a_malformed_reference_is_corrupt_and_leaves_the_others_readable() {
        for (value, why) in [
            (r#"[{"$ref":"u:1"},"u:2"]"#, ", entry 1: expected a reference, found a string"),
            (
                r#"{"b":{"$ref":"u:1"},"x":{"$ref":"secret"}}"#,
                ", entry 1: expected a reference, found a `$ref` that is no key, `type:id`",
            ),
            (
                r#"[{"$ref":"u:1"},{"$ref":[{"deep":[]}]}]"#,
                ", entry 1: expected a reference, found a `$ref` that is no text",
            ),
            (
                r#"{"b":{"$ref":"u:1"},"c":{"y":1}}"#,
                ", entry 1: expected a reference, found an object without `$ref`",
            ),
        ] {
            let (keys, error) = read(&format!(r#"{{"a":{value}}}"#), "a");
            let error = error.unwrap();
            assert_eq!((keys, error.kind()), (vec!["u:1".to_owned()], ErrorKind::Corrupt));
            assert_eq!(error.to_string(), format!("field `a`{why}"));
        }
        let (keys, error) = read(r#"{"a":{"x":{"$ref":"u:1"},"$ref":7}}"#, "a");
        assert_eq!(keys, [""; 0]);
        let expected = "field `a`: expected a reference, found a `$ref` that is no text";
        assert_eq!(error.unwrap().to_string(), expected);
    }

    #[test]
    fn what_is_validated_and_collected_in_one_pass_is_what_two_passes_give() {
        let members: Members = Arc::new(["a".into(), "b".into()]);
        for text in [
            r#"{"$v":3,"a":[{"$ref":"u:1"}],"c":1}"#,
            r#"{"a":{"$ref":"u:1"},"b":7,"$v":2,"$v":4}"#,
            " { } ",
        ] {
            let (version, found) = validate_and_collect(text.as_bytes(), &members).unwrap();
            assert_eq!(version, validate(text.as_bytes()).unwrap(), "{text}");
            let apart = collect(text, &["a", "b"]).unwrap();
            assert_eq!(format!("{found:?}"), format!("{apart:?}"), "{text}");
        }
        for text in [r#"{"a":1"#, r#"{"a":1} x"#, r#"{"$v":"x"}"#, "[]", "", r#"{"a":1e999}"#] {
            assert!(validate_and_collect(text.as_bytes(), &members).is_none(), "{text}");
        }
        assert!(validate_and_collect(b"{\"a\":\"\xff\"}", &members).is_none());
        let with_version: Members = Arc::new(["$v".into()]);
        assert!(validate_and_collect(br#"{"$v":1}"#, &with_version).is_none());
    }

    #[test]
    fn several_members_are_found_in_one_pass_each_for_itself() {
        let text = r#"{"b":"x","a":[{"$ref":"u:1"}],"d":{"$ref":"u:2"},"a":{"$ref":"u:3"}}"#;
        let found = collect(text, &["a", "b", "c", "d"]).unwrap();
        let keys = |at: usize| found[at].keys().map(|keys| keys[0].as_str());
        assert_eq!((keys(0), keys(1), keys(2), keys(3)), (Some("u:3"), None, None, Some("u:2")));
        assert!(matches!(
            found[1..3],
            [MemberReferences::Other("a string"), MemberReferences::Absent]
        ));
    }
}
