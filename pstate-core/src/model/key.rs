//! Keys: `type:id`.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::ser::{Serialize, Serializer};

/// The longest entity type, in bytes.
pub(crate) const MAX_TYPE_LEN: usize = 64;
/// The longest id, in bytes.
pub(super) const MAX_ID_LEN: usize = 512;

/// How long a key is at most whose parts are joined on the stack. Most are far shorter, and to
/// clear more of it would cost more than the allocation that it saves.
const JOINED_ON_STACK: usize = 64;

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

    /// Type and id, as bytes. Compiles to less than [`borrow`](Self::borrow), where a hit is hashed
    /// and compared.
    #[inline]
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        match self.text.as_bytes().split_at_checked(usize::from(self.type_len)) {
            Some((entity_type, [_, id @ ..])) => (entity_type, id),
            _ => (&[], &[]),
        }
    }

    /// A key of a text that is known to be one, with a type of this length.
    pub(super) fn of_text(text: &str, type_len: usize) -> Self {
        Self { text: text.into(), type_len: u8::try_from(type_len).unwrap_or(u8::MAX) }
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
    /// The same without a check: for finding what was checked before.
    #[inline]
    pub(crate) const fn unchecked(entity_type: &'a str, id: &'a str) -> Self {
        Self { entity_type, id }
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
        let type_len = u8::try_from(self.entity_type.len()).unwrap_or(u8::MAX);
        // Joined on the stack where it fits, so that it is allocated once.
        let mut joined = [0; JOINED_ON_STACK];
        let text = match self.join(&mut joined) {
            Some(text) => text.into(),
            None => [self.entity_type, ":", self.id].concat().into(),
        };
        Key { text, type_len }
    }

    /// Writes the key's text into a buffer, if it fits.
    fn join(self, buffer: &mut [u8]) -> Option<&str> {
        let (type_len, len) = (self.entity_type.len(), self.entity_type.len() + 1 + self.id.len());
        let buffer = buffer.get_mut(..len)?;
        buffer[..type_len].copy_from_slice(self.entity_type.as_bytes());
        buffer[type_len] = b':';
        buffer[type_len + 1..].copy_from_slice(self.id.as_bytes());
        std::str::from_utf8(buffer).ok()
    }
}

/// What belongs to keys. They come from users, so the hash is seeded; it is far faster than the
/// standard library's.
pub(crate) type KeyMap<T> = HashMap<Key, T, RandomState>;

/// A set of keys, likewise.
pub(crate) type KeySet<K = Key> = HashSet<K, RandomState>;

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
