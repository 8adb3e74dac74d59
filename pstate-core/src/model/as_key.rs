//! What names a document: a key, a reference, text.

use super::error::Result;
use super::key::{Key, KeyRef};

/// Anything that names a document: a [`Key`], a [`Ref`](crate::Ref), or text such as
/// `"base_card:7c9e"`.
pub trait AsKey {
    /// The key, borrowed. Text is checked here; a [`Key`] has been checked before.
    fn as_key(&self) -> Result<KeyRef<'_>>;

    /// The key, borrowed and not checked, if it has the parts of one: what is cached is found by
    /// it, and only what is not found is checked.
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

    fn to_key(&self) -> Result<Key> {
        Key::parse(self)
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

    fn to_key(&self) -> Result<Key> {
        Key::parse(self)
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
