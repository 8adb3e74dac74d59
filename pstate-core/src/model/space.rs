//! Namespaces.

use std::fmt;
use std::sync::Arc;

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
pub struct Space(pub(super) Arc<str>);

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
