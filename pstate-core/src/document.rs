//! Documents: JSON objects as they are stored, read on demand.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};

use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::cache::Resolved;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::memory_size;
use crate::record::{Record, Revision};
use crate::reference::Ref;
use crate::runtime::Mutex;
use crate::space::Space;

pub(crate) mod references;

/// A JSON object.
pub type Object = serde_json::Map<String, Value>;

/// The member that holds the schema version.
pub(crate) const VERSION_MEMBER: &str = "$v";

/// A JSON object as it is stored, with its key and revision.
///
/// It holds the bytes, which were validated once when they were loaded. The tree of
/// [`Value`]s ([`value`](Document::value)) and the typed value ([`decode`](Document::decode)) are
/// built when they are first asked for and then kept. Cloning copies a pointer; a document never
/// changes.
#[derive(Clone)]
pub struct Document {
    inner: Arc<Inner>,
}

struct Inner {
    key: Key,
    revision: Revision,
    version: Option<u32>,
    shown: Shown,
    bytes: Arc<[u8]>,
    tree: OnceLock<Box<Value>>,
    typed: OnceLock<Arc<dyn Any + Send + Sync>>,
    /// The document with its references expanded, as it was asked for last.
    resolved: Mutex<Option<Arc<Resolved>>>,
    /// How many bytes the tree, the typed and the resolved value take.
    built: AtomicUsize,
    /// Who keeps it, if anybody does.
    kept: OnceLock<(Weak<dyn Keeper>, Space)>,
}

/// How what is shown relates to what is stored under the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    AsStored,
    /// What is stored is older, and waits to be written back.
    Migrated,
    /// What is stored is newer, and this only shows it as the schema's version does.
    Downgraded,
}

/// Whoever keeps documents, and has to know how much memory they take.
pub(crate) trait Keeper: Send + Sync {
    /// Something was built from a document that is or was kept, or has gone.
    fn grown(&self, space: &Space, document: &Document);
}

impl Document {
    /// Validates what is stored under `key`.
    ///
    /// Costs one pass over the bytes, about 0.7 ns a byte.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for bytes that are no UTF-8, no JSON, or no object.
    pub fn load(key: Key, record: Record) -> Result<Self> {
        let version = validate(&record.bytes).map_err(|error| error.at_key(&key))?;
        Ok(Self::from_valid(key, record, version))
    }

    /// A document whose bytes are known to be valid, with this `$v`.
    pub(crate) fn from_valid(key: Key, record: Record, version: Option<u32>) -> Self {
        Self::new(key, record, version, Shown::AsStored)
    }

    /// What an older document has become.
    pub(crate) fn migrated(key: Key, record: Record, version: Option<u32>) -> Self {
        Self::new(key, record, version, Shown::Migrated)
    }

    /// What a newer document looks like at the schema's version.
    pub(crate) fn downgraded(key: Key, record: Record, version: Option<u32>) -> Self {
        Self::new(key, record, version, Shown::Downgraded)
    }

    fn new(key: Key, record: Record, version: Option<u32>, shown: Shown) -> Self {
        let Record { bytes, revision } = record;
        Self {
            inner: Arc::new(Inner {
                key,
                revision,
                version,
                shown,
                bytes,
                tree: OnceLock::new(),
                typed: OnceLock::new(),
                resolved: Mutex::default(),
                built: AtomicUsize::new(0),
                kept: OnceLock::new(),
            }),
        }
    }

    /// The key it is stored under.
    pub fn key(&self) -> &Key {
        &self.inner.key
    }

    /// The revision of what is stored, for [`Expect::Revision`](crate::Expect::Revision).
    ///
    /// For a document that was migrated by a read, it is the revision it was migrated from: once it
    /// has been written back in the background, an expectation of that revision fails, and reading
    /// again gives the new one. [`PState::update`](crate::PState::update) does so by itself.
    pub fn revision(&self) -> Revision {
        self.inner.revision
    }

    /// The schema version, `$v`; 0 for a document without.
    pub fn version(&self) -> u32 {
        self.inner.version.unwrap_or(0)
    }

    /// Whether what is stored is newer than what this shows.
    pub(crate) fn is_downgraded(&self) -> bool {
        self.inner.shown == Shown::Downgraded
    }

