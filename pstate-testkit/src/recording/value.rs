use std::fmt;
use std::sync::Arc;

use pstate_core::Revision;

/// A stored value, shown as text; of a long one, the beginning, the length and a digest.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Value(pub(crate) Arc<[u8]>);

/// The number of bytes shown of a value.
const SHOWN: usize = 48;

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(SHOWN)];
        write!(f, "\"{}\"", shown.escape_ascii())?;
        if self.0.len() > SHOWN {
            // The digest distinguishes long values with the same beginning.
            let digest = Revision::of_content(&self.0).as_number();
            write!(f, ".. ({} bytes, digest {:08x})", self.0.len(), digest >> 96)?;
        }
        Ok(())
    }
}
