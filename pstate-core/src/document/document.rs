//! Documents: JSON objects as they are stored, read on demand.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock, Weak};

use serde::de::DeserializeOwned;
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::derived::{Dependent, Derived};
use super::learned::Learned;
use super::references::{MemberReferences, Members};
use super::{references, size};
use crate::model::decode::decode;
use crate::model::json::{syntax_problem, validate};
use crate::model::{Error, Key, Record, Ref, Result, Revision, Space};

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
    learned: Learned,
    /// The cache that holds it, or has held it, and the space that it holds it in.
    owner: OnceLock<(Weak<dyn CacheOwner>, Space)>,
    /// Whether the cache holds it: then nothing newer was acknowledged, as far as the cache knows.
    is_cached: AtomicBool,
}

/// How what is shown relates to what is stored under the revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    AsStored,
    /// What is stored is older, and waits to be written back.
    Migrated,
    /// What is stored is newer, at this version, and this only shows it as the schema's does.
    Downgraded(u32),
}

/// A cache of documents, which has to know how much memory they take.
pub(crate) trait CacheOwner: Send + Sync {
    /// A document that the cache holds, or held before, takes more memory than before.
    fn weight_changed(&self, space: &Space, document: &Document);

    /// Whether a document with so much beside its text leaves room for others.
    fn has_room_for(&self, bytes: usize) -> bool;
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

    /// The same, and learns in the same pass what the members refer to, if there is room for that.
    pub(crate) fn load_to_follow(
        key: Key,
        record: Record,
        members: &Members,
        has_room: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        let read = references::validate_and_collect(&record.bytes, members);
        let Some((version, found)) = read else { return Self::load(key, record) };
        let document = Self::from_valid(key, record, version);
        // No cache holds the document yet, which would have to know that it grows.
        _ = document.inner.learned.keep_references(members, &found, has_room);
        Ok(document)
    }

    /// A document whose bytes are known to be valid, with this `$v`.
    pub(crate) fn from_valid(key: Key, record: Record, version: Option<u32>) -> Self {
        Self::new(key, record, version, Shown::AsStored)
    }

    /// What an older document has become.
    pub(crate) fn migrated(key: Key, record: Record, version: Option<u32>) -> Self {
        Self::new(key, record, version, Shown::Migrated)
    }

