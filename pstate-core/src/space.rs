//! Namespaces.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The longest name of a space, in bytes.
const MAX_LEN: usize = 64;

/// A namespace for one tenant or environment. Nothing is ever shared between two spaces.
///
/// A name matches `[a-z0-9][a-z0-9_-]*` and has at most 64 bytes. Cloning is cheap.
///
/// ```
/// use pstate_core::Space;
///
/// let space: Space = "acme".parse()?;
/// assert_eq!(space.as_str(), "acme");
/// assert_eq!(Space::default().as_str(), "default");
/// # Ok::<(), pstate_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(Arc<str>);

impl Space {
    /// The name of the space that is used when none is named.
    pub const DEFAULT: &'static str = "default";

    /// The name.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the names of PState's own spaces begin with. Programs cannot use them: there it keeps
    /// notes, such as how far a sweep has come.
    pub const RESERVED: &'static str = "pstate-";

    /// Where sweeps note how far they have come.
    pub(crate) fn sweeps() -> Self {
        Self("pstate-sweeps".into())
    }

    /// Where copies note, in their target, how far they have come.
    pub(crate) fn copies() -> Self {
        Self("pstate-copies".into())
    }

    /// Whether it is one of PState's own: see [`RESERVED`](Self::RESERVED).
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(Self::RESERVED)
    }

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

    /// Whether this is the space that is used when none is named.
    pub fn is_default(&self) -> bool {
        &*self.0 == Self::DEFAULT
    }
}

impl Default for Space {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

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

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Space({})", self.0)
    }
}

impl AsRef<Space> for Space {
    fn as_ref(&self) -> &Space {
        self
    }
}
