//! Keys: `type:id`.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use crate::error::{Error, Result};

/// The longest entity type, in bytes.
pub(crate) const MAX_TYPE_LEN: usize = 64;
/// The longest id, in bytes.
const MAX_ID_LEN: usize = 512;

/// The name of a document: `type:id`, e.g. `base_card:7c9e`.
///
/// The type matches `[a-z][a-z0-9_]*` and has at most 64 bytes. The id is 1 to 512 bytes of any
/// UTF-8 without control characters; it may contain further colons. Keys are ordered by their
/// bytes. Cloning is cheap: the text is shared.
///
/// ```
/// use pstate_core::Key;
///
/// let key: Key = "base_card:7c9e".parse()?;
/// assert_eq!((key.entity_type(), key.id()), ("base_card", "7c9e"));
///
/// let error = "Base_card:7c9e".parse::<Key>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "key \"Base_card:7c9e\": 'B' at byte 0; a type matches [a-z][a-z0-9_]*"
/// );
/// # Ok::<(), pstate_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Key {
    text: Arc<str>,
    type_len: u8,
}

impl Key {
    /// The key of the document `id` of type `entity_type`.
    pub fn new(entity_type: &str, id: &str) -> Result<Self> {
        KeyRef::new(entity_type, id).map(KeyRef::to_key)
    }

    /// The part before the first colon.
    #[inline]
    pub fn entity_type(&self) -> &str {
        &self.text[..usize::from(self.type_len)]
    }

    /// The part after the first colon.
    #[inline]
    pub fn id(&self) -> &str {
        &self.text[usize::from(self.type_len) + 1..]
    }

    /// The whole text, `type:id`.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Type and id, as bytes. Compiles to less than [`borrow`](Self::borrow), where a hit is hashed and
    /// compared.
    #[inline]
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        match self.text.as_bytes().split_at_checked(usize::from(self.type_len)) {
            Some((entity_type, [_, id @ ..])) => (entity_type, id),
            _ => (&[], &[]),
        }
    }

    #[inline]
    pub(crate) fn borrow(&self) -> KeyRef<'_> {
        KeyRef { entity_type: self.entity_type(), id: self.id() }
    }
}

/// A key that borrows its text, so that looking something up allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRef<'a> {
    entity_type: &'a str,
    id: &'a str,
}

impl<'a> KeyRef<'a> {
    /// Joins a type and an id.
    pub fn new(entity_type: &'a str, id: &'a str) -> Result<Self> {
        let joined = || format!("{entity_type}:{id}");
        check_type(entity_type, joined)?;
        check_id(id, entity_type.len() + 1, joined)?;
        Ok(Self { entity_type, id })
    }

    /// The same without a check: for finding what was checked before.
    #[inline]
    pub(crate) const fn unchecked(entity_type: &'a str, id: &'a str) -> Self {
        Self { entity_type, id }
    }

    /// Splits `type:id`.
    pub fn parse(text: &'a str) -> Result<Self> {
        let Some((entity_type, id)) = text.split_once(':') else {
            return Err(malformed(text, "no ':' between type and id"));
        };
        check_type(entity_type, || text.to_owned())?;
        check_id(id, entity_type.len() + 1, || text.to_owned())?;
        Ok(Self { entity_type, id })
    }

    /// The part before the first colon.
    #[inline]
    pub fn entity_type(self) -> &'a str {
        self.entity_type
    }

    /// The part after the first colon.
    #[inline]
    pub fn id(self) -> &'a str {
        self.id
    }

    /// The same key with a text of its own. Allocates.
    pub fn to_key(self) -> Key {
        let mut text = String::with_capacity(self.entity_type.len() + 1 + self.id.len());
        text.push_str(self.entity_type);
        text.push(':');
        text.push_str(self.id);
        let type_len = u8::try_from(self.entity_type.len()).unwrap_or(u8::MAX);
        Key { text: text.into(), type_len }
    }
}

/// What belongs to keys. They come from users, so the hash is seeded; it is far faster than the standard
/// library's.
pub(crate) type KeyMap<T> = HashMap<Key, T, RandomState>;

/// A set of keys, likewise.
pub(crate) type KeySet<K = Key> = HashSet<K, RandomState>;

/// Anything that names a document: a [`Key`], a [`Ref`](crate::Ref), or text such as
/// `"base_card:7c9e"`.
pub trait AsKey {
    /// The key, borrowed. Text is checked here; a [`Key`] has been checked before.
    fn as_key(&self) -> Result<KeyRef<'_>>;

    /// The key, borrowed and not checked, if it has the parts of one: what is cached is found by it, and
    /// only what is not found is checked.
    fn unchecked(&self) -> Option<KeyRef<'_>> {
        self.as_key().ok()
    }

    /// The key, owned. Shares the text where it can.
    fn to_key(&self) -> Result<Key> {
        self.as_key().map(KeyRef::to_key)
    }
}

impl AsKey for Key {
    fn as_key(&self) -> Result<KeyRef<'_>> {
        Ok(self.borrow())
    }

    #[inline]
    fn unchecked(&self) -> Option<KeyRef<'_>> {
        Some(self.borrow())
    }

    fn to_key(&self) -> Result<Key> {
        Ok(self.clone())
    }
}

impl AsKey for KeyRef<'_> {
    fn as_key(&self) -> Result<KeyRef<'_>> {
        Ok(*self)
    }
}

