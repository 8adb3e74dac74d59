//! Keys and spaces from the bytes of a store.

use crate::model::{Error, Key, Result, Space};

/// How many bytes of what is no key an error shows.
const SHOWN: usize = 80;

impl Key {
    /// The key that a store holds as these bytes, for adapters that scan.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if they are not UTF-8 or no key, as after a
    /// write by another program.
    pub fn from_stored(bytes: &[u8]) -> Result<Self> {
        match str::from_utf8(bytes) {
            Ok(text) => text.parse(),
            Err(_) => Err(not_text("key", bytes)),
        }
    }
}

impl Space {
    /// The space that a store holds as these bytes, for adapters that list spaces.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if they are not UTF-8 or no name of a
    /// space, as after a write by another program.
    pub fn from_stored(bytes: &[u8]) -> Result<Self> {
        match str::from_utf8(bytes) {
            Ok(text) => text.parse(),
            Err(_) => Err(not_text("space", bytes)),
        }
    }
}

fn not_text(what: &str, bytes: &[u8]) -> Error {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let more = if bytes.len() > SHOWN { ".." } else { "" };
    Error::invalid_input(format!("{what} {shown:?}{more}: not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf_8_are_shown_in_part() {
        let error = Key::from_stored(&[0xff; 100]).unwrap_err();
        assert!(error.message().ends_with("..: not UTF-8"), "{error}");
        assert!(error.message().len() < 300, "{error}");
        assert_eq!(
            Space::from_stored(b"a\xff").unwrap_err().message(),
            "space \"a\u{fffd}\": not UTF-8"
        );
    }

    #[test]
    fn what_is_a_name_is_read_back() {
        assert_eq!(Key::from_stored(b"card:1").unwrap().id(), "1");
        assert_eq!(Space::from_stored(b"acme").unwrap().as_str(), "acme");
        assert!(Key::from_stored(b"card").is_err());
    }
}
