//! How long values are, so that long ones are read apart from short ones.

use std::collections::HashMap;

use parking_lot::Mutex;
use pstate_core::Key;

/// How many types are known before all are forgotten.
const MAX_TYPES: usize = 1_024;

/// The lengths of the values of each type that were read or written.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    types: Mutex<HashMap<String, Size>>,
}

#[derive(Debug, Clone, Copy)]
struct Size {
    /// What late ones have, on average.
    mean: usize,
    largest: usize,
}

impl Sizes {
    /// Notes the lengths of values.
    pub(crate) fn note<'a>(&self, values: impl IntoIterator<Item = (&'a Key, usize)>) {
        let mut types = self.types.lock();
        for (key, len) in values {
            if let Some(size) = types.get_mut(key.entity_type()) {
                size.mean = (7 * size.mean + len) / 8;
                size.largest = size.largest.max(len);
            } else {
                if types.len() >= MAX_TYPES {
                    types.clear();
                }
                types.insert(key.entity_type().to_owned(), Size { mean: len, largest: len });
            }
        }
    }

    /// How long the longest value of these keys' types is that was read or written; `None` if
    /// nothing is known of a type.
    pub(crate) fn largest<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Option<usize> {
        let types = self.types.lock();
        let mut largest = 0;
        for key in keys {
            largest = largest.max(types.get(key.entity_type())?.largest);
        }
        Some(largest)
    }

    /// How many bytes a read of these keys is expected to have; `None` if nothing is known of a
    /// type.
    pub(crate) fn expect<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> Option<usize> {
        let types = self.types.lock();
        let mut bytes: usize = 0;
        let mut largest = 0;
        for key in keys {
            let size = types.get(key.entity_type())?;
            bytes = bytes.saturating_add(size.mean);
            largest = size.largest.max(largest);
        }
        // One of them may be the largest one.
        Some(bytes.saturating_add(largest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_follows_what_was_read() {
        let key = |n: usize| Key::new("card", &n.to_string()).expect("a key");
        let keys: Vec<Key> = (0..10).map(key).collect();
        let sizes = Sizes::default();
        assert_eq!(sizes.expect(&keys), None);
        sizes.note(keys.iter().map(|key| (key, 100)));
        assert_eq!(sizes.expect(&keys), Some(1_100));
        let other = Key::new("deck", "1").expect("a key");
        assert_eq!(sizes.expect([&other]), None);
        assert_eq!(sizes.largest(&keys), Some(100));
        assert_eq!(sizes.largest([&other]), None);
        for _ in 0..100 {
            sizes.note([(&keys[0], 1 << 20)]);
        }
        assert!(sizes.expect(&keys) > Some(9 << 20));
        for n in 0..10 * MAX_TYPES {
            let key = Key::new(&format!("t{n}"), "1").expect("a key");
            sizes.note([(&key, 1)]);
            assert!(sizes.types.lock().len() <= MAX_TYPES);
        }
    }
}