    /// What a document that is stored at a newer version looks like at the schema's.
    pub(crate) fn downgraded(
        key: Key,
        record: Record,
        version: Option<u32>,
        stored_version: u32,
    ) -> Self {
        Self::new(key, record, version, Shown::Downgraded(stored_version))
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
                learned: Learned::default(),
                owner: OnceLock::new(),
                is_cached: AtomicBool::new(false),
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

    /// The version of what is stored, if that is newer than the schema's.
    pub(crate) fn newer_than(&self, current: u32) -> Option<u32> {
        let stored = match self.inner.shown {
            Shown::Downgraded(stored) => stored,
            Shown::AsStored | Shown::Migrated => self.version(),
        };
        (stored > current).then_some(stored)
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

    /// The document as a tree, an [`Object`](crate::Object); built on the first call and kept.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for JSON that is valid but cannot be held in
    /// memory: numbers beyond a double's range, more than 127 levels.
    pub fn value(&self) -> Result<&Value> {
        if let Some(tree) = self.inner.learned.tree() {
            return Ok(tree);
        }
        let (tree, bytes) = self.inner.learned.keep_tree(self.to_value()?);
        self.grown(bytes);
        Ok(tree)
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
    /// [`Schema`](crate::ErrorKind::Schema) if the document does not have the shape of a `T`. The
    /// error names the member, what `T` expects there and what kind of value it found. It quotes
    /// nothing of the document: a member that only the document names is a `*`, and the message of
    /// a `Deserialize` of your own is left out, since it may quote what it was given.
    pub fn decode<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<T>> {
        if let Some(typed) = self.inner.learned.typed() {
            return Ok(typed);
        }
        let typed = self.inner.learned.keep_typed(Arc::new(self.parse::<T>()?));
        // Pairs with the fence in `attach_to`, which counts what was decoded before.
        fence(Ordering::SeqCst);
        if self.inner.owner.get().is_some() {
            self.grown(self.inner.learned.count_typed(self.as_str()));
        }
        Ok(typed)
    }

    /// A new tree from the text.
    pub(crate) fn to_value(&self) -> Result<Value> {
        serde_json::from_str(self.as_str()).map_err(|error| {
            Error::corrupt(syntax_problem(self.as_str(), &error)).at_key(self.key())
        })
    }

    /// A new `T` from the text.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        parse(self.as_str()).map_err(|error| error.at_key(self.key()))
    }

    /// The references in a member: of a collection (an object `id -> Ref` or an array of refs) in
    /// the order in which they are written, of a single reference that one, none if the member is
    /// absent or null. Entries of a collection that are null are left out. Builds no tree.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if the member holds no references but a
    /// string, a number or the like; [`Corrupt`](crate::ErrorKind::Corrupt) if it holds a malformed
    /// reference.
    pub fn references(&self, member: &str) -> Result<Vec<Ref>> {
        let named = |error: Error| error.at_key(self.key()).in_operation("references");
        let found = self.member_references(&[member]).map_err(named)?;
        let [found] = found.as_slice() else { return Ok(Vec::new()) };
        match found.error(member) {
            Some(error) => Err(named(error)),
            None => Ok(found
                .keys()
                .into_iter()
                .flat_map(|it| it.iter().cloned())
                .map(Ref::new)
                .collect()),
        }
    }

    /// What each of the members, which are sorted, refers to. One pass over the text for those that
    /// were not asked for before, whatever their number.
    pub(crate) fn member_references(&self, members: &[&str]) -> Result<Vec<MemberReferences>> {
        if let Some(found) = self.inner.learned.references(members) {
            return Ok(found);
        }
        let found = references::collect(self.as_str(), members)
            .map_err(|error| error.at_key(self.key()))?;
        let has_room = |bytes| self.owner().is_none_or(|(owner, _)| owner.has_room_for(bytes));
        self.grown(self.inner.learned.keep_references(members, &found, has_room));
        Ok(found)
    }

    /// How many bytes of memory it takes now, with what was built from it.
    pub(crate) fn weight(&self) -> usize {
        // Two allocations of two counters each.
        let shared = |len: usize| size::allocation(len + 2 * size_of::<usize>());
        let own = shared(size_of::<Inner>()) + shared(self.inner.bytes.len());
        own + self.inner.learned.bytes()
    }

    /// The cache is going to hold this document. Registers it to be notified when the document
    /// grows. What was built before, or at the same time, is in the [weight](Self::weight) that is
    /// read afterwards.
    pub(crate) fn enter_cache(&self, owner: &Weak<dyn CacheOwner>, space: &Space) {
        self.inner.is_cached.store(true, Ordering::SeqCst);
        // A document belongs to one handle, which has one cache: an owner that is set is this one.
        _ = self.inner.owner.set((owner.clone(), space.clone()));
        // Pairs with the fences in `notify_owner` and `decode`: either this caller sees what was
        // built, or the builder sees this owner.
        fence(Ordering::SeqCst);
        self.inner.learned.count_typed(self.as_str());
    }

    /// The cache no longer holds this document, because it was changed or had to make room.
    pub(crate) fn leave_cache(&self, changed: bool) {
        // Before the dependents are notified: one that is added afterwards sees it.
        self.inner.is_cached.store(false, Ordering::SeqCst);
        for dependent in self.inner.learned.take_dependents() {
            match dependent.upgrade() {
                Some(dependent) if changed => dependent.document_changed(),
                Some(dependent) => dependent.document_evicted(),
                None => {}
            }
        }
    }

    pub(crate) fn is_cached(&self) -> bool {
        self.inner.is_cached.load(Ordering::SeqCst)
    }

    /// Notifies a dependent when this document leaves the cache. One that adds itself has to look
    /// whether the document [is cached](Self::is_cached) afterwards.
    pub(crate) fn add_dependent(&self, dependent: Weak<dyn Dependent>) {
        self.inner.learned.add_dependent(dependent);
    }

    /// The document with its references expanded `depth` levels deep, if that is known and valid;
    /// see [`Derived::value`].
    pub(crate) fn derived(&self, depth: usize, min_epoch: u64) -> Option<Arc<Value>> {
        self.inner.learned.derived(depth, min_epoch)
    }

    /// Keeps a derived value with this document, in place of an earlier one.
    pub(crate) fn keep_derived(&self, derived: Arc<dyn Derived>) {
        self.inner.learned.keep_derived(derived);
        self.notify_owner();
    }

    /// So many bytes were added to what is kept beside the text.
    fn grown(&self, bytes: usize) {
        if bytes > 0 {
            self.notify_owner();
        }
    }

    fn notify_owner(&self) {
        fence(Ordering::SeqCst);
        if let Some((owner, space)) = self.owner() {
            owner.weight_changed(space, self);
        }
    }

    /// The cache to notify, and the space in which it holds the document.
    fn owner(&self) -> Option<(Arc<dyn CacheOwner>, &Space)> {
        let (owner, space) = self.inner.owner.get()?;
        Some((owner.upgrade()?, space))
    }

    /// Whether these are the same document in memory.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

/// A `T` from the text of a document.
///
/// # Errors
/// [`Schema`](crate::ErrorKind::Schema) if the document does not have the shape of a `T`.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    decode(text).map_err(|why| {
        let name = std::any::type_name::<T>();
        Error::schema(format!("cannot be read as {name}: {why}"))
    })
}