    /// Whether what is stored is older than what this shows.
    pub(crate) fn is_migrated(&self) -> bool {
        self.inner.shown == Shown::Migrated
    }

    /// The JSON text, as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.inner.bytes
    }

    /// The bytes, to be shared.
    pub(crate) fn bytes(&self) -> &Arc<[u8]> {
        &self.inner.bytes
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        // Validated when it was loaded; checking again costs less than keeping a second pointer.
        std::str::from_utf8(&self.inner.bytes).unwrap_or_default()
    }

    /// The document as a tree, an [`Object`]; built on the first call and kept.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for JSON that is valid but cannot be held in
    /// memory: numbers beyond a double's range, more than 127 levels.
    pub fn value(&self) -> Result<&Value> {
        if let Some(tree) = self.inner.tree.get() {
            return Ok(tree);
        }
        let tree = Box::new(self.to_value()?);
        let mut first = false;
        let kept = self.inner.tree.get_or_init(|| {
            first = true;
            tree
        });
        if first {
            self.grow(memory_size::allocation(size_of::<Value>()) + memory_size::tree(kept));
        }
        Ok(kept)
    }

    /// One member of the document; builds the tree like [`value`](Document::value).
    pub fn get(&self, member: &str) -> Result<Option<&Value>> {
        Ok(self.value()?.get(member))
    }

    /// The document as a `T`; decoded on the first call and kept.
    ///
    /// One type is kept, the first that was asked for; others are decoded each time.
    ///
    /// # Errors
    /// [`Schema`](crate::ErrorKind::Schema) if the document does not have the shape of a `T`.
    pub fn decode<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<T>> {
        if let Some(Ok(typed)) = self.inner.typed.get().cloned().map(Arc::downcast) {
            return Ok(typed);
        }
        let typed: Arc<T> = Arc::new(self.parse()?);
        let mut first = false;
        let kept = self.inner.typed.get_or_init(|| {
            first = true;
            typed.clone()
        });
        if first {
            self.grow(memory_size::typed::<T>(self.as_str()));
        }
        Ok(kept.clone().downcast().unwrap_or(typed))
    }

    /// A new tree from the text.
    pub(crate) fn to_value(&self) -> Result<Value> {
        serde_json::from_str(self.as_str())
            .map_err(|error| Error::corrupt(without_content(&error)).at_key(self.key()))
    }

    /// A new `T` from the text.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.as_str()).map_err(|error| {
            let (name, why) = (std::any::type_name::<T>(), without_content(&error));
            Error::schema(format!("cannot be read as {name}: {why}")).at_key(self.key())
        })
    }

    /// The document as an object that may be changed.
    pub(crate) fn to_object(&self) -> Result<Object> {
        Ok(self.value()?.as_object().cloned().unwrap_or_default())
    }

    /// The references in a member: of a collection (an object `id -> Ref` or an array of refs) in
    /// the order in which they are written, of a single reference that one, none if the member is
    /// absent or null. Builds no tree.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if the member holds something else.
    pub fn references(&self, member: &str) -> Result<Vec<Ref>> {
        let mut fields = references::collect(self, &[member])?;
        Ok(fields.pop().flatten().into_iter().flatten().map(Ref::new).collect())
    }

    /// How many bytes of memory it takes now, with what was built from it.
    pub(crate) fn weight(&self) -> usize {
        // Two allocations of two counters each.
        let shared = |len: usize| memory_size::allocation(len + 2 * size_of::<usize>());
        let built = self.inner.built.load(Ordering::Relaxed);
        shared(size_of::<Inner>()) + shared(self.inner.bytes.len()) + built
    }

    /// Names who is to know when this document takes more memory. From now on: what was built
    /// before, or at the same time, is in the [weight](Self::weight) that is read afterwards.
    pub(crate) fn keep_by(&self, keeper: &Weak<dyn Keeper>, space: &Space) {
        // Whoever keeps it already is the same.
        _ = self.inner.kept.set((keeper.clone(), space.clone()));
        fence(Ordering::SeqCst);
    }

    /// The document with its references expanded so deeply, if that is known and valid; see
    /// [`Resolved::value`].
    pub(crate) fn resolved(&self, depth: usize, valid_since: u64) -> Option<Arc<Value>> {
        self.inner.resolved.lock().as_ref()?.value(depth, valid_since)
    }

    pub(crate) fn keep_resolved(&self, resolved: Arc<Resolved>) {
        let bytes = resolved.weight();
        let replaced = self.inner.resolved.lock().replace(resolved);
        let freed = replaced.map_or(0, |replaced| replaced.weight());
        self.inner.built.fetch_sub(freed, Ordering::Relaxed);
        self.grow(bytes);
    }

    fn grow(&self, bytes: usize) {
        self.inner.built.fetch_add(bytes, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some((keeper, space)) = self.inner.kept.get()
            && let Some(keeper) = keeper.upgrade()
        {
            keeper.grown(space, self);
        }
    }

    /// Whether these are the same document in memory.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl PartialEq for Document {
    /// Same key and same bytes.
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || (self.key() == other.key() && self.as_bytes() == other.as_bytes())
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("key", self.key())
            .field("version", &self.version())
            .field("bytes", &self.as_bytes().len())
            .finish_non_exhaustive()
    }
}

