//! The cache crate used directly, as in a program that needs nothing else.

use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use pstate::{Key, Space};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, UnitWeighter};

/// A key as in PState's cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    space: Space,
    key: Key,
}

impl Place {
    /// A place with a copy of the key's text: in a program, too, the text that a cache holds is not
    /// the one that it is searched with.
    ///
    /// # Errors
    /// None, since the text of a key is valid.
    pub fn new(space: &Space, key: &Key) -> pstate::Result<Self> {
        Ok(Self::sharing(space, &key.as_str().parse()?))
    }

    /// A place that shares the key's text.
    pub fn sharing(space: &Space, key: &Key) -> Self {
        Self { space: space.clone(), key: key.clone() }
    }
}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        PlaceRef { space: &self.space, key: self.key.as_str() }.hash(state);
    }
}

/// A borrowed place, so that a look-up allocates nothing.
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
    /// A cache with room for `room` values.
    pub fn new(room: usize, hasher: RandomState) -> Self {
        Self(Cache::with(room, room as u64, UnitWeighter, hasher, DefaultLifecycle::default()))
    }

    /// Caches a value.
    pub fn insert(&self, place: Place, value: V) {
        self.0.insert(place, value);
    }

    /// The cached value.
    #[inline]
    pub fn get(&self, space: &Space, key: &str) -> Option<V> {
        self.0.get(&PlaceRef { space, key })
    }
}