impl AsKey for str {
    fn as_key(&self) -> Result<KeyRef<'_>> {
        KeyRef::parse(self)
    }

    #[inline]
    fn unchecked(&self) -> Option<KeyRef<'_>> {
        let (entity_type, id) = self.split_once(':')?;
        Some(KeyRef::unchecked(entity_type, id))
    }
}

impl AsKey for String {
    fn as_key(&self) -> Result<KeyRef<'_>> {
        KeyRef::parse(self)
    }

    #[inline]
    fn unchecked(&self) -> Option<KeyRef<'_>> {
        let (entity_type, id) = self.split_once(':')?;
        Some(KeyRef::unchecked(entity_type, id))
    }
}

impl<K: AsKey + ?Sized> AsKey for &K {
    fn as_key(&self) -> Result<KeyRef<'_>> {
        (**self).as_key()
    }

    #[inline]
    fn unchecked(&self) -> Option<KeyRef<'_>> {
        (**self).unchecked()
    }

    fn to_key(&self) -> Result<Key> {
        (**self).to_key()
    }
}

fn malformed(text: &str, why: impl fmt::Display) -> Error {
    // An id may be long; what identifies it is its beginning.
    let shown: String = text.chars().take(80).collect();
    let more = if shown.len() < text.len() { ".." } else { "" };
    Error::invalid_input(format!("key {shown:?}{more}: {why}"))
}

/// Whether `name` is a well-formed entity type. `const`, so that a typed collection is checked
/// when it is compiled.
pub(crate) const fn is_entity_type(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_TYPE_LEN || !bytes[0].is_ascii_lowercase() {
        return false;
    }
    let mut at = 1;
    while at < bytes.len() {
        let b = bytes[at];
        if !(b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return false;
        }
        at += 1;
    }
    true
}

fn check_type(entity_type: &str, text: impl FnOnce() -> String) -> Result<()> {
    if is_entity_type(entity_type) {
        return Ok(());
    }
    let why = if entity_type.is_empty() {
        "no type before the ':'".to_owned()
    } else if entity_type.len() > MAX_TYPE_LEN {
        format!("a type of {} bytes, at most {MAX_TYPE_LEN} are allowed", entity_type.len())
    } else {
        let (at, c) = entity_type
            .char_indices()
            .find(|&(at, c)| {
                !(c.is_ascii_lowercase() || at > 0 && (c.is_ascii_digit() || c == '_'))
            })
            .unwrap_or_default();
        format!("{c:?} at byte {at}; a type matches [a-z][a-z0-9_]*")
    };
    Err(malformed(&text(), why))
}

fn check_id(id: &str, offset: usize, text: impl FnOnce() -> String) -> Result<()> {
    // Without control characters below 0x20 and 0x7f only C1 (U+0080..=U+009F) is left to find,
    // and pure ASCII has none of it: the common case is one pass over bytes.
    let plain = id.bytes().all(|b| (0x20..0x7f).contains(&b));
    if plain && !id.is_empty() && id.len() <= MAX_ID_LEN {
        return Ok(());
    }
    if id.is_empty() {
        return Err(malformed(&text(), "no id after the ':'"));
    }
    if id.len() > MAX_ID_LEN {
        let why = format!("an id of {} bytes, at most {MAX_ID_LEN} are allowed", id.len());
        return Err(malformed(&text(), why));
    }
    match id.char_indices().find(|(_, c)| c.is_control()) {
        None => Ok(()),
        Some((at, c)) => {
            let why = format!("control character {c:?} at byte {}", offset + at);
            Err(malformed(&text(), why))
        }
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        KeyRef::parse(text).map(KeyRef::to_key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.text)
    }
}

impl fmt::Display for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entity_type, self.id)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn error(text: &str) -> String {
        text.parse::<Key>().unwrap_err().to_string()
    }

    #[test]
    fn splits_at_the_first_colon() {
        let key: Key = "deck:a:b:c".parse().unwrap();
        assert_eq!((key.entity_type(), key.id()), ("deck", "a:b:c"));
    }

    #[test]
    fn errors_name_the_position_and_the_rule() {
        assert_eq!(error("card"), "key \"card\": no ':' between type and id");
        assert_eq!(error(":1"), "key \":1\": no type before the ':'");
        assert_eq!(error("card:"), "key \"card:\": no id after the ':'");
        assert_eq!(
            error("1card:1"),
            "key \"1card:1\": '1' at byte 0; a type matches [a-z][a-z0-9_]*"
        );
        assert_eq!(
            error("base-card:1"),
            "key \"base-card:1\": '-' at byte 4; a type matches [a-z][a-z0-9_]*"
        );
        assert_eq!(error("card:a\nb"), "key \"card:a\\nb\": control character '\\n' at byte 6");
        assert_eq!(
            error("card:é\u{85}"),
            "key \"card:é\\u{85}\": control character '\\u{85}' at byte 7"
        );
        assert!(error(&format!("card:{}", "x".repeat(513))).ends_with("at most 512 are allowed"));
        assert!(error(&format!("{}:1", "x".repeat(65))).ends_with("at most 64 are allowed"));
    }

    #[test]
    fn the_longest_type_and_id_are_allowed() {
        let text = format!("{}:{}", "x".repeat(64), "é".repeat(256));
        assert_eq!(text.parse::<Key>().unwrap().as_str(), text);
    }

    proptest! {
        #[test]
        fn any_text_is_either_a_key_with_that_text_or_refused(text in ".*:?.*") {
            if let Ok(key) = text.parse::<Key>() {
                prop_assert_eq!(key.as_str(), &text);
                prop_assert_eq!(Key::new(key.entity_type(), key.id()).unwrap(), key);
            }
        }
    }
}
