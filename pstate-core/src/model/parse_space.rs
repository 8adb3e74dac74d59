//! Text to spaces: what is accepted, and why the rest is refused.

use std::str::FromStr;

use super::error::{Error, Result};
use super::space::Space;

/// The longest name of a space, in bytes.
const MAX_LEN: usize = 64;

impl FromStr for Space {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let malformed = |why: String| Err(Error::invalid_input(format!("space {name:?}: {why}")));
        if name.is_empty() {
            return malformed("a name has at least one character".into());
        }
        if name.len() > MAX_LEN {
            return malformed(format!("{} bytes, at most {MAX_LEN} are allowed", name.len()));
        }
        for (at, c) in name.char_indices() {
            let fits = c.is_ascii_lowercase() || c.is_ascii_digit();
            if !fits && (at == 0 || !matches!(c, '_' | '-')) {
                return malformed(format!(
                    "{c:?} at byte {at}; a name matches [a-z0-9][a-z0-9_-]*"
                ));
            }
        }
        Ok(Self(name.into()))
    }
}

impl Space {
    /// Refuses a space of PState's own.
    pub(crate) fn check_usable(&self) -> Result<()> {
        if self.is_reserved() {
            return Err(Error::invalid_input(format!(
                "space {:?}: names that begin with `{}` are reserved",
                self.as_str(),
                Self::RESERVED
            )));
        }
        Ok(())
    }
}
