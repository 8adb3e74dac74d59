//! How a key of a space is stored: the space, a byte 0, the key.
//!
//! Neither a space nor a key contains a byte 0, and it comes before all that a space contains. So
//! the order is by space, then by key, each by their bytes.

use std::str;

use pstate_core::{Error, Key, Space};

const SEPARATOR: u8 = 0;

/// Where keys of a space that begin with `prefix` begin, and what all of them begin with.
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

/// A space followed by one key after the other, in the same memory.
#[derive(Debug)]
pub(crate) struct KeyBuffer {
    stored: Vec<u8>,
    space_len: usize,
}

impl KeyBuffer {
    pub(crate) fn new(space: &Space) -> Self {
        let mut stored = stored_prefix(space, "");
        let space_len = stored.len();
        // Most keys are no longer.
        stored.reserve_exact(64);
        Self { stored, space_len }
    }

    pub(crate) fn stored(&mut self, key: &Key) -> &[u8] {
        self.stored.truncate(self.space_len);
        self.stored.extend_from_slice(key.as_str().as_bytes());
        &self.stored
    }
}

/// The name of the space that a stored key is in: all of it if there is no separator.
pub(crate) fn space_name(stored: &[u8]) -> &[u8] {
    let len = stored.iter().position(|&byte| byte == SEPARATOR).unwrap_or(stored.len());
    &stored[..len]
}

/// What comes after all keys of a space of this name, and before the next one.
pub(crate) fn after_space(name: &[u8]) -> Vec<u8> {
    let mut stored = name.to_vec();
    stored.push(SEPARATOR + 1);
    stored
}

/// The space of this name, or what is wrong with the name.
pub(crate) fn parse_space(name: &[u8]) -> Result<Space, String> {
    match str::from_utf8(name) {
        Ok(text) => text.parse().map_err(|error: Error| error.message().to_owned()),
        Err(_) => Err(format!("space {}: not UTF-8", shortened(name))),
    }
}

/// The key behind the `space_len` bytes of the space and the separator, or what is wrong with it.
pub(crate) fn parse_key(stored: &[u8], space_len: usize) -> Result<Key, String> {
    let key = stored.get(space_len..).unwrap_or_default();
    match str::from_utf8(key) {
        Ok(text) => text.parse().map_err(|error: Error| error.message().to_owned()),
        Err(_) => Err(format!("key {}: not UTF-8", shortened(key))),
    }
}

fn shortened(text: &[u8]) -> String {
    const SHOWN: usize = 80;
    let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
    format!("{shown:?}{}", if text.len() > SHOWN { ".." } else { "" })
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
        assert_eq!(parse_space(name).expect("a space").as_str(), "acme");
        assert_eq!(parse_key(&stored, name.len() + 1).expect("a key").as_str(), "card:1");
    }

    #[test]
    fn what_is_no_key_is_told() {
        assert!(parse_key(b"a\0\xff", 2).expect_err("no UTF-8").ends_with("not UTF-8"));
        assert!(parse_key(b"a\0card", 2).is_err());
        assert!(parse_key(b"a", 2).is_err());
        assert!(parse_space(b"\xff").is_err());
    }
}
