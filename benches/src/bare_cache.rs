//! The cache crate used directly, as a program would that needs nothing else.

use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use pstate::{Key, Space};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, UnitWeighter};

/// A key as PState's cache has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    space: Space,
    key: Key,
}

impl Place {
    /// With a text of its own, not the one that it is searched with, as in a program.
    ///
    /// # Errors
    /// None for a key that is one.
    pub fn new(space: &Space, key: &Key) -> pstate::Result<Self> {
        Ok(Self::sharing(space, &key.as_str().parse()?))
    }

    /// With the same text.
    pub fn sharing(space: &Space, key: &Key) -> Self {
        Self { space: space.clone(), key: key.clone() }
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        PlaceRef { space: &self.space, key: self.key.as_str() }.hash(state);
    }
}

/// One that borrows, so that a look-up allocates nothing.
#[derive(Debug, Hash)]
struct PlaceRef<'a> {
    space: &'a Space,
    key: &'a str,
}

impl Equivalent<Place> for PlaceRef<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        self.key == place.key.as_str() && *self.space == place.space
    }
}

/// `quick_cache` with the same kind of key and the same hash.
#[derive(Debug)]
pub struct BareCache<V>(Cache<Place, V, UnitWeighter, RandomState>);

impl<V: Clone> BareCache<V> {
    /// Room for so many.
    pub fn new(room: usize, hasher: RandomState) -> Self {
        Self(Cache::with(room, room as u64, UnitWeighter, hasher, DefaultLifecycle::default()))
    }

    /// Keeps a value.
    pub fn insert(&self, place: Place, value: V) {
        self.0.insert(place, value);
    }

    /// What is kept.
    #[inline]
    pub fn get(&self, space: &Space, key: &str) -> Option<V> {
        self.0.get(&PlaceRef { space, key })
    }
}