/// Checks that the bytes are one JSON object in UTF-8; returns its `$v`.
pub(crate) fn validate(bytes: &[u8]) -> Result<Option<u32>> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Error::corrupt(format!("not UTF-8 after byte {}", error.valid_up_to())))?;
    expect_object(text)?;
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(VersionVisitor)
        .and_then(|version| json.end().map(|()| version))
        .map_err(|error| Error::corrupt(format!("not valid JSON: {}", without_content(&error))))
}

/// The `$v` of a stored document, if it comes first. Looks at nothing else.
pub(crate) fn stored_version(bytes: &[u8]) -> Option<u32> {
    let rest = bytes.strip_prefix(br#"{"$v":"#)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(digits);
    matches!(rest.first(), Some(b',' | b'}')).then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Refuses JSON of which the first character already says that it is no object.
pub(crate) fn expect_object(text: &str) -> Result<()> {
    let found = match text.trim_ascii_start().bytes().next() {
        Some(b'{') => return Ok(()),
        None => "nothing",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "a number",
        Some(_) => "something that is not JSON",
    };
    Err(Error::corrupt(format!("a document is a JSON object, this is {found}")))
}

struct VersionVisitor;

impl<'de> Visitor<'de> for VersionVisitor {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut version = None;
        while let Some(MemberName(name)) = map.next_key()? {
            if name == VERSION_MEMBER {
                version = Some(map.next_value::<Version>()?.0);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(version)
    }
}

/// A member's name, borrowed from the text where it has no escapes.
pub(crate) struct MemberName<'de>(pub(crate) Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for MemberName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = MemberName<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(MemberName(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(MemberName(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

/// The value of `$v`.
pub(crate) struct Version(pub(crate) u32);

impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Version;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{VERSION_MEMBER} to be a whole number from 0 to {}", u32::MAX)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Version, E> {
                u32::try_from(number)
                    .map(Version)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_u32(NumberVisitor)
    }
}

/// The message of a JSON error without the values that serde quotes in it: what is stored may be
/// confidential, and errors are logged.
pub(crate) fn without_content(error: &serde_json::Error) -> String {
    let message = error.to_string();
    for begin in ["invalid type: ", "invalid value: "] {
        if let Some(rest) = message.strip_prefix(begin) {
            let end = quoted_end(rest).unwrap_or(0);
            let kind = if end > 0 { rest.split(' ').next().unwrap_or_default() } else { "" };
            return format!("{begin}{kind}{}", &rest[end..]);
        }
    }
    if let Some(rest) = message.strip_prefix("unknown variant `")
        && let Some(end) = rest.find("`, expected")
    {
        return format!("unknown variant{}", &rest[end + 1..]);
    }
    message
}

/// Where the value ends that a message quotes after its kind: text in double quotes, all else in
/// backticks.
fn quoted_end(rest: &str) -> Option<usize> {
    if let Some(text) = rest.strip_prefix("string \"") {
        let mut escaped = false;
        let end = text.find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        })?;
        return Some(rest.len() - text.len() + end + 1);
    }
    let quote = rest.find('`')?;
    if rest[..quote].contains(", expected") {
        return None;
    }
    let end = rest[quote + 1..].find('`')?;
    Some(quote + 1 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Document> {
        let bytes = Arc::from(text.as_bytes());
        let revision = Revision::of_content(text.as_bytes());
        Document::load("card:1".parse().unwrap(), Record { bytes, revision })
    }

    #[track_caller]
    fn error(text: &str) -> String {
        load(text).unwrap_err().to_string()
    }

    #[test]
    fn reads_the_version_wherever_it_stands() {
        assert_eq!(load(r#"{"$v":3,"a":1}"#).unwrap().version(), 3);
        assert_eq!(load(r#"{"a":{"$v":9},"$v":4}"#).unwrap().version(), 4);
        assert_eq!(load(r#"{"a":1}"#).unwrap().version(), 0);
    }

    #[test]
    fn what_is_no_object_is_corrupt_and_said_so() {
        assert_eq!(error("[1]"), "card:1: a document is a JSON object, this is an array");
        assert_eq!(error(" null"), "card:1: a document is a JSON object, this is null");
        assert_eq!(error(""), "card:1: a document is a JSON object, this is nothing");
        assert_eq!(
            error("\u{1}"),
            "card:1: a document is a JSON object, this is something that is not JSON"
        );
    }

    #[test]
    fn broken_json_is_corrupt_and_the_place_is_named() {
        assert!(error(r#"{"a":1,}"#).ends_with("at line 1 column 8"));
        assert!(error(r#"{"a":1} x"#).starts_with("card:1: not valid JSON: trailing characters"));
    }

    #[test]
    fn a_version_that_is_no_number_is_corrupt_and_not_quoted() {
        let message = error(r#"{"$v":"hunter2"}"#);
        assert!(!message.contains("hunter2"), "{message}");
        assert!(message.contains("expected $v to be a whole number"), "{message}");
        assert!(error(r#"{"$v":4294967296}"#).contains("expected $v to be a whole number"));
    }

    #[test]
    fn errors_of_typed_reads_do_not_quote_what_is_stored() {
        #[derive(serde::Deserialize, Debug)]
        struct Card {
            #[expect(dead_code, reason = "only its type matters")]
            rank: u32,
        }
        let document = load(r#"{"rank":"my \"secret\" rank"}"#).unwrap();
        let message = document.decode::<Card>().unwrap_err().to_string();
        assert!(!message.contains("secret"), "{message}");
        assert!(message.contains("invalid type: string, expected u32 at line 1"), "{message}");
    }

    #[test]
    fn numbers_and_booleans_are_not_quoted_either_and_the_expectation_stays_whole() {
        #[derive(serde::Deserialize, Debug)]
        struct Holder {
            #[expect(dead_code, reason = "only its type matters")]
            owner: Ref,
        }
        let message = |text: &str| load(text).unwrap().decode::<Holder>().unwrap_err().to_string();
        let expected = "expected a reference, {\"$ref\": \"type:id\"} at line 1";
        for (text, found) in [
            (r#"{"owner":123456789}"#, "integer"),
            (r#"{"owner":1.25}"#, "floating"),
            (r#"{"owner":true}"#, "boolean"),
            (r#"{"owner":"a \"b\" c"}"#, "string"),
            (r#"{"owner":null}"#, "null"),
        ] {
            let message = message(text);
            assert!(message.contains(&format!("invalid type: {found}, {expected}")), "{message}");
        }
    }

    #[test]
    fn tree_and_typed_value_are_built_once() {
        let document = load(r#"{"a":1}"#).unwrap();
        assert!(std::ptr::eq(document.value().unwrap(), document.clone().value().unwrap()));
        let typed = document.decode::<Value>().unwrap();
        assert!(Arc::ptr_eq(&typed, &document.decode::<Value>().unwrap()));
    }

    #[test]
    fn numbers_beyond_memory_are_an_error_and_no_panic() {
        let message = load(r#"{"a":1e999}"#).unwrap().value().unwrap_err().to_string();
        assert!(message.contains("number out of range"), "{message}");
    }
}