/// The text as it is stored, `$v` included; nothing is rounded. For `serde_json`: what other
/// formats make of it is up to them.
impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: &RawValue = serde_json::from_str(self.as_str()).map_err(S::Error::custom)?;
        text.serialize(serializer)
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
    }

    #[test]
    fn broken_json_is_corrupt_and_the_place_is_named() {
        assert!(error(r#"{"a":1,}"#).ends_with("trailing comma at byte 7"));
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
        assert!(
            message.ends_with("Card: member `rank`: expected u32, found a string"),
            "{message}"
        );
    }

    #[test]
    fn numbers_and_booleans_are_not_quoted_either_and_the_expectation_stays_whole() {
        #[derive(serde::Deserialize, Debug)]
        struct Holder {
            #[expect(dead_code, reason = "only its type matters")]
            owner: Ref,
        }
        let message = |text: &str| load(text).unwrap().decode::<Holder>().unwrap_err().to_string();
        let expected = "member `owner`: expected a reference, {\"$ref\": \"type:id\"}, found";
        for (text, found) in [
            (r#"{"owner":123456789}"#, "an integer"),
            (r#"{"owner":1.25}"#, "a number other than a 64-bit integer"),
            (r#"{"owner":true}"#, "a boolean"),
            (r#"{"owner":"a \"b\" c"}"#, "a string"),
            (r#"{"owner":null}"#, "null"),
        ] {
            let message = message(text);
            assert!(message.ends_with(&format!("{expected} {found}")), "{message}");
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
    fn what_a_load_is_going_to_follow_is_known_if_there_is_room() {
        let load = |text: &str, has_room: bool| {
            let record =
                Record { bytes: text.as_bytes().into(), revision: Revision::from_number(1) };
            let members: Members = Arc::new(["cards".into(), "owner".into()]);
            Document::load_to_follow("deck:1".parse().unwrap(), record, &members, |_| has_room)
        };
        let known = |document: &Document| document.inner.learned.references(&["cards", "owner"]);
        let text = r#"{"$v":2,"cards":[{"$ref":"card:1"}]}"#;
        let document = load(text, true).unwrap();
        let found = known(&document).unwrap();
        assert_eq!((document.version(), found[0].keys().unwrap().len()), (2, 1));
        assert!(matches!(found[1], MemberReferences::Absent));
        assert!(known(&load(text, false).unwrap()).is_none());
        // Valid, although what is followed cannot be held in memory.
        assert!(known(&load(r#"{"cards":1e999}"#, true).unwrap()).is_none());
        let error = load(r#"{"cards":[}"#, true).unwrap_err().to_string();
        assert!(error.starts_with("deck:1: not valid JSON: "), "{error}");
    }

    #[test]
    fn a_typed_value_counts_once_it_is_cached_and_once() {
        let document = load(r#"{"front":"hola"}"#).unwrap();
        let before = document.weight();
        document.decode::<Value>().unwrap();
        assert_eq!(document.weight(), before);
        let no_owner: Weak<dyn CacheOwner> = Weak::<Nowhere>::new();
        document.enter_cache(&no_owner, &Space::default());
        let with_typed = document.weight();
        assert!(with_typed > before);
        document.enter_cache(&no_owner, &Space::default());
        document.decode::<Value>().unwrap();
        assert_eq!(document.weight(), with_typed);
        let cached = load(r#"{"front":"hola"}"#).unwrap();
        cached.enter_cache(&no_owner, &Space::default());
        cached.decode::<Value>().unwrap();
        assert_eq!(cached.weight(), with_typed);
    }

    /// An owner that is gone.
    struct Nowhere;

    impl CacheOwner for Nowhere {
        fn weight_changed(&self, _: &Space, _: &Document) {}

        fn has_room_for(&self, _: usize) -> bool {
            true
        }
    }

    #[test]
    fn numbers_beyond_memory_are_an_error_and_no_panic() {
        let message = load(r#"{"a":1e999}"#).unwrap().value().unwrap_err().to_string();
        assert!(message.contains("number out of range"), "{message}");
    }
}
