//! Errors quote nothing of what is stored: they are logged.

use std::collections::{BTreeMap, HashMap};
use std::error::Error as _;
use std::fmt::Debug;

use proptest::prelude::*;
use pstate::schema::{
    Entity, Schema, boolean, float, has_many, has_one, integer, list, map, patterns, string,
};
use pstate::{Document, Error, ErrorKind, Key, MemoryAdapter, PState, Record, Ref, Revision};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// In every text and name of a document.
const MARKER: &str = "hunter2";
/// In every number.
const NUMBER: &str = "77007700";

#[track_caller]
fn assert_quotes_nothing(error: &Error) {
    let mut texts = vec![error.to_string(), format!("{error:?}"), format!("{error:#?}")];
    let mut source = error.source();
    while let Some(cause) = source {
        texts.extend([cause.to_string(), format!("{cause:?}")]);
        source = cause.source();
    }
    for text in texts {
        assert!(!text.contains(MARKER) && !text.contains(NUMBER), "{text}");
    }
}

fn document(text: &str) -> Document {
    let record =
        Record { bytes: text.as_bytes().into(), revision: Revision::of_content(text.as_bytes()) };
    Document::load("card:1".parse().unwrap(), record).unwrap()
}

macro_rules! types {
    ($($item:item)*) => {
        $(#[derive(Debug, Deserialize)]
        #[allow(dead_code, reason = "only their shapes matter")]
        $item)*
    };
}

types! {
    #[serde(deny_unknown_fields)]
    struct Strict {
        front: String,
        rank: u8,
        owner: Option<Ref>,
        inner: Option<Box<Strict>>,
        kind: Option<External>,
    }
    struct Loose {
        #[serde(default)]
        front: String,
        rank: Option<u32>,
        owner: Option<Key>,
        kind: Option<Internal>,
        pair: Option<(u8, bool)>,
        list: Option<Vec<Loose>>,
        named: Option<HashMap<String, i16>>,
        numbered: Option<BTreeMap<u16, char>>,
    }
    struct Flat {
        rank: Option<f32>,
        #[serde(flatten)]
        rest: BTreeMap<String, External>,
    }
    struct Custom {
        front: Quoting,
    }
    enum External {
        Unit,
        Newtype(u8),
        Pair(u8, bool),
        #[serde(rename_all = "snake_case")]
        Struct { rank: u8 },
    }
    #[serde(tag = "kind", deny_unknown_fields)]
    enum Internal {
        Front { rank: u8 },
        Back { front: bool },
    }
    #[serde(tag = "kind", content = "front")]
    enum Adjacent {
        Front(u8),
        Back { rank: bool },
    }
    #[serde(untagged)]
    enum Untagged {
        Rank { rank: u8 },
        Front { front: bool },
    }
    struct Unit;
    struct Newtype(u8);
    struct Tuple(u8, String, bool);
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
enum Side {
    #[serde(rename = "front")]
    Front,
    #[serde(rename = "rank")]
    Back,
}

/// A type whose messages imitate those of serde and quote the value.
#[derive(Debug)]
struct Quoting;

impl<'de> Deserialize<'de> for Quoting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let value = value.to_string();
        Err(match value.len() % 4 {
            0 => D::Error::custom(format_args!("no card: {value}")),
            1 => D::Error::custom(format_args!("invalid type: {value}, expected {value}")),
            2 => D::Error::custom(format_args!("unknown field `{value}`, expected `{value}`")),
            _ => D::Error::custom(format_args!(
                "data did not match any variant of untagged enum {value}"
            )),
        })
    }
}

fn decode<T: DeserializeOwned + Debug + Send + Sync + 'static>(text: &str) {
    if let Err(error) = document(text).decode::<T>() {
        assert_quotes_nothing(&error);
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(error.message().starts_with("cannot be read as "), "{error}");
    }
}

