//! How a key of a space is stored: the space, a byte 0, the key.
//!
//! Neither a space nor a key contains a byte 0, and it sorts before all bytes of a space. So the
//! order is by space, then by key, each by their bytes.

use pstate_core::{Key, Result, Space};

const SEPARATOR: u8 = 0;

/// The prefix of all stored keys of a space that begin with `prefix`; it sorts before them.
pub(crate) fn stored_prefix(space: &Space, prefix: &str) -> Vec<u8> {
    let mut stored = Vec::with_capacity(space.as_str().len() + 1 + prefix.len());
    stored.extend_from_slice(space.as_str().as_bytes());
    stored.push(SEPARATOR);
    stored.extend_from_slice(prefix.as_bytes());
    stored
}

pub(crate) fn stored_key(space: &Space, key: &Key) -> Vec<u8> {
    stored_prefix(space, key.as_str())
}

/// Makes the stored keys of a space in one buffer, one after the other.
#[derive(Debug)]
pub(crate) struct KeyBuffer {
    stored: Vec<u8>,
    space_len: usize,
}

impl KeyBuffer {
    pub(crate) fn new(space: &Space) -> Self {
        let mut stored = stored_prefix(space, "");
        let space_len = stored.len();
        // Most keys are shorter.
        stored.reserve_exact(64);
        Self { stored, space_len }
    }

    pub(crate) fn stored(&mut self, key: &Key) -> &[u8] {
        self.stored.truncate(self.space_len);
        self.stored.extend_from_slice(key.as_str().as_bytes());
        &self.stored
    }
}

/// The name of the space of a stored key: all of it if it has no separator.
pub(crate) fn space_name(stored: &[u8]) -> &[u8] {
    let len = stored.iter().position(|&byte| byte == SEPARATOR).unwrap_or(stored.len());
    &stored[..len]
}

/// What sorts after all keys of the space of this name, and before the next space.
pub(crate) fn after_space(name: &[u8]) -> Vec<u8> {
    let mut stored = name.to_vec();
    stored.push(SEPARATOR + 1);
    stored
}

/// The key behind the `space_len` bytes of the space and the separator.
pub(crate) fn parse_key(stored: &[u8], space_len: usize) -> Result<Key> {
    Key::from_stored(stored.get(space_len..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(space: &str, key: &str) -> Vec<u8> {
        stored_key(&space.parse().expect("a space"), &key.parse().expect("a key"))
    }

    #[test]
    fn the_order_is_by_space_and_then_by_key() {
        let sorted = [
            stored("a", "card:1"),
            stored("a", "card:\u{10ffff}"),
            after_space(b"a"),
            stored("a-b", "a:1"),
            stored("a0", "a:1"),
            stored("a_b", "a:1"),
            stored("aa", "a:1"),
        ];
        assert!(sorted.is_sorted(), "{sorted:?}");
    }

    #[test]
    fn a_buffer_gives_what_is_stored() {
        let mut buffer = KeyBuffer::new(&Space::default());
        for key in ["card:long", "card:1"] {
            assert_eq!(buffer.stored(&key.parse().expect("a key")), stored("default", key));
        }
    }

    #[test]
    fn a_stored_key_is_read_back() {
        let stored = stored("acme", "card:1");
        let name = space_name(&stored);
        assert_eq!(name, b"acme");
        assert_eq!(parse_key(&stored, name.len() + 1).expect("a key").as_str(), "card:1");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let error = parse_key(b"a\0\xff", 2).expect_err("no UTF-8");
        assert!(error.message().ends_with("not UTF-8"), "{error}");
        assert!(parse_key(b"a\0card", 2).is_err());
        assert!(parse_key(b"a", 2).is_err());
    }
}
