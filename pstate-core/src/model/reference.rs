//! References between documents: `{"$ref": "type:id"}`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::as_key::AsKey;
use super::error::Result;
use super::json::NameIs;
use super::key::{Key, KeyRef};

/// The only member of a reference.
pub(crate) const REF_MEMBER: &str = "$ref";

/// A reference to another document, in JSON `{"$ref": "type:id"}`.
///
/// `T` is what the document is read as; plain `Ref` says nothing about it. It holds a key and
/// nothing else: following it is a read.
///
/// ```
/// use pstate_core::Ref;
///
/// let owner: Ref = serde_json::from_str(r#"{"$ref": "user:7"}"#)?;
/// assert_eq!(owner.key().id(), "7");
/// assert_eq!(serde_json::to_string(&owner)?, r#"{"$ref":"user:7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub struct Ref<T = ()> {
    key: Key,
    target: PhantomData<fn() -> T>,
}

impl<T> Ref<T> {
    /// A reference to the document under `key`.
    pub fn new(key: Key) -> Self {
        Self { key, target: PhantomData }
    }

    /// What is referred to.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The key, when the reference is no longer needed.
    pub fn into_key(self) -> Key {
        self.key
    }
}

impl<T> From<Key> for Ref<T> {
    fn from(key: Key) -> Self {
        Self::new(key)
    }
}

impl<T> AsKey for Ref<T> {
    fn as_key(&self) -> Result<KeyRef<'_>> {
        self.key.as_key()
    }

    #[inline]
    fn unchecked(&self) -> Option<KeyRef<'_>> {
        self.key.unchecked()
    }

    fn to_key(&self) -> Result<Key> {
        Ok(self.key.clone())
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        Self::new(self.key.clone())
    }
}

impl<T> PartialEq for Ref<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Ref<T> {}

impl<T> Hash for Ref<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl<T> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({})", self.key)
    }
}

impl<T> Serialize for Ref<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(REF_MEMBER, &self.key)?;
        map.end()
    }
}

impl<'de, T> Deserialize<'de> for Ref<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RefVisitor;

        impl<'de> Visitor<'de> for RefVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reference, {\"$ref\": \"type:id\"}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Key, A::Error> {
                let mut key = None;
                while let Some(is_ref) = map.next_key_seed(NameIs(REF_MEMBER))? {
                    if is_ref {
                        key = Some(map.next_value::<Key>()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                key.ok_or_else(|| A::Error::missing_field(REF_MEMBER))
            }
        }

        deserializer.deserialize_map(RefVisitor).map(Self::new)
    }
}