fn text() -> impl Strategy<Value = String> {
    let around = ["", "`", "`, expected `", "\"", "\\", " at line 1 column 2", ", expected ", "a:"];
    (prop::sample::select(around.to_vec()), prop::sample::select(around.to_vec()))
        .prop_map(|(before, after)| format!("{before}{MARKER}{after}"))
}

fn name() -> impl Strategy<Value = String> {
    let known = [
        "front", "rank", "owner", "inner", "kind", "pair", "list", "named", "numbered", "Unit",
        "Newtype", "Pair", "Struct", "$ref", "cards", "$v",
    ];
    prop_oneof![8 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 2 => text()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        3 => text().prop_map(Value::from),
        1 => prop::sample::select(vec!["Unit", "Front", "Back"]).prop_map(Value::from),
        1 => Just(json!(77_007_700_u64)),
        1 => Just(json!(-77_007_700)),
        1 => Just(json!(77_007_700.5)),
        1 => Just(json!(7_700_770_077_007_700_u64)),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => members(inner),
        ]
    })
}

fn members(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let members = prop::collection::vec((name(), value), 0..6);
    members.prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn schema() -> Schema {
    Schema::new([
        Entity::new("card", 2)
            .field(string("front").required())
            .field(integer("rank"))
            .field(has_one("owner", "user"))
            .field(boolean("kind"))
            .field(map("named"))
            .field(float("pair"))
            .field(has_many("list", "card").migrate(patterns::ids_to_refs))
            .field(list("numbered").migrate(patterns::split_text(",")))
            .step(1, 2, patterns::flatten("inner")),
        // A step that passes an error of serde on.
        Entity::new("typed", 2).step(1, 2, |typed| {
            let _: Strict = serde_json::from_value(Value::Object(typed.clone()))?;
            Ok(())
        }),
    ])
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn errors_of_decoding_checking_and_following_quote_nothing(document in members(value())) {
        let mut stored = document.clone();
        stored.as_object_mut().unwrap().remove("$v");
        let text = stored.to_string();
        decode::<Strict>(&text);
        decode::<Loose>(&text);
        decode::<Flat>(&text);
        decode::<Custom>(&text);
        decode::<External>(&text);
        decode::<Internal>(&text);
        decode::<Adjacent>(&text);
        decode::<Untagged>(&text);
        decode::<Unit>(&text);
        decode::<Newtype>(&text);
        decode::<Tuple>(&text);
        decode::<Vec<u8>>(&text);
        decode::<HashMap<String, Strict>>(&text);
        decode::<BTreeMap<Side, u8>>(&text);
        decode::<Ref>(&text);
        for member in ["owner", "list", "named", "cards"] {
            if let Err(error) = self::document(&text).references(member) {
                assert_quotes_nothing(&error);
            }
        }
        let schema = schema();
        for entity_type in ["card", "typed"] {
            for document in [&document, &stored] {
                if let Err(error) = schema.migrate(entity_type, document) {
                    assert_quotes_nothing(&error);
                }
            }
        }
    }

    #[test]
    fn errors_of_what_is_no_document_quote_nothing(text in "[{}\\[\\],:0-9 ]{0,6}", at in 0..7_usize) {
        let at = at.min(text.len());
        let texts = [
            format!("{}{MARKER}{}", &text[..at], &text[at..]),
            format!("{}\"{MARKER}\"{}", &text[..at], &text[at..]),
            format!("{{\"{MARKER}\":{NUMBER}{text}"),
            format!("{{\"$v\":\"{MARKER}\"}}"),
            format!("{{\"$v\":{NUMBER}{NUMBER}}}"),
        ];
        for text in texts {
            let bytes = text.as_bytes().into();
            let record = Record { bytes, revision: Revision::of_content(text.as_bytes()) };
            if let Err(error) = Document::load("card:1".parse().unwrap(), record) {
                assert_quotes_nothing(&error);
            }
        }
    }
}

#[test]
fn an_error_of_decoding_names_the_member_that_the_type_knows_and_what_it_expects() {
    #[track_caller]
    fn why<T: DeserializeOwned + Debug + Send + Sync + 'static>(document: &Value) -> String {
        let error = self::document(&document.to_string()).decode::<T>().unwrap_err();
        let message = error.message().to_owned();
        message.split_once(": ").unwrap().1.to_owned()
    }
    let strict = |member: &str, value: Value| {
        let mut document = json!({ "front": "a", "rank": 1 });
        document[member] = value;
        document
    };
    assert_eq!(why::<Strict>(&json!({ "front": "a" })), "member `rank` is missing");
    assert_eq!(
        why::<Strict>(&strict("rank", json!("1"))),
        "member `rank`: expected u8, found a string"
    );
    assert_eq!(
        why::<Strict>(&strict("rank", json!(256))),
        "member `rank`: expected u8, and the integer there is none"
    );
    assert_eq!(
        why::<Strict>(&strict("rank", json!(1.5))),
        "member `rank`: expected u8, found a number other than a 64-bit integer"
    );
    assert_eq!(
        why::<Strict>(&strict("surname", json!(1))),
        "a member that the type does not have; it has `front`, `rank`, `owner`, `inner` or `kind`"
    );
    assert_eq!(
        why::<Strict>(&strict("inner", json!({ "front": "a", "rank": null }))),
        "member `inner.rank`: expected u8, found null"
    );
    assert_eq!(
        why::<Strict>(&strict("owner", json!({ "$ref": "nobody" }))),
        "member `owner.*`: expected a key, `type:id`, and the string there is none"
    );
    assert_eq!(
        why::<Strict>(&strict("kind", json!("Unknown"))),
        "member `kind`: expected `Unit`, `Newtype`, `Pair` or `Struct`, found another variant"
    );
    assert_eq!(
        why::<Strict>(&strict("kind", json!({ "Struct": { "rank": [] } }))),
        "member `kind.Struct.rank`: expected u8, found an array"
    );
    assert_eq!(
        why::<Strict>(&strict("kind", json!(7))),
        "member `kind`: expected a variant's name, or an object with one member of that name, found \
         an integer"
    );
    assert_eq!(
        why::<Loose>(&json!({ "list": [{}, { "pair": [1, 1] }] })),
        "member `list[1].pair[1]`: expected a boolean, found an integer"
    );
    assert_eq!(
        why::<Loose>(&json!({ "pair": [1, true, 2] })),
        "member `pair`: an array or object longer than what the type reads"
    );
    assert_eq!(
        why::<Loose>(&json!({ "named": { "a": 1, "b": "2" } })),
        "member `named.*`: expected i16, found a string"
    );
    assert_eq!(why::<Untagged>(&json!({ "rank": "a" })), "it fits no variant of an untagged enum");
    assert_eq!(
        why::<Custom>(&json!({ "front": "ab" })),
        "member `front`: the type refuses the value"
    );
    let repeated = document(r#"{"front":"a","rank":1,"front":"b"}"#).decode::<Strict>();
    assert!(repeated.unwrap_err().message().ends_with(": member `front` is there twice"));
}

#[test]
fn a_document_that_is_nested_too_deeply_is_an_error_and_no_overflow() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let error = document(&deep).decode::<Value>().unwrap_err();
    assert!(error.message().ends_with("nested more than 127 levels deep"), "{error}");
}

#[tokio::test]
async fn an_error_of_a_serialize_of_the_program_quotes_nothing() {
    struct Refuses;

    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom(MARKER))
        }
    }

    let pstate = PState::builder(std::sync::Arc::new(MemoryAdapter::new())).build().unwrap();
    let error = pstate.put("card:1", &Refuses).await.unwrap_err();
    assert_quotes_nothing(&error);
    assert_eq!(
        error.to_string(),
        "put: card:1: cannot be written as JSON: its `Serialize` returned an error"
    );
    let names = HashMap::from([(vec![1], 1)]);
    let error = pstate.put("card:1", &names).await.unwrap_err();
    assert!(error.message().ends_with("as JSON: key must be a string"), "{error}");
}
