//! What to read into the cache.

use std::num::{NonZeroU32, NonZeroUsize};

use crate::model::{AsKey, Error, Key, Result, check_prefix};
use crate::preload::{Plan, Preload};

/// How many documents are read at once by default.
const PAGE_SIZE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// What to read into the cache, part by part; see [`PState::warm`](crate::PState::warm).
#[derive(Debug, Default)]
#[must_use = "nothing is read until it is handed to `PState::warm`"]
pub struct Warm {
    pub(super) parts: Vec<Part>,
    page_size: Option<NonZeroUsize>,
    pub(super) rate: Option<NonZeroU32>,
}

#[derive(Debug)]
pub(super) enum Part {
    Keys(Vec<Key>),
    Prefix(String),
    Preload(Key, Preload),
}

impl Warm {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These documents.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key.
    pub fn keys<K: AsKey>(mut self, keys: impl IntoIterator<Item = K>) -> Result<Self> {
        let keys = keys.into_iter().map(|key| key.to_key()).collect::<Result<_>>();
        let keys = keys.map_err(|error| error.in_operation("warm"))?;
        self.parts.push(Part::Keys(keys));
        Ok(self)
    }

    /// All documents whose key begins with a prefix: `"base_card:"` for all of a type.
    ///
    /// They are read twice: once to learn the keys, and once like all reads, so that nothing is
    /// cached that was overwritten in between. [`PState::warm`](crate::PState::warm) refuses a
    /// prefix that no key can begin with.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.parts.push(Part::Prefix(prefix.to_owned()));
        self
    }

    /// A document with what it refers to, as in [`PState::preload`](crate::PState::preload). What
    /// cannot be read is counted, and does not keep the rest from being read.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed key or preload.
    pub fn preload<P>(mut self, key: impl AsKey, preload: P) -> Result<Self>
    where
        P: TryInto<Preload>,
        Error: From<P::Error>,
    {
        let key = key.to_key().map_err(|error| error.in_operation("warm"))?;
        let named = |error: Error| error.in_operation("warm").at_key(&key);
        let preload = preload.try_into().map_err(|error| named(error.into()))?.keep_going();
        Plan::new(&preload).map_err(named)?;
        self.parts.push(Part::Preload(key, preload));
        Ok(self)
    }

    /// How many documents are read at once: 256 by default, at least 1. A preload reads each of its
    /// levels at once.
    pub fn page_size(mut self, size: usize) -> Self {
        self.page_size = Some(NonZeroUsize::new(size).unwrap_or(NonZeroUsize::MIN));
        self
    }

    /// How many documents a second are read, at most; 0, the default, for no limit.
    pub fn rate(mut self, documents_per_second: u32) -> Self {
        self.rate = NonZeroU32::new(documents_per_second);
        self
    }

    /// Refuses prefixes that no key begins with.
    pub(crate) fn check(&self) -> Result<()> {
        self.parts.iter().try_for_each(|part| match part {
            Part::Prefix(prefix) => check_prefix(prefix),
            Part::Keys(_) | Part::Preload(..) => Ok(()),
        })
    }

    pub(super) fn documents_at_once(&self) -> NonZeroUsize {
        self.page_size.unwrap_or(PAGE_SIZE)
    }

    /// How many documents there are to read, if only keys were asked for.
    pub(super) fn total(&self) -> Option<usize> {
        self.parts.iter().try_fold(0, |total, part| match part {
            Part::Keys(keys) => Some(total + keys.len()),
            Part::Prefix(_) | Part::Preload(..) => None,
        })
    }
}
