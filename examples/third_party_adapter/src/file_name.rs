//! From keys to file names and back.
//!
//! File systems disagree about names: which characters are allowed, whether case and Unicode
//! normalisation matter, that some names are devices. All of them keep `[a-z0-9_%-]` apart, so that
//! is all we use: other bytes of a key are percent-encoded, in lower case. `card:Hola` is
//! `card%3a%48ola`. No name is `.`, `..` or `con`, because every key has a colon.
//!
//! A name has at most 255 bytes, but a key may need 1,731. Where the encoded key is too long, the
//! name is the key's SHA-256, and the key itself is the first line of the file. (A key has no line
//! breaks.) Such a file has to be opened to know its key; the others do not.

use std::ffi::OsStr;
use std::fmt::Write;

use pstate_core::Key;
use sha2::{Digest, Sha256};

/// The longest name that common file systems take, in bytes. Part of the format: changing it would
/// move records.
const MAX_LEN: usize = 255;

/// How the name of a file begins whose key is in its first line. No encoded key begins so: there is
/// no `-` in a type.
const DIGEST: &str = "sha256-";

/// Where a record lies in its space's directory.
#[derive(Debug)]
pub(crate) struct FileName {
    /// The file's name.
    pub(crate) text: String,
    /// What stands in the file before the value: the key and a line break, or nothing.
    pub(crate) heading: String,
}

/// What the name of a file says about its key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Key(Key),
    /// The key is the first line of the file.
    Inside,
}

impl FileName {
    pub(crate) fn of(key: &Key) -> Self {
        let encoded = encode(key.as_str());
        if encoded.len() <= MAX_LEN {
            return Self { text: encoded, heading: String::new() };
        }
        let mut text = DIGEST.to_owned();
        Sha256::digest(key.as_str()).iter().for_each(|&byte| push_hex(&mut text, byte));
        Self { text, heading: format!("{key}\n") }
    }
}

/// `None` for a file that is no record. Only the very name that [`FileName::of`] gives is one:
/// `card%3A1` must not be a second `card:1`.
pub(crate) fn parse(name: &OsStr) -> Option<Named> {
    let name = name.to_str()?;
    if let Some(digest) = name.strip_prefix(DIGEST) {
        let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        return is_digest.then_some(Named::Inside);
    }
    let key = decode(name)?.parse().ok()?;
    (FileName::of(&key).text == name).then_some(Named::Key(key))
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(char::from(byte)),
            _ => {
                encoded.push('%');
                push_hex(&mut encoded, byte);
            }
        }
    }
    encoded
}

fn push_hex(text: &mut String, byte: u8) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{byte:02x}");
}

fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
            rest = tail;
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    #[track_caller]
    fn same_key_from_name(text: &str) -> String {
        let name = FileName::of(&key(text)).text;
        assert_eq!(parse(OsStr::new(&name)), Some(Named::Key(key(text))), "{name}");
        name
    }

    #[test]
    fn a_plain_key_can_be_read_in_its_name() {
        assert_eq!(same_key_from_name("base_card:7c9e-1"), "base_card%3a7c9e-1");
    }

    #[test]
    fn no_name_is_a_path_or_a_device() {
        assert_eq!(
            same_key_from_name("card:../../etc/passwd"),
            "card%3a%2e%2e%2f%2e%2e%2fetc%2fpasswd"
        );
        assert_eq!(same_key_from_name("con:nul"), "con%3anul");
    }

    #[test]
    fn keys_that_a_file_system_may_confuse_have_names_that_it_cannot() {
        let names =
            ["card:a", "card:A", "card:é", "card:e\u{301}", "card:%41", "card:a.", "card: a"]
                .map(same_key_from_name);
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name}");
            assert!(
                name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'%' | b'_' | b'-'))
            );
        }
    }

    #[test]
    fn a_name_of_the_greatest_length_is_encoded_and_a_longer_one_digested() {
        let longest = format!("card:{}", "x".repeat(MAX_LEN - "card%3a".len()));
        assert_eq!(same_key_from_name(&longest).len(), MAX_LEN);

        let longer = FileName::of(&key(&format!("{longest}x")));
        assert_eq!(longer.heading, format!("{longest}x\n"));
        assert_eq!(longer.text.len(), "sha256-".len() + 64);
        assert_eq!(parse(OsStr::new(&longer.text)), Some(Named::Inside));
    }

    #[test]
    fn other_names_are_no_records() {
        for name in
            ["", "card", "card%3A1", "card%3a1~", "card%3", "card%3a%+1", "sha256-0", ".git"]
        {
            assert_eq!(parse(OsStr::new(name)), None, "{name}");
        }
    }
}
